//! Files of keys: a JWKS (RFC 7517, section 5), or public keys in PEM, to keys that tokens are checked with.
//!
//! Always true: a file is taken whole or refused with the line of the first thing that is wrong; keys that are good
//! but of no use here (for encryption, of another curve) are left out by name. Faults repeat nothing of a key.
//!
//! Read first: `key.rs`.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::TokenKey;
use super::pem;
use crate::toml_lines::Fault;

/// The most keys of one file: each may be tried for a token.
const KEYS_MAX: usize = 32;

/// What a file holds.
#[derive(Debug, Default)]
pub struct KeySet {
    /// Keys that tokens are checked with, in the file's order.
    pub keys: Vec<TokenKey>,
    /// Keys that are of no use here, each with the reason.
    pub left_out: Vec<String>,
}

#[derive(Deserialize)]
struct Jwks<'j> {
    #[serde(borrow)]
    keys: Vec<&'j RawValue>,
}

/// A key as RFC 7517 and RFC 7518 write it, as far as it matters here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

/// What one entry of a JWKS comes to.
enum Entry {
    Key(Box<TokenKey>),
    LeftOut(String),
}

/// Reads a file of keys.
///
/// # Errors
/// The line, what is wrong there, and what to do.
pub fn parse(text: &str) -> Result<KeySet, Fault> {
    let set = if text.trim_start().starts_with('{') { parse_jwks(text)? } else { pem::parse(text)? };
    if set.keys.len() > KEYS_MAX {
        return Err(fault(1, format!("there are more than {KEYS_MAX} keys"), "keep those that still sign"));
    }
    if set.keys.is_empty() {
        let why =
            if set.left_out.is_empty() { String::new() } else { format!(" ({})", set.left_out.join("; ")) };
        let remedy = "use a key for HS256, RS256, ES256 or EdDSA";
        return Err(fault(1, format!("no key in it can check a token{why}"), remedy));
    }
    Ok(set)
}

/// The text of a file with one secret, as it is kept in the state directory.
pub fn secret_key_text(kid: &str, secret: &[u8]) -> String {
    let k = BASE64URL_NOPAD.encode(secret);
    format!("{{\"keys\":[\n  {{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"{kid}\",\"k\":\"{k}\"}}\n]}}\n")
}

/// A fault of a file of keys.
pub fn fault(line: usize, message: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault { line, message: message.into(), remedy: remedy.into() }
}

fn parse_jwks(text: &str) -> Result<KeySet, Fault> {
    const SHAPE: &str = "write {\"keys\":[…]} as RFC 7517 has it";
    let no_jwks = |error: serde_json::Error| fault(error.line(), "this is no JWKS", SHAPE);
    let entries = serde_json::from_str::<Jwks<'_>>(text).map_err(no_jwks)?.keys;
    let mut set = KeySet::default();
    for (at, entry) in (1..).zip(entries) {
        let line = line_of(text, entry.get());
        let jwk: Jwk = serde_json::from_str(entry.get())
            .map_err(|_| fault(line, format!("key {at} is no JSON Web Key"), SHAPE))?;
        let name = jwk
            .kid
            .as_deref()
            .map_or(format!("key {at}"), |kid| format!("key {at} (`{}`)", kid.escape_default()));
        let read = jwk.read().map_err(|why| fault(line, format!("{name} cannot be used"), why))?;
        match read {
            Entry::LeftOut(why) => set.left_out.push(format!("{name}: {why}")),
            Entry::Key(key) if is_doubled(&set.keys, &key) => {
                return Err(fault(
                    line,
                    format!("{name} stands there twice"),
                    "give each key a kid of its own",
                ));
            }
            Entry::Key(key) => set.keys.push(*key),
        }
    }
    Ok(set)
}

fn is_doubled(keys: &[TokenKey], key: &TokenKey) -> bool {
    key.kid().is_some()
        && keys.iter().any(|known| known.kid() == key.kid() && known.algorithm() == key.algorithm())
}

/// The line on which a part of the text begins.
fn line_of(text: &str, part: &str) -> usize {
    let begin = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    text.bytes().take(begin).filter(|byte| *byte == b'\n').count() + 1
}

impl Jwk {
    fn read(self) -> Result<Entry, &'static str> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Ok(Entry::LeftOut("it is not for signatures".to_owned()));
        }
        let alg = self.alg.as_deref();
        let is = |names: &[&str]| alg.is_none_or(|alg| names.contains(&alg));
        let key = match (&*self.kty, self.crv.as_deref()) {
            ("oct", _) if is(&["HS256"]) => TokenKey::secret(self.kid, &number(self.k.as_deref())?),
            ("RSA", _) if is(&["RS256"]) => {
                TokenKey::rsa(self.kid, &number(self.n.as_deref())?, &number(self.e.as_deref())?)
            }
            ("EC", Some("P-256")) if is(&["ES256"]) => {
                let (x, y) = (number(self.x.as_deref())?, number(self.y.as_deref())?);
                let point = if x.len() == 32 { [&[4][..], &x, &y].concat() } else { Vec::new() };
                TokenKey::p256(self.kid, &point)
            }
            ("OKP", Some("Ed25519")) if is(&["EdDSA", "Ed25519"]) => {
                TokenKey::ed25519(self.kid, &number(self.x.as_deref())?)
            }
            (_, _) => {
                let what = alg.or(self.crv.as_deref()).unwrap_or(&self.kty).escape_default();
                return Ok(Entry::LeftOut(format!("{what} is not spoken here")));
            }
        };
        key.map(|key| Entry::Key(Box::new(key)))
    }
}

/// Bytes as a JSON Web Key writes them.
fn number(text: Option<&str>) -> Result<Vec<u8>, &'static str> {
    let text = text.ok_or("a part of it is missing (RSA: n, e; EC: x, y; OKP: x; oct: k)")?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| "a part of it is no base64url without padding")
}
