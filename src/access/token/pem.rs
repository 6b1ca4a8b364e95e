//! Public keys in PEM (RFC 7468, section 13), as `openssl pkey -pubout` writes them.
//!
//! Always true: a private key or a certificate in their place is refused by name; DER is read as far as three kinds of
//! public key need it (RFC 5280, section 4.1; RFC 8017, appendix A.1.1), and nothing may follow them.
//!
//! Read first: `keyset.rs`.

use data_encoding::BASE64;

use super::key::TokenKey;
use super::keyset::{KeySet, fault};
use crate::toml_lines::Fault;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const BITS: u8 = 0x03;
const INTEGER: u8 = 0x02;

const BROKEN: &str = "write public keys between -----BEGIN PUBLIC KEY----- and its end, or a JWKS";

/// Reads every key of a file; text between them is skipped.
pub fn parse(text: &str) -> Result<KeySet, Fault> {
    let mut set = KeySet::default();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, begin)) = lines.next() {
        let Some(label) =
            begin.trim().strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        check_label(label, line)?;
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        loop {
            match lines.next() {
                Some((_, last)) if last.trim() == end => break,
                Some((_, part)) => body.push_str(part.trim()),
                None => return Err(fault(line, "this key has no end", BROKEN)),
            }
        }
        let der = BASE64.decode(body.as_bytes()).map_err(|_| fault(line, "this key is no base64", BROKEN))?;
        let key =
            public_key(&der).ok_or_else(|| fault(line, "this is no RSA, P-256 or Ed25519 key", BROKEN))?;
        set.keys.push(key.map_err(|why| fault(line, "this key cannot be used", why))?);
    }
    Ok(set)
}

fn check_label(label: &str, line: usize) -> Result<(), Fault> {
    let remedy = "give the public key: openssl pkey -in FILE -pubout";
    match label {
        "PUBLIC KEY" => Ok(()),
        _ if label.ends_with("PRIVATE KEY") => {
            Err(fault(line, "this is a private key, which belongs to the issuer alone", remedy))
        }
        "CERTIFICATE" => {
            let remedy = "give its public key: openssl x509 -in FILE -pubkey -noout";
            Err(fault(line, "this is a certificate", remedy))
        }
        _ => Err(fault(line, "this is no public key", remedy)),
    }
}

/// A `SubjectPublicKeyInfo`; the inner error is what is wrong with a key of a kind that is known.
fn public_key(der: &[u8]) -> Option<Result<TokenKey, &'static str>> {
    let info = whole(der, SEQUENCE)?;
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (kind, parameters) = element(algorithm, OBJECT)?;
    let bits = whole(rest, BITS)?.strip_prefix(&[0])?;
    match kind {
        RSA => {
            let (n, rest) = element(whole(bits, SEQUENCE)?, INTEGER)?;
            Some(TokenKey::rsa(None, n, whole(rest, INTEGER)?))
        }
        EC if whole(parameters, OBJECT)? == P256 => Some(TokenKey::p256(None, bits)),
        ED25519 => Some(TokenKey::ed25519(None, bits)),
        _other_kind => None,
    }
}

/// What stands in an element that is all there is.
fn whole(der: &[u8], tag: u8) -> Option<&[u8]> {
    element(der, tag).filter(|(_, rest)| rest.is_empty()).map(|(inside, _)| inside)
}

/// What stands in the first element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
        _too_long_for_a_key => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}
