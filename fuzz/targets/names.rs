//! Keys, patterns and queries: taken or not as their rules say; a pattern covers another exactly if no key tells
//! them apart.
//!
//! Always true: what is taken is written back as it was.
//!
//! Read first: `../src/names.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::key::{Key, Pattern};
use lux::wire::condition::parse_id;
use lux::wire::query;
use lux_fuzz::names;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    assert_eq!(Key::parse(first).is_ok(), names::is_key(first));
    let patterns = [first, second].map(|bytes| {
        let pattern = Pattern::parse(bytes);
        assert_eq!(pattern.is_ok(), names::is_pattern(bytes));
        pattern.ok().inspect(|pattern| assert_eq!(pattern.to_string().as_bytes(), bytes))
    });
    if let [Some(first), Some(second)] = &patterns {
        check_covering(first, second);
        check_covering(second, first);
    }
    if let Ok(text) = std::str::from_utf8(first) {
        check_query(text);
        check_id(text);
    }
});

/// The shortest keys of a pattern, and one with each letter behind its beginning: if any key tells two patterns
/// apart, then one of these does.
fn check_covering(wide: &Pattern, narrow: &Pattern) {
    let (wide_text, narrow_text) = (wide.to_string(), narrow.to_string());
    let begin = narrow_text.trim_end_matches('*');
    let keys = match narrow {
        Pattern::Exact(_) => vec![begin.to_owned()],
        Pattern::Prefix(_) => ["", "a", "b"].map(|end| format!("{begin}{end}")).to_vec(),
    };
    for key in &keys {
        assert!(names::matches(&narrow_text, key) && narrow.matches(key));
        assert_eq!(wide.matches(key), names::matches(&wide_text, key), "{wide_text}, {key}");
    }
    let all = keys.iter().all(|key| wide.matches(key));
    assert_eq!(wide.covers(narrow), all, "{wide_text}, {narrow_text}");
}

fn check_query(text: &str) {
    let decoded = query::decode_path(text).ok().map(|bytes| bytes.into_owned());
    assert_eq!(decoded, names::decoded(text.as_bytes()));
    let pairs =
        query::pairs(text).map(|pair| pair.ok().map(|(name, value)| (name.into_owned(), value.into_owned())));
    assert_eq!(pairs.collect::<Vec<_>>(), names::pairs(text));
}

/// An id that is taken is written back as it was.
fn check_id(text: &str) {
    let parts = text.split_once('.').filter(|(epoch, rev)| !epoch.is_empty() && !rev.is_empty());
    let rev = parts.and_then(|(_, rev)| rev.parse::<u64>().ok()).map(|rev| rev.to_string());
    match parse_id(text) {
        Some((epoch, rev)) => assert_eq!(format!("{epoch}.{}", rev.0), text),
        None => assert!(parts.is_none_or(|(_, written)| rev.as_deref() != Some(written)), "{text}"),
    }
}
