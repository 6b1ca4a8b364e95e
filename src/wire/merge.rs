//! JSON Merge Patch (RFC 7396) on texts.
//!
//! Always true: what the patch does not name stays byte for byte, and in its place; new members go last. The
//! work grows with the two texts, never with their product: each object is entered at most once.
//!
//! Read first: `merge/shape.rs`, `merge/patch.rs`.

mod patch;
mod shape;

use std::ops::Range;

use patch::{Change, Patch};
use shape::Shape;

/// Applies `patch` to `target`; both are compact, valid JSON, no deeper than
/// [`NESTING_CEILING`](crate::limits::NESTING_CEILING), because merging recurses as deep as the patch nests.
///
/// A name that the target has twice is one member once the patch touches it: where the first one stood, and
/// with the value of the last one, which is what every reader of it saw. A name that the patch has twice is
/// applied twice, in order, where its first one puts it.
pub fn merge_patch(target: &[u8], patch: &[u8]) -> Vec<u8> {
    let shape = Shape::of(patch);
    let Change::Merge(patch) = Change::read(&shape, 0..patch.len()) else { return patch.to_vec() };
    let target = Shape::of(target);
    let mut out = Vec::with_capacity(target.text.len() + shape.text.len());
    write_merged(&target, 0..target.text.len(), &patch, &mut out);
    out
}

/// A stretch of the merged object.
enum Piece<'t> {
    /// Members that the patch does not name, as they stand.
    Untouched(&'t [u8]),
    /// The first member with this name of the patch: its name as it stands, and which one of the patch.
    Touched(&'t [u8], usize),
}

/// Writes what the patch makes of the value at `range`.
fn write_merged(target: &Shape<'_>, range: Range<usize>, patch: &Patch<'_>, out: &mut Vec<u8>) {
    if target.text.get(range.start) != Some(&b'{') {
        return write_new(patch, out);
    }
    let (pieces, last) = compare(target, range.start, patch);
    let begin = out.len();
    for piece in pieces {
        match piece {
            Piece::Untouched(members) => {
                separate(begin, out);
                out.extend_from_slice(members);
            }
            Piece::Touched(name, which) => {
                write_member(name, &patch.members[which].change, begin, out, |patch, out| {
                    match &last[which] {
                        Some(value) => write_merged(target, value.clone(), patch, out),
                        None => write_new(patch, out),
                    }
                });
            }
        }
    }
    for (member, value) in patch.members.iter().zip(&last) {
        if value.is_none() {
            write_member(member.name, &member.change, begin, out, write_new);
        }
    }
    finish(begin, out);
}

/// Walks the target's object once: its pieces, and where the last value of each name of the patch stands.
fn compare<'t>(
    target: &Shape<'t>,
    begin: usize,
    patch: &Patch<'_>,
) -> (Vec<Piece<'t>>, Vec<Option<Range<usize>>>) {
    let mut pieces = Vec::new();
    let mut last = vec![None; patch.members.len()];
    let mut run: Option<Range<usize>> = None;
    for member in target.members(begin) {
        let Some(which) = patch.find(member.name) else {
            // In a compact text, neighbours have exactly a comma between them.
            run = Some(run.map_or(member.begin, |run| run.start)..member.value.end);
            continue;
        };
        pieces.extend(run.take().map(|run| Piece::Untouched(&target.text[run])));
        if last[which].replace(member.value).is_none() {
            pieces.push(Piece::Touched(member.name, which));
        }
    }
    pieces.extend(run.map(|run| Piece::Untouched(&target.text[run])));
    (pieces, last)
}

/// Writes what the patch makes of nothing: `MergePatch({}, patch)`, so without its nulls.
fn write_new(patch: &Patch<'_>, out: &mut Vec<u8>) {
    let begin = out.len();
    for member in &patch.members {
        write_member(member.name, &member.change, begin, out, write_new);
    }
    finish(begin, out);
}

