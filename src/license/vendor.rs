//! The two halves of the vendor's key (Ed25519, RFC 8032): one signs licenses, the other is built in and verifies.
//!
//! Always true: the half that signs is in no repository and no log; it rests in a file that its owner alone may
//! read. `vendor.pub` beside this file is the other half; who sells a Lux of their own puts theirs in its place.
//!
//! Read first: nothing. How licenses are written is in `license/text.rs`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::operator_error::OperatorError;

/// What a signature takes.
pub const SIGNATURE_BYTES: usize = 64;

const KEY_BYTES: usize = 32;
/// As `lux license issue --new-key` printed it: 64 hex digits and a line feed.
const BUILT_IN: &str = include_str!("vendor.pub");

/// The half that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorKey([u8; KEY_BYTES]);

/// The half that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl VendorKey {
    /// The vendor's, as it was built into this program.
    pub fn built_in() -> VendorKey {
        // A tree whose `vendor.pub` is no key does not pass its tests; were one built, nobody's license would fit.
        VendorKey::parse(BUILT_IN).unwrap_or(VendorKey([0; KEY_BYTES]))
    }

    /// One from a file, as `lux license issue --new-key` prints it.
    ///
    /// # Errors
    /// The file cannot be read or holds no key.
    pub fn of_file(path: &Path) -> Result<VendorKey, OperatorError> {
        let wrong = |why: String| {
            let message = format!("{} holds no vendor's key ({why})", path.display());
            OperatorError::new(message, "name what `lux license issue --new-key` printed: 64 hex digits")
        };
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        VendorKey::parse(&text).ok_or_else(|| wrong("it is something else".to_owned()))
    }

    fn parse(text: &str) -> Option<VendorKey> {
        from_hex(text.trim_end()).map(VendorKey)
    }

    /// Its 64 hex digits.
    pub fn hex(&self) -> String {
        to_hex(&self.0)
    }

    /// Whether the half that belongs to this one has signed these bytes.
    pub fn has_signed(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl SigningKey {
    /// A new one, out of the system's randomness.
    ///
    /// # Errors
    /// The system has none.
    pub fn make() -> Result<SigningKey, OperatorError> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let no_randomness =
            |_| OperatorError::new("the system gives no random bytes", "let Lux call getrandom(2)");
        let document = made.map_err(no_randomness)?;
        SigningKey::of_pkcs8(document.as_ref())
            .ok_or_else(|| OperatorError::new("the new key cannot be read again", "try again"))
    }

    /// One from a PEM file of its owner (PKCS #8, RFC 5958), also as `openssl genpkey -algorithm ed25519` makes it.
    ///
    /// # Errors
    /// The file cannot be read or holds no such key.
    pub fn of_file(path: &Path) -> Result<SigningKey, OperatorError> {
        let wrong = |why: &str| {
            let message = format!("{} holds no key that signs licenses ({why})", path.display());
            OperatorError::new(message, "name a file that `lux license issue --new-key` made")
        };
        let pem = fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| wrong("no PRIVATE KEY in PEM"))?;
        SigningKey::of_pkcs8(der.secret_pkcs8_der()).ok_or_else(|| wrong("no Ed25519 key in PKCS #8"))
    }

    fn of_pkcs8(der: &[u8]) -> Option<SigningKey> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
        Some(SigningKey { pair, pkcs8: der.to_vec() })
    }

    /// Puts it into a new file that its owner alone may read; one that is there is never written over.
    ///
    /// # Errors
    /// There is such a file, or it cannot be made.
    pub fn write_new(&self, path: &Path) -> Result<(), OperatorError> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
                let message = format!("{} cannot be made ({error})", path.display());
                let remedy = match error.kind() {
                    io::ErrorKind::AlreadyExists => {
                        "name a new file; licenses signed by a lost key stay good"
                    }
                    _ => "name a file where this user may write",
                };
                OperatorError::new(message, remedy)
            })?;
        file.write_all(self.pem().as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
            // Half a key helps nobody.
            let _ = fs::remove_file(path);
            OperatorError::new(format!("{} cannot be written ({error})", path.display()), "make room there")
        })
    }

    /// The half that verifies what this one signs.
    pub fn vendor_key(&self) -> VendorKey {
        let mut bytes = [0; KEY_BYTES];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        VendorKey(bytes)
    }

    /// Signs these bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }

    fn pem(&self) -> String {
        let text = base64(&self.pkcs8);
        let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
        format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n", lines.collect::<String>())
    }
}

/// Base 64 with padding (RFC 4648, section 4), for PEM.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quad = |three: &[u8]| {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift) as usize & 63]))
    };
    let mut text: String = bytes.chunks(3).flat_map(quad).collect();
    let padding = (3 - bytes.len() % 3) % 3;
    text.truncate(text.len() - padding);
    text + &"=".repeat(padding)
}

/// Bytes as lower-case hex digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many bytes from lower-case hex digits, and from nothing else: one value has one spelling.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_built_in_half_is_a_key() {
        assert!(VendorKey::parse(BUILT_IN).is_some() && BUILT_IN.ends_with('\n'));
        assert_ne!(VendorKey::built_in(), VendorKey([0; KEY_BYTES]));
    }

    #[test]
    fn a_key_outlives_its_file_which_nobody_else_reads_or_writes_over() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("vendor.key");
        let key = SigningKey::make().unwrap();
        key.write_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = SigningKey::of_file(&path).unwrap();
        assert_eq!(again.vendor_key(), key.vendor_key());
        assert!(key.vendor_key().has_signed(b"a", &again.sign(b"a")));
        assert!(!key.vendor_key().has_signed(b"b", &again.sign(b"a")));
        let before = fs::read(&path).unwrap();
        assert!(SigningKey::make().unwrap().write_new(&path).unwrap_err().remedy.contains("new file"));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_signature_is_that_of_rfc_8032() {
        // Section 7.1, test 1, as PKCS #8 without the public half.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let der = [
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice(),
            &from_hex::<32>(seed).unwrap(),
        ]
        .concat();
        let key = SigningKey::of_pkcs8(&der).unwrap();
        assert_eq!(
            key.vendor_key().hex(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert!(to_hex(&key.sign(b"")).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974"));
    }

    #[test]
    fn what_is_no_key_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("some.file");
        assert!(VendorKey::of_file(&path).unwrap_err().message.contains("some.file"));
        for text in
            ["", "ab", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &"G".repeat(64)]
        {
            fs::write(&path, text).unwrap();
            assert!(SigningKey::of_file(&path).is_err() && VendorKey::of_file(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn hex_has_one_spelling() {
        assert_eq!(from_hex("00ff"), Some([0, 255]));
        for wrong in ["00fF", "00f", "00ff0", "00ff00", "0g00", "é0"] {
            assert_eq!(from_hex::<2>(wrong), None, "{wrong}");
        }
    }
}
