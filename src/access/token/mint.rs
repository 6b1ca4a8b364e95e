//! Tokens made here: claims to a signed text.
//!
//! Always true: the broker's own secret signs, and what it signs it would let in at that moment. The same claims at
//! the same moment give the same token.
//!
//! Read first: `claims.rs`.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

use super::key::TokenKey;
use super::{MakerTag, Tokens};
use crate::access::SecretHash;
use crate::key::Pattern;
use crate::limits::TOKEN_BYTES_MAX;

/// A token, once made.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// Its text.
    pub token: String,
    /// When it ends, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// Why no token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintFault {
    /// There is no secret to sign with.
    NoKey,
    /// Nothing is to be granted.
    NoGrant,
    /// It would live for less than a second.
    TooShortLife,
    /// It would live longer than this many milliseconds.
    TooLongLife(u64),
    /// Its text would be longer than a token may be.
    TooLong,
}

impl Tokens {
    /// Makes a token that reads these patterns from now on for `life_ms`. The tag of `maker`, the hash of an API key,
    /// binds it to that key.
    ///
    /// # Errors
    /// Why there is none.
    pub fn mint(
        &self,
        read: &[Pattern],
        life_ms: u64,
        wall_ms: u64,
        maker: Option<&SecretHash>,
    ) -> Result<Minted, MintFault> {
        let own = self.own.as_ref().ok_or(MintFault::NoKey)?;
        let (key, _) = own.keys.first().ok_or(MintFault::NoKey)?;
        match () {
            () if read.is_empty() => return Err(MintFault::NoGrant),
            () if life_ms < 1000 => return Err(MintFault::TooShortLife),
            () if life_ms > own.rule.longest_life_ms => {
                return Err(MintFault::TooLongLife(own.rule.longest_life_ms));
            }
            () => {}
        }
        let expires_at_ms = wall_ms.saturating_add(life_ms);
        let claims = claims(read, wall_ms, expires_at_ms, maker.and_then(|hash| maker_tag(key, hash)));
        let token = sign(key, &claims).ok_or(MintFault::NoKey)?;
        match token.len() > TOKEN_BYTES_MAX {
            true => Err(MintFault::TooLong),
            false => Ok(Minted { token, expires_at_ms }),
        }
    }
}

/// How an API key is named in tokens: a code that only this key's secret can make out of its hash, so that nobody who
/// has a token can try out API keys against it.
pub fn maker_tag(key: &TokenKey, hash: &SecretHash) -> Option<MakerTag> {
    // With a character that no token has, it is never the signature of one.
    let tag = key.sign(&[&b"made with\0"[..], hash].concat())?;
    tag.as_ref().first_chunk().copied()
}

/// Patterns have no character that JSON would escape. Times are to the millisecond, as RFC 7519, section 2, permits: a
/// page reckons with what a token says of its life, and whole seconds would be much of a short one.
fn claims(read: &[Pattern], issued_ms: u64, expires_ms: u64, maker: Option<MakerTag>) -> String {
    let list = read.iter().map(|pattern| format!("\"{pattern}\"")).collect::<Vec<_>>().join(",");
    let by = maker.map(|tag| format!(",\"by\":\"{}\"", BASE64URL_NOPAD.encode(&tag))).unwrap_or_default();
    let time = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let (issued, expires) = (time(issued_ms), time(expires_ms));
    format!("{{\"iat\":{issued},\"exp\":{expires},\"lux\":{{\"read\":[{list}]{by}}}}}")
}

fn sign(key: &TokenKey, claims: &str) -> Option<String> {
    let kid = serde_json::to_string(key.kid()?).ok()?;
    let header = format!("{{\"alg\":\"{}\",\"typ\":\"JWT\",\"kid\":{kid}}}", key.algorithm());
    let part = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
    let signed = format!("{}.{}", part(&header), part(claims));
    let tag = key.sign(signed.as_bytes())?;
    Some(format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref())))
}

impl fmt::Display for MintFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MintFault::NoKey => f.write_str("this broker has no secret to sign tokens with; see its log"),
            MintFault::NoGrant => f.write_str("the token would grant nothing; name what it may read"),
            MintFault::TooShortLife => f.write_str("a token lives for a second or more"),
            MintFault::TooLongLife(ms) => write!(f, "a token lives for at most {} seconds here", ms / 1000),
            MintFault::TooLong => {
                write!(f, "the token would be longer than {TOKEN_BYTES_MAX} bytes; name fewer patterns")
            }
        }
    }
}
