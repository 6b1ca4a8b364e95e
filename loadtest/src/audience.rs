//! What the viewers of one flow have seen, and what they should have.
//!
//! Always true: a revision that a viewer never saw because a newer one came is counted as skipped, one that
//! came late or twice as out of order, a last one that never came as missed.
//!
//! Read first: `ledger.rs`.

use crate::clock::Nanos;
use crate::latency::Latencies;
use crate::ledger::{Ledger, Publication};

/// Who watches what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watching {
    /// Viewer v watches key v modulo the number of keys.
    OneKey,
    /// Everybody watches all keys, by their prefix.
    Prefix,
}

/// All viewers of a flow.
pub struct Audience {
    watching: Watching,
    keys: usize,
    viewers: usize,
    /// Number of the newest write each viewer has seen, per key where it watches several; 0 is none.
    held: Vec<u32>,
    is_measuring: bool,
    /// From when a write should have gone out to when a viewer had it.
    pub seen: Latencies,
    /// Messages that showed a write while measuring.
    pub deliveries: u64,
    /// Revisions something newer took the place of.
    pub skipped: u64,
    /// Revisions that came after a newer one, or twice.
    pub out_of_order: u64,
    /// Length of the last message, bytes.
    pub message_bytes: usize,
}

impl Audience {
    /// Viewers that have seen nothing.
    pub fn new(watching: Watching, keys: usize, viewers: usize) -> Audience {
        let each = if watching == Watching::Prefix { keys } else { 1 };
        Audience {
            watching,
            keys,
            viewers,
            held: vec![0; viewers * each],
            is_measuring: false,
            seen: Latencies::new(),
            deliveries: 0,
            skipped: 0,
            out_of_order: 0,
            message_bytes: 0,
        }
    }

    /// How many viewers a key has.
    pub fn watchers(&self, key: usize) -> usize {
        match self.watching {
            Watching::Prefix => self.viewers,
            Watching::OneKey => self.viewers / self.keys + usize::from(key < self.viewers % self.keys),
        }
    }

    /// Forgets the figures and begins to measure, or stops.
    pub fn measure(&mut self, on: bool) {
        self.is_measuring = on;
        if on {
            self.seen.clear();
            (self.deliveries, self.skipped, self.out_of_order) = (0, 0, 0);
        }
    }

    /// Counts a message; which write it shows, if it is one that this viewer had not seen.
    pub fn saw(&mut self, ledger: &Ledger, viewer: usize, payload: &[u8], at: Nanos) -> Option<Publication> {
        let (number, publication) = ledger.read(payload)?;
        let slot = self.slot(viewer, publication.key as usize);
        let before = ledger.publication(u64::from(self.held[slot])).map_or(0, |held| held.order);
        if self.is_measuring {
            self.deliveries += 1;
        }
        if publication.order <= before {
            self.out_of_order += 1;
            return None;
        }
        self.held[slot] = number as u32;
        self.message_bytes = payload.len();
        if self.is_measuring {
            self.skipped += u64::from(publication.order - before - 1);
            self.seen.record(at.saturating_sub(publication.intended));
        }
        Some(publication)
    }

    /// When the state that a viewer holds should have been written.
    pub fn held_since(&self, ledger: &Ledger, viewer: usize, key: usize) -> Option<Nanos> {
        ledger.publication(u64::from(self.held[self.slot(viewer, key)])).map(|held| held.intended)
    }

    /// States that are not the last of their key: those of `viewer`.
    pub fn missing(&self, ledger: &Ledger, viewer: usize) -> usize {
        let keys = match self.watching {
            Watching::Prefix => 0..self.keys,
            Watching::OneKey => viewer % self.keys..viewer % self.keys + 1,
        };
        keys.filter(|key| {
            let held = ledger.publication(u64::from(self.held[self.slot(viewer, *key)]));
            held.map_or(0, |held| held.order) < ledger.latest(*key)
        })
        .count()
    }

    fn slot(&self, viewer: usize, key: usize) -> usize {
        match self.watching {
            Watching::Prefix => viewer * self.keys + key,
            Watching::OneKey => viewer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Tag;

    fn message(number: u64) -> Vec<u8> {
        format!("{{\"data\":{{\"mark\":\"{}\"}}}}", Tag::from_seed(1).mark(number)).into_bytes()
    }

    fn ledger(writes: u64, keys: usize) -> Ledger {
        let mut ledger = Ledger::new(Tag::from_seed(1), keys);
        (0..writes).for_each(|write| _ = ledger.publish(write as usize % keys, 1000 * (write + 1)));
        ledger
    }

    #[test]
    fn skipped_repeated_and_missed_revisions_are_counted() {
        let ledger = ledger(5, 1);
        let mut audience = Audience::new(Watching::OneKey, 1, 2);
        audience.measure(true);
        assert!(audience.saw(&ledger, 0, &message(1), 5000).is_some());
        assert!(audience.saw(&ledger, 0, &message(4), 9000).is_some());
        assert!(audience.saw(&ledger, 0, &message(4), 9000).is_none());
        assert!(audience.saw(&ledger, 0, &message(2), 9000).is_none());
        assert_eq!((audience.deliveries, audience.skipped, audience.out_of_order), (4, 2, 2));
        assert_eq!((audience.missing(&ledger, 0), audience.missing(&ledger, 1)), (1, 1));
        assert!(audience.saw(&ledger, 0, &message(5), 9000).is_some());
        assert_eq!(audience.missing(&ledger, 0), 0);
        assert_eq!(audience.held_since(&ledger, 0, 0), Some(5000));
    }

    #[test]
    fn viewers_of_a_prefix_hold_every_key() {
        let ledger = ledger(6, 3);
        let mut audience = Audience::new(Watching::Prefix, 3, 1);
        assert_eq!(audience.missing(&ledger, 0), 3);
        (4..=6).for_each(|number| _ = audience.saw(&ledger, 0, &message(number), 9000));
        assert_eq!(audience.missing(&ledger, 0), 0);
    }

    #[test]
    fn viewers_are_spread_over_the_keys() {
        let audience = Audience::new(Watching::OneKey, 3, 8);
        assert_eq!((0..3).map(|key| audience.watchers(key)).collect::<Vec<_>>(), [3, 3, 2]);
    }
}
