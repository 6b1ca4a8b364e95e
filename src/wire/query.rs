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

/// Whether every `%` is followed by two hex digits.
pub(super) fn check_percent(bytes: &[u8]) -> Result<(), Malformed> {
    let followed = |at: usize| match bytes[at + 1..] {
        [high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    if memchr::memchr_iter(b'%', bytes).all(followed) { Ok(()) } else { Err(Malformed::PercentEncoding) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BAD: Result<(), WireError> = Err(WireError::Malformed(Malformed::PercentEncoding));

    fn all(query: &str) -> Result<Vec<(String, String)>, WireError> {
        pairs(query).map(|pair| pair.map(|(name, value)| (name.into(), value.into()))).collect()
    }

    #[test]
    fn paths_are_decoded_once() {
        assert_eq!(decode_path("/a%2Fb%00%c3%A9").unwrap().as_ref(), b"/a/b\0\xc3\xa9");
        assert_eq!(decode_path("/%252F+").unwrap().as_ref(), b"/%2F+");
        assert!(matches!(decode_path("/plain").unwrap(), Cow::Borrowed(_)));
        for bad in ["%", "/a%", "/a%2", "/a%2g", "/a%g2", "%%20", "/%+1", "%é"] {
            assert_eq!(decode_path(bad).map(drop), BAD, "{bad}");
        }
    }

    #[test]
    fn pairs_are_as_a_form_has_them() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(all(""), Ok(vec![]));
        assert_eq!(
            all("keys=a%2Cb,c&wait&&x==%3D&=v&a+b=%2B+%C3%A9&x=2").unwrap(),
            [
                pair("keys", "a,b,c"),
                pair("wait", ""),
                pair("x", "=="),
                pair("", "v"),
                pair("a b", "+ é"),
                pair("x", "2"),
            ]
        );
        for bad in ["a=%", "%zz=a", "a=%ff", "a=%c3", "a=b&c=%C3%28"] {
            assert_eq!(all(bad).map(drop), BAD, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(name in any::<String>(), value in any::<String>()) {
            use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let query = format!("{}={}", encode(&name), encode(&value));
            let path = encode(&value);
            prop_assert_eq!(decode_path(&path).unwrap().into_owned(), value.as_bytes());
            prop_assert_eq!(all(&query).unwrap(), vec![(name, value)]);
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _ = decode_path(&text);
            let _ = all(&text);
        }
    }
}
