//! An API key as its holder knows it: made, checked for shape, hashed, and never shown by accident.
//!
//! Always true: a [`Secret`] has no `Display`, and its `Debug` says nothing of it. Only its hash is kept or
//! compared.
//!
//! Read first: `access/mod.rs`.

use std::fmt;

use sha2::{Digest, Sha256};

use super::token::has_its_shape;
use crate::limits::{API_KEY_BYTES, TOKEN_BYTES_MAX};

/// How many random bytes [`make_secret`] takes: 200 bits, and a whole number of base-32 digits.
pub const SECRET_RANDOM_BYTES: usize = 25;
/// What every key made by Lux begins with, so that scanners for leaked secrets can find it.
pub const SECRET_PREFIX: &str = "lux_";

/// The SHA-256 of a secret: all that Lux keeps.
pub type SecretHash = [u8; 32];

/// An API key in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why some text cannot be an API key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretError {
    /// Outside [`API_KEY_BYTES`].
    Length,
    /// A character that no header token has (RFC 9110, section 5.6.2).
    Character,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (API_KEY_BYTES.start(), API_KEY_BYTES.end());
        match self {
            SecretError::Length => write!(f, "an API key has {least} to {most} characters"),
            SecretError::Character => {
                write!(f, "an API key is made of A-Z a-z 0-9 ! # $ % & ' * + - . ^ _ ` | ~ and nothing else")
            }
        }
    }
}

impl std::error::Error for SecretError {}

impl Secret {
    /// Takes some text as an API key, if it has the shape of one.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        if !API_KEY_BYTES.contains(&text.len()) {
            return Err(SecretError::Length);
        }
        if !text.bytes().all(is_token_byte) {
            return Err(SecretError::Character);
        }
        Ok(Secret(text.to_owned()))
    }

    /// Takes some text as what is shown to a broker: an API key, or a token in its place.
    pub fn parse_shown(text: &str) -> Result<Secret, SecretError> {
        let is_token =
            has_its_shape(text) && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(is_token_byte);
        if is_token { Ok(Secret(text.to_owned())) } else { Secret::parse(text) }
    }

    /// The key in the clear, for whoever must send it or show it this once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a secret. A plain hash is enough: a secret is random, so there is nothing to guess.
pub fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// A secret out of random bytes: the prefix and forty base-32 digits; the same bytes give the same secret.
pub fn make_secret(random: [u8; SECRET_RANDOM_BYTES]) -> Secret {
    // Without i, l, o and u, which people misread when they copy a key by hand.
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = String::from(SECRET_PREFIX);
    for five in random.as_chunks::<5>().0 {
        let bits = five.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        text.extend((0..8).rev().map(|at| char::from(DIGITS[(bits >> (at * 5) & 31) as usize])));
    }
    Secret(text)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_secret_is_a_key_that_differs_in_every_bit() {
        let zero = make_secret([0; SECRET_RANDOM_BYTES]);
        assert_eq!(zero.reveal(), format!("lux_{}", "0".repeat(40)));
        let mut seen = vec![zero.reveal().to_owned()];
        for bit in 0..SECRET_RANDOM_BYTES * 8 {
            let mut random = [0; SECRET_RANDOM_BYTES];
            random[bit / 8] = 1 << (bit % 8);
            let secret = make_secret(random);
            assert!(Secret::parse(secret.reveal()).is_ok());
            assert!(!seen.contains(&secret.reveal().to_owned()), "bit {bit} is lost");
            seen.push(secret.reveal().to_owned());
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2's own example.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex: String = hash("abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn shape_is_checked_at_both_ends() {
        assert_eq!(Secret::parse(&"k".repeat(15)), Err(SecretError::Length));
        assert!(Secret::parse(&"k".repeat(16)).is_ok());
        assert!(Secret::parse(&"k".repeat(128)).is_ok());
        assert_eq!(Secret::parse(&"k".repeat(129)), Err(SecretError::Length));
        assert_eq!(Secret::parse("sixteen bytes ok"), Err(SecretError::Character));
        assert_eq!(Secret::parse("comma,comma,comma"), Err(SecretError::Character));
        let token = format!("{0}.{0}.{0}", "t".repeat(60));
        assert_eq!(Secret::parse(&token), Err(SecretError::Length));
        assert!(Secret::parse_shown(&token).is_ok() && Secret::parse_shown("k").is_err());
    }

    #[test]
    fn debug_keeps_quiet() {
        let secret = make_secret([7; SECRET_RANDOM_BYTES]);
        assert!(!format!("{secret:?}").contains(&secret.reveal()[4..12]));
    }
}
