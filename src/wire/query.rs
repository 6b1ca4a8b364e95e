//! Paths and query strings, decoded.
//!
//! Always true: a `%` is followed by two hex digits or refused; what needs no decoding is not copied.
//!
//! Read first: `request.rs`.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::error::{Malformed, WireError};

/// The bytes that a percent-encoded path, or a part of one, stands for (RFC 3986, section 2.1).
///
/// # Errors
/// [`Malformed::PercentEncoding`] for a `%` without two hex digits.
pub fn decode_path(path: &str) -> Result<Cow<'_, [u8]>, WireError> {
    check_percent(path.as_bytes())?;
    Ok(percent_decode(path.as_bytes()).into())
}

/// The names and values of a query string, as `application/x-www-form-urlencoded` has them.
///
/// A name without `=` has an empty value; empty parts are left out.
///
/// # Errors
/// Each pair: [`Malformed::PercentEncoding`] for a bad `%` or text that is not UTF-8.
pub fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), WireError>> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Ok((decode_text(name)?, decode_text(value)?))
    })
}

fn decode_text(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let bytes = text.as_bytes();
    if memchr::memchr2(b'%', b'+', bytes).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    check_percent(bytes)?;
    // Spaces first: a `%2B` must stay a plus.
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_decode(&spaced).collect();
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Malformed::PercentEncoding)
}

fn check_percent(bytes: &[u8]) -> Result<(), Malformed> {
    let followed = |at: usize| match bytes[at + 1..] {
        [high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    if memchr::memchr_iter(b'%', bytes).all(followed) { Ok(()) } else { Err(Malformed::PercentEncoding) }
}
