//! The small names of things: which core, which peer, which key, which revision.
//!
//! Always true: an id with a generation never means a second thing. When its slot is used again the
//! generation has moved on, so whatever still carries the old id finds nobody.
//!
//! Read first: nothing; this is the bottom of the house.

use compact_str::CompactString;

/// One core's number, counted from 0 to `cores - 1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The number as an index into per-core tables.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One connection on one core: a slot, and how often the slot was used before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnId {
    /// Index into the core's table of connections.
    pub slot: u32,
    /// Moves on each time the slot is handed out.
    pub generation: u32,
}

/// One key's entry on one core: a slot, and how often the slot was used before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KeyId {
    /// Index into the core's store.
    pub slot: u32,
    /// Moves on each time the slot is handed out.
    pub generation: u32,
}

/// A revision of one key: 1, 2, 3 … inside an epoch; 0 is "the epoch never had it".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Rev(pub u64);

impl Rev {
    /// The revision that follows.
    pub fn next(self) -> Rev {
        Rev(self.0 + 1)
    }
}

/// The life of one set of states: the same after a restart only if every acknowledged state is still there.
///
/// 1–16 characters of `0-9 a-z`, so that `"<epoch>.<rev>"` splits at its only dot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Epoch(CompactString);

impl Epoch {
    /// An epoch out of random bits; the same bits give the same epoch.
    pub fn from_bits(bits: u64) -> Epoch {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let digit = |at: u32| char::from(DIGITS[(bits >> (at * 5) & 31) as usize]);
        Epoch((0..12).map(digit).collect())
    }

    /// Reads an epoch that was written down; none where it is not one.
    pub fn parse(text: &[u8]) -> Option<Epoch> {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        let fits = (1..=16).contains(&text.len()) && text.iter().all(is_digit);
        std::str::from_utf8(text).ok().filter(|_| fits).map(|text| Epoch(text.into()))
    }

    /// The epoch as it stands in an `ETag`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names one question that a core asked another, so that the answer finds who asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// One prefix that somebody watches, on one core: an index into its groups.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupId(pub u32);

/// Where on a core the watchers of a pattern stand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// At the entry of one key.
    Key(KeyId),
    /// At the group of one prefix.
    Group(GroupId),
}
