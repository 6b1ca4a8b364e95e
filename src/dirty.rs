//! A set of keys in the order in which they changed: what somebody is owed.
//!
//! Always true: a key stands in it at most once, at the place of its first change since it was last taken;
//! so its size is bounded by what is watched, never by traffic, and a quiet key waits for one turn of the
//! others at most. A mark keeps its place among the keys and says "everything before this has been taken".
//!
//! Read first: `ids.rs`.

use std::collections::{HashSet, VecDeque};

use crate::ids::KeyId;

/// What is owed next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owed {
    /// The newest record of this key.
    Key(KeyId),
    /// The oldest mark: all that was owed before it has been taken.
    Mark,
}

/// An insertion-ordered set of keys, with marks between them.
#[derive(Default, Debug)]
pub struct Dirty {
    order: VecDeque<Owed>,
    /// Only while the set is too long to be looked through. Boxed: a viewer that keeps up never has one, and
    /// there are many viewers.
    #[allow(clippy::box_collection)]
    index: Option<Box<HashSet<KeyId, foldhash::fast::FixedState>>>,
}

/// Up to so many entries, looking through them is cheaper than hashing.
const SCAN_MAX: usize = 16;

impl Dirty {
    /// Adds a key at the end; false if it was owed already, where it keeps its place.
    pub fn insert(&mut self, key: KeyId) -> bool {
        let is_new = match &mut self.index {
            Some(index) => index.insert(key),
            None => !self.order.contains(&Owed::Key(key)),
        };
        if is_new {
            self.order.push_back(Owed::Key(key));
            if self.index.is_none() && self.order.len() > SCAN_MAX {
                self.index = Some(Box::new(self.keys().collect()));
            }
        }
        is_new
    }

    /// Adds a mark behind everything owed so far.
    pub fn push_mark(&mut self) {
        self.order.push_back(Owed::Mark);
    }

    /// What is owed next, left in place.
    pub fn front(&self) -> Option<Owed> {
        self.order.front().copied()
    }

    /// Takes what is owed next.
    pub fn pop(&mut self) -> Option<Owed> {
        let owed = self.order.pop_front()?;
        if let (Some(index), Owed::Key(key)) = (&mut self.index, owed) {
            index.remove(&key);
        }
        if self.order.is_empty() {
            self.index = None;
        }
        Some(owed)
    }

    /// Whether this key is owed.
    pub fn contains(&self, key: KeyId) -> bool {
        match &self.index {
            Some(index) => index.contains(&key),
            None => self.order.contains(&Owed::Key(key)),
        }
    }

    /// Keeps only the keys that pass; marks stay.
    pub fn retain(&mut self, mut keep: impl FnMut(KeyId) -> bool) {
        self.order.retain(|owed| match owed {
            Owed::Key(key) => keep(*key),
            Owed::Mark => true,
        });
        self.index = (self.order.len() > SCAN_MAX).then(|| Box::new(self.keys().collect()));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Dirty::default();
    }

    /// Keys and marks together.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn keys(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.order.iter().filter_map(|owed| match owed {
            Owed::Key(key) => Some(*key),
            Owed::Mark => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(slot: u32) -> KeyId {
        KeyId { slot, generation: 0 }
    }

    #[test]
    fn a_key_keeps_the_place_of_its_first_change() {
        let mut dirty = Dirty::default();
        assert!(dirty.insert(key(1)));
        assert!(dirty.insert(key(2)));
        assert!(!dirty.insert(key(1)));
        dirty.push_mark();
        assert!(dirty.insert(key(3)));
        let order: Vec<_> = std::iter::from_fn(|| dirty.pop()).collect();
        assert_eq!(order, [Owed::Key(key(1)), Owed::Key(key(2)), Owed::Mark, Owed::Key(key(3))]);
    }

    proptest! {
        /// Against the plainest thing that could be right: a list that is searched.
        #[test]
        fn is_an_ordered_set(steps in proptest::collection::vec((0u8..5, 0u32..60), 0..400)) {
            let mut dirty = Dirty::default();
            let mut model: Vec<Owed> = Vec::new();
            for (what, slot) in steps {
                match what {
                    0..=2 => {
                        let is_new = !model.contains(&Owed::Key(key(slot)));
                        prop_assert_eq!(dirty.insert(key(slot)), is_new);
                        if is_new { model.push(Owed::Key(key(slot))); }
                    }
                    3 => {
                        let first = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(dirty.pop(), first);
                    }
                    _ => {
                        dirty.retain(|k| k.slot != slot);
                        model.retain(|owed| *owed != Owed::Key(key(slot)));
                    }
                }
                prop_assert_eq!(dirty.len(), model.len());
                prop_assert_eq!(dirty.contains(key(slot)), model.contains(&Owed::Key(key(slot))));
                prop_assert_eq!(dirty.front(), model.first().copied());
            }
        }
    }
}
