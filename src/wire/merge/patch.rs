//! A patch, read: what is to happen to each name.
//!
//! Always true: each name stands in a [`Patch`] once. Where the text has it twice, the two changes were put
//! together into the one that does what both do, one after the other.
//!
//! Read first: `merge/shape.rs`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::shape::Shape;
use crate::wire::json::unescaped_name;

/// From this many members on, names are found by an index and not one after the other.
const INDEX_MEMBERS_MIN: usize = 12;

/// What is to happen to one member.
#[derive(Debug)]
pub(super) enum Change<'p> {
    /// `null`: it goes.
    Remove,
    /// A scalar or an array, as written: it takes the place of what is there.
    Replace(&'p [u8]),
    /// An object: it is merged into what is there.
    Merge(Patch<'p>),
    /// An object after something of the same name that left no object: it is merged into nothing.
    Renew(Patch<'p>),
}

/// What is to happen to an object.
#[derive(Debug, Default)]
pub(super) struct Patch<'p> {
    /// Its members, in the order in which their names first appear.
    pub(super) members: Vec<Named<'p>>,
    /// Positions in `members`, once there are many. Asked, never walked, so its order is nobody's.
    index: HashMap<Cow<'p, [u8]>, usize>,
}

/// One member of a patch.
#[derive(Debug)]
pub(super) struct Named<'p> {
    /// Its name as written, in its quotes.
    pub(super) name: &'p [u8],
    pub(super) change: Change<'p>,
    /// Its name as meant.
    meant: Cow<'p, [u8]>,
}

impl<'p> Change<'p> {
    /// Reads the value at `range`.
    pub(super) fn read(shape: &Shape<'p>, range: Range<usize>) -> Change<'p> {
        match &shape.text[range.clone()] {
            b"null" => Change::Remove,
            [b'{', ..] => {
                let mut patch = Patch::default();
                for member in shape.members(range.start) {
                    let change = Change::read(shape, member.value);
                    patch.add(member.name, unescaped_name(member.name), change);
                }
                Change::Merge(patch)
            }
            value => Change::Replace(value),
        }
    }

    /// The one change that does what `self` and then `later` would do.
    fn then(self, later: Change<'p>) -> Change<'p> {
        match (self, later) {
            (_, Change::Remove) => Change::Remove,
            (_, Change::Replace(value)) => Change::Replace(value),
            (_, Change::Renew(patch)) => Change::Renew(patch),
            (Change::Remove | Change::Replace(_), Change::Merge(patch)) => Change::Renew(patch),
            (Change::Merge(first), Change::Merge(patch)) => Change::Merge(first.then(patch)),
            (Change::Renew(first), Change::Merge(patch)) => Change::Renew(first.then(patch)),
        }
    }
}

impl<'p> Patch<'p> {
    /// Which member has this name; `name` is as written, in its quotes.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        self.find_meant(&unescaped_name(name))
    }

    fn find_meant(&self, meant: &[u8]) -> Option<usize> {
        if self.index.is_empty() {
            return self.members.iter().position(|member| *member.meant == *meant);
        }
        self.index.get(meant).copied()
    }

    fn add(&mut self, name: &'p [u8], meant: Cow<'p, [u8]>, change: Change<'p>) {
        if let Some(which) = self.find_meant(&meant) {
            let member = &mut self.members[which];
            let earlier = std::mem::replace(&mut member.change, Change::Remove);
            member.change = earlier.then(change);
            return;
        }
        self.members.push(Named { name, change, meant });
        if self.members.len() >= INDEX_MEMBERS_MIN {
            let new = self.index.len()..self.members.len();
            self.index.extend(new.map(|which| (self.members[which].meant.clone(), which)));
        }
    }

    fn then(mut self, later: Patch<'p>) -> Patch<'p> {
        for Named { name, change, meant } in later.members {
            self.add(name, meant, change);
        }
        self
    }
}
