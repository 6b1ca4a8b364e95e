//! JSON Merge Patch, member by member as RFC 7396, section 2 has it, on values that keep their texts.
//!
//! Always true: a member that goes leaves its place behind, so that one that comes again under its name takes
//! it; a name stands where it stood first.
//!
//! Read first: `src/json.rs`, `targets/merge.rs`.

use serde_json::Value;

use crate::json::{Json, Name};

/// A value under way; what was removed is `None`.
enum Slots<'t> {
    Whole(Json<'t>),
    Object(Vec<(Name<'t>, Option<Slots<'t>>)>),
}

/// What the patch makes of the target, as text.
pub fn merged(target: Json<'_>, patch: Json<'_>) -> String {
    if !matches!(patch, Json::Object(_)) {
        return patch.compact();
    }
    let mut slots = Slots::Whole(target);
    apply(&mut slots, patch);
    finish(slots).compact()
}

fn apply<'t>(slots: &mut Slots<'t>, patch: Json<'t>) {
    let Json::Object(changes) = patch else {
        *slots = Slots::Whole(patch);
        return;
    };
    let members = open(slots);
    for (name, change) in changes {
        let place = place_of(members, name);
        let slot = &mut members[place].1;
        match change {
            Json::Scalar("null") => *slot = None,
            Json::Scalar(_) | Json::Array(_) => *slot = Some(Slots::Whole(change)),
            Json::Object(_) => apply(slot.get_or_insert(Slots::Object(Vec::new())), change),
        }
    }
}

/// Its members, after making it an object if it is none.
fn open<'s, 't>(slots: &'s mut Slots<'t>) -> &'s mut Vec<(Name<'t>, Option<Slots<'t>>)> {
    if let Slots::Whole(whole) = slots {
        let members = match std::mem::replace(whole, Json::Scalar("null")) {
            Json::Object(members) => members,
            Json::Scalar(_) | Json::Array(_) => Vec::new(),
        };
        *slots = Slots::Object(
            members.into_iter().map(|(name, value)| (name, Some(Slots::Whole(value)))).collect(),
        );
    }
    match slots {
        Slots::Object(members) => members,
        Slots::Whole(_) => unreachable!("it was opened"),
    }
}

/// Where a name stands: at its first place, with its last value; at the end if it is new.
fn place_of<'t>(members: &mut Vec<(Name<'t>, Option<Slots<'t>>)>, name: Name<'t>) -> usize {
    let Some(first) = members.iter().position(|member| member.0.meant == name.meant) else {
        members.push((name, None));
        return members.len() - 1;
    };
    let is_other = |at: usize, members: &[(Name<'t>, _)]| at > first && members[at].0.meant == name.meant;
    let mut last = None;
    for at in (0..members.len()).rev() {
        if is_other(at, members) {
            let (_, value) = members.remove(at);
            last.get_or_insert(value);
        }
    }
    if let Some(value) = last {
        members[first].1 = value;
    }
    first
}

fn finish(slots: Slots<'_>) -> Json<'_> {
    match slots {
        Slots::Whole(value) => value,
        Slots::Object(members) => {
            Json::Object(members.into_iter().filter_map(|(name, slot)| Some((name, finish(slot?)))).collect())
        }
    }
}

/// The RFC's own pseudocode, on values that know neither places nor texts.
pub fn rfc_7396(target: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else { return patch };
    let mut members = match target {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    for (name, change) in changes {
        let old = members.remove(&name).unwrap_or(Value::Null);
        if !change.is_null() {
            members.insert(name, rfc_7396(old, change));
        }
    }
    Value::Object(members)
}

/// Whether some object has a name twice.
pub fn has_doubled_names(value: &Json<'_>) -> bool {
    match value {
        Json::Scalar(_) => false,
        Json::Array(values) => values.iter().any(has_doubled_names),
        Json::Object(members) => members.iter().enumerate().any(|(at, (name, value))| {
            members[..at].iter().any(|other| other.0.meant == name.meant) || has_doubled_names(value)
        }),
    }
}
