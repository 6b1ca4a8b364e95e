//! Where a state comes in: is it JSON, where is `data`, and what is it without white space.
//!
//! Always true: what leaves here is UTF-8 and JSON, byte for byte as the producer wrote it; nothing recurses,
//! so no nesting can overflow the stack. What is read at once, by `scan.rs`, the library would have read in the
//! same way; it has the last word on everything else, and says what is wrong.
//!
//! Read first: `wire/mod.rs`; then `scan.rs`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::WireError;
use super::scan;

/// Appends the one `data` of a body `{"data":…}` to `out`, without insignificant white space.
///
/// # Errors
/// Those of [`data_member`] and of [`compact_into`].
pub fn data_into(body: &[u8], nesting_max: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
    at_once_or(
        out,
        |out| scan::data_member(body, nesting_max, out),
        |out| compact_into(data_member(body)?, nesting_max, out),
    )
}

/// Appends a body that is one JSON value to `out`, without insignificant white space.
///
/// # Errors
/// Those of [`whole_value`] and of [`compact_into`].
pub fn value_into(body: &[u8], nesting_max: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
    at_once_or(
        out,
        |out| scan::whole_value(body, nesting_max, out),
        |out| compact_into(whole_value(body)?, nesting_max, out),
    )
}

fn at_once_or(
    out: &mut Vec<u8>,
    at_once: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    otherwise: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let begin = out.len();
    if at_once(out).is_some() {
        return Ok(());
    }
    out.truncate(begin);
    otherwise(out)
}

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

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(body: &str) -> Result<&str, WireError> {
        data_member(body.as_bytes()).map(|data| std::str::from_utf8(data).unwrap())
    }

    fn compact(raw: &str, nesting_max: usize) -> Result<String, WireError> {
        let mut out = b"before".to_vec();
        compact_into(raw.as_bytes(), nesting_max, &mut out)?;
        Ok(String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned())
    }

    #[test]
    fn data_is_found_as_it_was_written() {
        for (body, found) in [
            (r#"{"data":{"a": 1.50}}"#, r#"{"a": 1.50}"#),
            (" \r\n\t{ \"data\" : null } \n", "null"),
            (r#"{"x":{"data":1},"data":[ ],"y":"data"}"#, "[ ]"),
            (r#"{"d\u0061ta":true}"#, "true"),
            (r#"{"\ud800":0,"Data":1,"data":"\udc00","":2,"x":1e999}"#, r#""\udc00""#),
            (r#"{"data":-0.0e+10}"#, "-0.0e+10"),
            (r#"{"x":1,"x":2,"data":"é"}"#, "\"é\""),
        ] {
            assert_eq!(data(body), Ok(found), "{body}");
        }
    }

    #[test]
    fn nothing_is_no_body() {
        for body in ["", " ", "\r\n\t "] {
            assert_eq!(data(body), Err(WireError::NoBody));
            assert_eq!(whole_value(body.as_bytes()), Err(WireError::NoBody));
        }
    }

    #[test]
    fn an_object_with_exactly_one_data_is_asked_for() {
        for body in ["{}", r#"{"Data":1}"#, r#"{"data ":1}"#, r#"{"data":1,"data":1}"#, "[]", "7", "null"] {
            assert!(matches!(data(body), Err(WireError::NoData(_))), "{body}");
        }
        assert!(matches!(data(r#"{"data":1,"d\u0061ta":1}"#), Err(WireError::NoData(_))));
    }

    #[test]
    fn what_is_not_json_says_where() {
        for body in [
            r#"{"data":}"#,
            r#"{"data"}"#,
            "{",
            "{data:1}",
            r#"{"data":1,}"#,
            r#"{"data":1}}"#,
            r#"{"data":01}"#,
            r#"{"data":.5}"#,
            r#"{"data":+1}"#,
            r#"{"data":NaN}"#,
            r#"{"data":'a'}"#,
            "{\"data\":\"\n\"}",
            r#"{"data":"\x"}"#,
            r#"{"data":"\u12g4"}"#,
            r#"{"data":[1,]}"#,
            "[1",
            "x",
            "\u{feff}{\"data\":1}",
            r#"{"data":1} {"data":2}"#,
            "{\"data\":1}\0",
            r#"{"x":tru,"data":1}"#,
        ] {
            let Err(WireError::BadJson(why)) = data(body) else { panic!("{body}: {:?}", data(body)) };
            assert!(why.contains("line 1 column") || why.contains("line 2 column"), "{why}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_found_anywhere() {
        for body in
            [&b"{\"data\":\"\xff\"}"[..], b"{\"data\":1,\"x\":\"\xc3\"}", b"{\"data\":\"\xed\xa0\x80\"}"]
        {
            let at = body.iter().position(|byte| !byte.is_ascii()).unwrap();
            assert_eq!(data_member(body), Err(WireError::NotUtf8(at)));
            assert_eq!(whole_value(body), Err(WireError::NotUtf8(at)));
        }
    }

    #[test]
    fn no_depth_overflows_the_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = format!(r#"{{"x":{deep},"data":{deep}}}"#);
        assert_eq!(data(&body), Ok(deep.as_str()));
        assert_eq!(whole_value(deep.as_bytes()), Ok(deep.as_bytes()));
        assert!(matches!(data(&"{\"data\":".repeat(100_000)), Err(WireError::BadJson(_))));
        assert_eq!(compact(&deep, 128), Err(WireError::TooDeep(128)));
    }

    #[test]
    fn a_whole_value_is_any_value() {
        for (body, value) in [(" {} ", "{}"), ("\n7", "7"), ("null", "null"), ("\"a b\"", "\"a b\"")] {
            assert_eq!(whole_value(body.as_bytes()), Ok(value.as_bytes()));
        }
        assert!(matches!(whole_value(b"1 2"), Err(WireError::BadJson(_))));
    }

    #[test]
    fn only_white_space_that_means_nothing_goes() {
        for (raw, kept) in [
            ("{ \"a b\" :\t[ 1 , \"\\\" \\\\\" ,\r\n null ] }", r#"{"a b":[1,"\" \\",null]}"#),
            (r#"{"a":1.50,"a":1E+2,"\u0061":"  "}"#, r#"{"a":1.50,"a":1E+2,"\u0061":"  "}"#),
            ("\"a long text with \\\\\\\" in it and é\"", "\"a long text with \\\\\\\" in it and é\""),
            (" 7 ", "7"),
            ("[ ]", "[]"),
        ] {
            assert_eq!(compact(raw, 9).unwrap(), kept);
        }
    }

    #[test]
    fn depth_is_counted_in_arrays_and_objects() {
        for (raw, depth) in [("7", 0), (r#""[[[""#, 0), ("[]", 1), ("{}", 1), (r#"[[],{"a":[]},[]]"#, 3)] {
            assert!(compact(raw, depth).is_ok(), "{raw}");
            if depth > 0 {
                assert_eq!(compact(raw, depth - 1), Err(WireError::TooDeep(depth - 1)), "{raw}");
            }
        }
    }

    #[test]
    fn names_are_what_they_stand_for() {
        for (written, meant) in [
            (r#""plain é""#, "plain é".as_bytes()),
            (r#""\u0061\n\"\\""#, b"a\n\"\\"),
            (r#""\ud83d\ude00""#, "😀".as_bytes()),
            (r#""\ud800""#, b"\xed\xa0\x80"),
            (r#""""#, b""),
        ] {
            assert_eq!(unescaped_name(written.as_bytes()).as_ref(), meant, "{written}");
        }
    }

    /// Any JSON value; strings of every kind of character that matters here.
    pub(in crate::wire) fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            // Quarters: serde_json reads a text with many digits only nearly.
            any::<i32>().prop_map(|quarters| (f64::from(quarters) / 4.0).into()),
            "[a-c \"\\\\{}\\[\\]:,\t\né]{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 48, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::vec(("[a-c\"\\\\ ]{0,2}", inner), 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn compacting_undoes_any_indentation(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty, 9).unwrap(), value.to_string());
            prop_assert_eq!(compact(&value.to_string(), 9).unwrap(), value.to_string());
        }

        #[test]
        fn data_comes_out_of_any_company(before in any_json(), inside in any_json(), after in any_json()) {
            let inside = serde_json::to_string_pretty(&inside).unwrap();
            let body = format!("{{\"x\":{before} ,\n\"data\" : {inside} ,\"y\": {after}}}");
            prop_assert_eq!(data(&body), Ok(inside.as_str()));
        }

        #[test]
        fn nothing_panics(bytes in "[{}\\[\\]\"\\\\:,a ]{0,30}") {
            let _ = data(&bytes);
            let _ = compact(&bytes, 3);
            let _ = unescaped_name(bytes.as_bytes());
            prop_assert!(string_end(bytes.as_bytes(), 0) <= bytes.len().max(1));
        }
    }
}