/// Writes one member as the patch wants it; `merge` writes the value where the patch is an object.
fn write_member(
    name: &[u8],
    change: &Change<'_>,
    begin: usize,
    out: &mut Vec<u8>,
    merge: impl FnOnce(&Patch<'_>, &mut Vec<u8>),
) {
    let put_name = |out: &mut Vec<u8>| {
        separate(begin, out);
        out.extend_from_slice(name);
        out.push(b':');
    };
    match change {
        Change::Remove => {}
        Change::Replace(value) => {
            put_name(out);
            out.extend_from_slice(value);
        }
        Change::Merge(patch) => {
            put_name(out);
            merge(patch, out);
        }
        Change::Renew(patch) => {
            put_name(out);
            write_new(patch, out);
        }
    }
}

/// What stands before a member of the object that begins at `begin`.
fn separate(begin: usize, out: &mut Vec<u8>) {
    out.push(if out.len() == begin { b'{' } else { b',' });
}

fn finish(begin: usize, out: &mut Vec<u8>) {
    if out.len() == begin {
        out.push(b'{');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::wire::json::tests::any_json;

    fn merged(target: &str, patch: &str) -> String {
        String::from_utf8(merge_patch(target.as_bytes(), patch.as_bytes())).unwrap()
    }

    #[test]
    fn the_rfcs_own_table_holds() {
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merged(target, patch), result, "{target} <- {patch}");
        }
    }

    #[test]
    fn members_keep_their_place_and_their_text() {
        let target = r#"{"b":1.50,"a":{"y":[ ],"x":1E+2},"\u0063":"\/","d":null}"#.replace(' ', "");
        assert_eq!(merged(&target, "{}"), target);
        assert_eq!(
            merged(&target, r#"{"z":0,"a":{"w":1,"x":2},"b":2}"#),
            r#"{"b":2,"a":{"y":[],"x":2,"w":1},"\u0063":"\/","d":null,"z":0}"#
        );
    }

    #[test]
    fn names_are_compared_as_meant() {
        assert_eq!(merged(r#"{"\u0061":1,"b":2}"#, r#"{"a":3,"\u0062":null}"#), r#"{"\u0061":3}"#);
        assert_eq!(merged(r#"{"\ud800":1,"\\ud800":2}"#, r#"{"\uD800":3}"#), r#"{"\ud800":3,"\\ud800":2}"#);
    }

    #[test]
    fn a_null_stays_where_the_patch_replaces_and_goes_where_it_merges() {
        assert_eq!(merged("{}", r#"{"a":[null,{"b":null}]}"#), r#"{"a":[null,{"b":null}]}"#);
        assert_eq!(merged(r#"{"a":7}"#, r#"{"a":{"b":null,"c":{"d":null}}}"#), r#"{"a":{"c":{}}}"#);
        assert_eq!(merged("{}", r#"{"a":null}"#), "{}");
    }

    #[test]
    fn a_name_the_target_has_twice_is_one_once_touched() {
        let target = r#"{"a":1,"b":2,"a":{"x":1},"b":3}"#;
        assert_eq!(merged(target, r#"{"c":0}"#), r#"{"a":1,"b":2,"a":{"x":1},"b":3,"c":0}"#);
        assert_eq!(merged(target, r#"{"a":{"y":2}}"#), r#"{"a":{"x":1,"y":2},"b":2,"b":3}"#);
        assert_eq!(merged(target, r#"{"b":null}"#), r#"{"a":1,"a":{"x":1}}"#);
        assert_eq!(merged(r#"{"a":{"x":1},"a":7}"#, r#"{"a":{"y":2}}"#), r#"{"a":{"y":2}}"#);
    }

    #[test]
    fn a_name_the_patch_has_twice_is_applied_twice() {
        for (patch, result) in [
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"b":0}"#),
            (r#"{"a":null,"a":2}"#, r#"{"a":2,"b":0}"#),
            (r#"{"a":2,"a":null}"#, r#"{"b":0}"#),
            (r#"{"a":{"y":2},"a":{"z":3}}"#, r#"{"a":{"x":1,"y":2,"z":3},"b":0}"#),
            (r#"{"a":{"y":2},"a":{"y":null}}"#, r#"{"a":{"x":1},"b":0}"#),
            (r#"{"a":null,"a":{"z":3}}"#, r#"{"a":{"z":3},"b":0}"#),
            (r#"{"a":7,"a":{"z":3},"a":{"y":2,"z":null}}"#, r#"{"a":{"y":2},"b":0}"#),
            (r#"{"a":{"x":null},"a":{"x":{"u":null}}}"#, r#"{"a":{"x":{}},"b":0}"#),
        ] {
            assert_eq!(merged(r#"{"a":{"x":1},"b":0}"#, patch), result, "{patch}");
        }
    }

    #[test]
    fn twenty_thousand_members_are_merged_member_by_member() {
        let object = |count: usize, value: &dyn Fn(usize) -> String| {
            let members: Vec<_> = (0..count).map(|at| format!("\"m{at}\":{}", value(at))).collect();
            format!("{{{}}}", members.join(","))
        };
        let target = object(20_000, &|at| at.to_string());
        let patch = object(20_000, &|at| if at % 2 == 0 { "null".into() } else { format!("[{at}]") });
        let result: serde_json::Map<String, Value> = serde_json::from_str(&merged(&target, &patch)).unwrap();
        assert_eq!(result.len(), 10_000);
        assert!((0..10_000).all(|half| result[&format!("m{}", 2 * half + 1)][0] == 2 * half + 1));
    }

    #[test]
    fn nested_patches_reach_as_deep_as_states_may() {
        let depth = crate::limits::NESTING_CEILING;
        let nest = |leaf: &str| format!("{}{leaf}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(merged(&nest("{\"x\":1}"), &nest("{\"y\":2}")), nest("{\"x\":1,\"y\":2}"));
    }

    /// RFC 7396, section 2, word for word, on parsed values.
    fn by_the_book(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut target = match target {
            Value::Object(members) => members,
            _not_an_object => serde_json::Map::new(),
        };
        for (name, value) in patch {
            if value.is_null() {
                target.remove(name);
            } else {
                let before = target.remove(name).unwrap_or(Value::Null);
                target.insert(name.clone(), by_the_book(before, value));
            }
        }
        Value::Object(target)
    }

    /// The text of an object with these members, in this order, duplicates and all.
    fn object_text(members: &[(String, Value)]) -> String {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
        format!("{{{}}}", members.join(","))
    }

    fn any_members() -> impl Strategy<Value = Vec<(String, Value)>> {
        prop::collection::vec(("[a-d\"]{0,1}", any_json()), 0..30)
    }

    proptest! {
        #[test]
        fn it_does_what_the_rfc_does(target in any_json(), patch in any_json()) {
            let result: Value = serde_json::from_str(&merged(&target.to_string(), &patch.to_string())).unwrap();
            prop_assert_eq!(result, by_the_book(target, &patch));
        }

        #[test]
        fn duplicates_are_what_a_reader_sees(target in any_members(), patch in any_members()) {
            let text = merged(&object_text(&target), &object_text(&patch));
            let result: Value = serde_json::from_str(&text).unwrap();
            let mut expected: Value = serde_json::from_str(&object_text(&target)).unwrap();
            for (name, value) in &patch {
                expected = by_the_book(expected, &serde_json::json!({ name: value }));
            }
            prop_assert_eq!(result, expected);
        }

        #[test]
        fn untouched_members_stay_byte_for_byte(target in any_members(), patch in any_members()) {
            let untouched: Vec<_> =
                target.iter().filter(|(name, _)| patch.iter().all(|(other, _)| other != name)).cloned().collect();
            let gone: serde_json::Map<_, _> = patch.into_iter().map(|(name, _)| (name, Value::Null)).collect();
            prop_assert_eq!(
                merged(&object_text(&target), &Value::Object(gone).to_string()),
                object_text(&untouched)
            );
        }

        #[test]
        fn what_is_not_json_makes_no_panic(target in "[{}\\[\\]\"\\\\:,an]{0,30}", patch in "[{}\\[\\]\"\\\\:,an]{0,30}") {
            merge_patch(target.as_bytes(), patch.as_bytes());
            merge_patch(format!("{{\"a\":{target}").as_bytes(), format!("{{\"a\":{{{patch}").as_bytes());
        }
    }
}
