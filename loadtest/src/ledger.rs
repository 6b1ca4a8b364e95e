//! Every write of a run: which key, the how-manieth of that key, and when it should have gone out.
//!
//! Always true: numbers begin at 1 and are those in the marks; `order` counts a key's writes from 1.
//!
//! Read first: `mark.rs`.

use crate::clock::Nanos;
use crate::mark::{self, Tag};

/// One write.
#[derive(Clone, Copy, Debug)]
pub struct Publication {
    /// When it should have gone out.
    pub intended: Nanos,
    /// Which key.
    pub key: u32,
    /// The how-manieth write of this key.
    pub order: u32,
}

/// All writes of one flow.
pub struct Ledger {
    tag: Tag,
    publications: Vec<Publication>,
    latest: Vec<u32>,
}

impl Ledger {
    /// No writes yet, to so many keys.
    pub fn new(tag: Tag, keys: usize) -> Ledger {
        Ledger { tag, publications: Vec::new(), latest: vec![0; keys] }
    }

    /// Notes a write, and gives the number for its mark.
    pub fn publish(&mut self, key: usize, intended: Nanos) -> u64 {
        self.latest[key] += 1;
        self.publications.push(Publication { intended, key: key as u32, order: self.latest[key] });
        self.publications.len() as u64
    }

    /// How many writes a key has had.
    pub fn latest(&self, key: usize) -> u32 {
        self.latest[key]
    }

    /// The write with this number.
    pub fn publication(&self, number: u64) -> Option<Publication> {
        self.publications.get((number as usize).checked_sub(1)?).copied()
    }

    /// The write a message shows, with its number; `None` for another run's states.
    pub fn read(&self, payload: &[u8]) -> Option<(u64, Publication)> {
        let number = mark::number(payload, self.tag)?;
        Some((number, self.publication(number)?))
    }
}
