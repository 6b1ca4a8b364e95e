//! A token's text in its three parts: header, claims, signature (RFC 7515, section 7.1).
//!
//! Always true: base64url is read without leniency, so one token has one text; of the header only `alg`, `kid` and
//! `crit` are looked at. Keys or addresses of keys that a header brings along (`jwk`, `jku`, `x5u`) are never used.
//!
//! Read first: `token/mod.rs`.

use data_encoding::BASE64URL_NOPAD;

use super::TokenFault;
use super::key::Algorithm;
use super::object::Object;
use crate::limits::TOKEN_BYTES_MAX;

/// A token whose claims are not believed yet.
#[derive(Debug)]
pub struct Compact<'t> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// Which key it says signed it.
    pub kid: Option<String>,
    /// What is signed: the first two parts with their dot.
    pub signed: &'t [u8],
    /// The third part.
    pub signature: Vec<u8>,
    claims: &'t str,
}

/// Whether a text could be a token: whatever else is sent as a key is not looked at as one.
pub fn has_its_shape(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'t> Compact<'t> {
    /// Splits a token and reads its header.
    ///
    /// # Errors
    /// It is too long, no token, or signed in a way that is not known here.
    pub fn parse(text: &'t str) -> Result<Compact<'t>, TokenFault> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFault::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenFault::Shape)?;
        let header = decode_text(header)?;
        let header = Object::parse(&header).ok_or(TokenFault::Shape)?;
        if header.get("crit").is_some() {
            return Err(TokenFault::Critical);
        }
        let algorithm = header.text("alg").flatten().ok_or(TokenFault::Algorithm)?;
        let algorithm = Algorithm::of_name(&algorithm).ok_or(TokenFault::Algorithm)?;
        let kid = match header.text("kid") {
            None => None,
            Some(kid) => Some(kid.ok_or(TokenFault::Shape)?),
        };
        let signature = decode(signature)?;
        Ok(Compact { algorithm, kid, signed: signed.as_bytes(), signature, claims })
    }

    /// The claims as JSON. To be asked once the signature holds.
    ///
    /// # Errors
    /// They are no text in base64url.
    pub fn claims(&self) -> Result<String, TokenFault> {
        decode_text(self.claims)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenFault::Shape)
}

fn decode_text(part: &str) -> Result<String, TokenFault> {
    String::from_utf8(decode(part)?).map_err(|_| TokenFault::Shape)
}
