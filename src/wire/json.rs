//! Where a state comes in: is it JSON, where is `data`, and what is it without white space.
//!
//! Always true: what leaves here is UTF-8 and JSON, byte for byte as the producer wrote it; nothing recurses,
//! so no nesting can overflow the stack.
//!
//! Read first: `wire/mod.rs`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::WireError;

/// The text of the one `data` of a body `{"data":…}`; other members are ignored.
///
/// # Errors
/// [`WireError::NoBody`], [`WireError::NotUtf8`], [`WireError::BadJson`], and [`WireError::NoData`] for an
/// object without `data`, with two, or no object at all.
pub fn data_member(body: &[u8]) -> Result<&[u8], WireError> {
    let text = check_text(body)?;
    if !text.trim_ascii_start().starts_with('{') {
        whole_value(body)?;
        return Err(WireError::NoData("the body is not a JSON object"));
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(bad_json)?;
    match (members.data, members.data_count) {
        (Some(data), 1) => Ok(data.as_bytes()),
        (None, _) => Err(WireError::NoData("the body has no member `data`")),
        (Some(_), _) => Err(WireError::NoData("the body has more than one member `data`")),
    }
}

/// The text of a body that is one JSON value, without the white space around it.
///
/// # Errors
/// [`WireError::NoBody`], [`WireError::NotUtf8`] and [`WireError::BadJson`].
pub fn whole_value(body: &[u8]) -> Result<&[u8], WireError> {
    let value: &RawValue = serde_json::from_str(check_text(body)?).map_err(bad_json)?;
    Ok(value.get().as_bytes())
}

/// Appends `raw`, which is valid JSON, to `out` without insignificant white space.
///
/// # Errors
/// [`WireError::TooDeep`] past `nesting_max` (a scalar has depth 0, `[]` has 1).
pub fn compact_into(raw: &[u8], nesting_max: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
    let (mut run, mut at, mut depth) = (0, 0, 0usize);
    while let Some(byte) = raw.get(at) {
        match byte {
            b'"' => {
                at = string_end(raw, at);
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > nesting_max {
                    return Err(WireError::TooDeep(nesting_max));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.extend_from_slice(&raw[run..at]);
                while matches!(raw.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
                    at += 1;
                }
                run = at;
                continue;
            }
            _part_of_a_scalar => {}
        }
        at += 1;
    }
    out.extend_from_slice(&raw[run..]);
    Ok(())
}

/// Where the string that begins at `begin` ends: the index after its closing quote.
///
/// Most strings of a state are short, so this looks at eight bytes at a time in place of a call to `memchr`:
/// a byte of `word ^ pattern` is zero where the pattern stands, and taking one from each byte shows the first.
pub(super) fn string_end(text: &[u8], begin: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let mut at = begin + 1;
    loop {
        while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            let found = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
            if found != 0 {
                at += found.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

fn check_text(body: &[u8]) -> Result<&str, WireError> {
    let text = std::str::from_utf8(body).map_err(|error| WireError::NotUtf8(error.valid_up_to()))?;
    if text.trim_ascii().is_empty() {
        return Err(WireError::NoBody);
    }
    Ok(text)
}

fn bad_json(error: serde_json::Error) -> WireError {
    WireError::BadJson(error.to_string())
}

/// The first `data` of an object, and how many there are.
#[derive(Default)]
struct Members<'b> {
    data: Option<&'b str>,
    data_count: usize,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key::<&'de RawValue>()? {
                    if *unescaped_name(name.get().as_bytes()) == *b"data" {
                        members.data = Some(map.next_value::<&'de RawValue>()?.get());
                        members.data_count += 1;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

/// The name that a JSON string stands for, in WTF-8; `name` is as written, in its quotes.
///
/// Bytes and not text, because `"\ud800"` is a string of JSON and none of Unicode.
pub(super) fn unescaped_name(name: &[u8]) -> Cow<'_, [u8]> {
    struct Visit;
    impl Visitor<'_> for Visit {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, name: &[u8]) -> Result<Vec<u8>, E> {
            Ok(name.to_vec())
        }
    }
    let written = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', written).is_none() {
        return Cow::Borrowed(written);
    }
    match serde_json::Deserializer::from_slice(name).deserialize_bytes(Visit) {
        Ok(meant) => Cow::Owned(meant),
        Err(_) => Cow::Borrowed(written),
    }
}
