//! Merge patches: byte for byte what applying them member by member gives, and what RFC 7396 says it means.
//!
//! Always true: twice is as good as once.
//!
//! Read first: `../src/merge.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::wire::json::{compact_into, whole_value};
use lux::wire::merge::merge_patch;
use lux_fuzz::json::{self, Json};
use lux_fuzz::merge::{has_doubled_names, merged, rfc_7396};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    // No JSON has this byte, so it parts the two.
    let Some(middle) = data.iter().position(|byte| *byte == 0) else { return };
    let (Some(target), Some(patch)) = (compact(&data[..middle]), compact(&data[middle + 1..])) else {
        return;
    };
    let made = merge_patch(target.as_bytes(), patch.as_bytes());
    let made = std::str::from_utf8(&made).expect("UTF-8");
    let (target_read, patch_read) = (read(&target), read(&patch));
    assert_eq!(made, merged(target_read, patch_read.clone()), "{target} with {patch}");
    let again = merge_patch(made.as_bytes(), patch.as_bytes());
    assert_eq!(made.as_bytes(), again, "twice is as good as once");
    let values = (serde_json::from_str::<Value>(&target), serde_json::from_str::<Value>(&patch));
    if let (Ok(target), Ok(patch)) = values
        && !has_doubled_names(&patch_read)
    {
        assert_eq!(serde_json::from_str::<Value>(made).ok(), Some(rfc_7396(target, patch)));
    }
});

/// A state or a patch as the broker has them when it merges.
fn compact(raw: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    compact_into(whole_value(raw).ok()?, 20, &mut out).ok()?;
    String::from_utf8(out).ok()
}

fn read(text: &str) -> Json<'_> {
    json::read(text).expect("the broker takes it for JSON")
}
