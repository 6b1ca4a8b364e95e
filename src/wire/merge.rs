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
