//! JSON Merge Patch (RFC 7396) on texts.
//!
//! Always true: a member that the patch does not name stays as it was, byte for byte and in its place.
//!
//! Read first: `json.rs`.

use serde_json::Value;

/// Applies `patch` to `target`; both are compact, valid JSON.
pub fn merge_patch(target: &[u8], patch: &[u8]) -> Vec<u8> {
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or(Value::Null);
    let mut merged = read(target);
    apply(&mut merged, read(patch));
    merged.to_string().into_bytes()
}

fn apply(target: &mut Value, patch: Value) {
    let Value::Object(members) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(object) = target.as_object_mut() else { return };
    for (name, value) in members {
        if value.is_null() {
            object.remove(&name);
        } else {
            apply(object.entry(name).or_insert(Value::Null), value);
        }
    }
}
