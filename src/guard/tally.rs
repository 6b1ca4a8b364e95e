//! How much each of many does: what is open of theirs, and how fast they begin more.
//!
//! Always true: whoever has nothing open and a full bucket is forgotten soon. Of those who only have to be
//! remembered for their rate there are never more than [`TALLY_IDLE_MAX`] kept, so a flood of names costs no more
//! than that.
//!
//! Read first: `rate.rs`.

use std::collections::{BTreeMap, VecDeque};

use crate::guard::rate::{Bucket, Rate};
use crate::limits::TALLY_IDLE_MAX;
use crate::time::Now;

/// What is counted, by name.
pub struct Tally<K> {
    entries: BTreeMap<K, Entry>,
    /// Every name, in the order in which they are looked at next.
    line: VecDeque<K>,
}

#[derive(Default)]
struct Entry {
    open: usize,
    bucket: Bucket,
}

/// Why somebody may not open one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// So many are open.
    TooMany,
    /// They come too fast.
    TooFast,
}

impl<K> Default for Tally<K> {
    fn default() -> Tally<K> {
        Tally { entries: BTreeMap::new(), line: VecDeque::new() }
    }
}

impl<K: Ord + Clone> Tally<K> {
    /// One more is opened under this name, until [`Tally::closed`]. `most` may be open, 0 for any number.
    ///
    /// # Errors
    /// Why not; then nothing was counted.
    pub fn open(&mut self, name: &K, most: usize, rate: Rate, now: Now) -> Result<(), Denied> {
        let entry = self.entry(name, now);
        if most > 0 && entry.open >= most {
            return Err(Denied::TooMany);
        }
        if !rate.take(&mut entry.bucket, now) {
            return Err(Denied::TooFast);
        }
        entry.open += 1;
        Ok(())
    }

    /// One that was opened is no more.
    pub fn closed(&mut self, name: &K) {
        if let Some(entry) = self.entries.get_mut(name) {
            debug_assert!(entry.open > 0, "whoever is closed was opened");
            entry.open = entry.open.saturating_sub(1);
        }
    }

    /// Takes one of this name's rate; whether it was allowed.
    pub fn take(&mut self, name: &K, rate: Rate, now: Now) -> bool {
        rate.take(&mut self.entry(name, now).bucket, now)
    }

    /// How many names are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&mut self, name: &K, now: Now) -> &mut Entry {
        self.forget_some(now);
        if !self.entries.contains_key(name) {
            self.line.push_back(name.clone());
        }
        self.entries.entry(name.clone()).or_default()
    }

    /// Looks at two for each that may come, so that all were looked at before they are twice as many.
    fn forget_some(&mut self, now: Now) {
        for _ in 0..2 {
            let Some(name) = self.line.pop_front() else { return };
            let Some(entry) = self.entries.get(&name) else { continue };
            let is_remembered = !entry.bucket.is_full(now) && self.line.len() < TALLY_IDLE_MAX;
            if entry.open > 0 || is_remembered {
                self.line.push_back(name);
            } else {
                self.entries.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Rate = Rate::new(0);

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, wall_ms: 0 }
    }

    #[test]
    fn each_name_has_its_own_number_and_rate() {
        let mut tally: Tally<u32> = Tally::default();
        for _ in 0..3 {
            assert_eq!(tally.open(&1, 3, ANY, at(1)), Ok(()));
        }
        assert_eq!(tally.open(&1, 3, ANY, at(1)), Err(Denied::TooMany));
        assert_eq!(tally.open(&2, 3, ANY, at(1)), Ok(()));
        tally.closed(&1);
        assert_eq!(tally.open(&1, 3, ANY, at(1)), Ok(()));
        let slow = Rate::new(1);
        assert_eq!(tally.open(&3, 0, slow, at(5)), Ok(()));
        assert_eq!(tally.open(&3, 0, slow, at(1_004)), Err(Denied::TooFast));
        assert_eq!(tally.open(&3, 0, slow, at(1_005)), Ok(()));
    }

    #[test]
    fn who_is_refused_does_not_have_to_wait_longer_for_it() {
        let (mut tally, rate) = (Tally::default(), Rate::new(2));
        for _ in 0..50 {
            let _ = tally.open(&"x", 1, rate, at(0));
        }
        tally.closed(&"x");
        assert_eq!(tally.open(&"x", 1, rate, at(0)), Ok(()), "one of two was taken, the others were refused");
    }

    #[test]
    fn who_left_is_forgotten_and_who_stays_is_not() {
        let mut tally = Tally::default();
        tally.open(&u64::MAX, 1, ANY, at(0)).unwrap();
        for (ms, name) in (0..200_000).map(|n| (n / 10, n)) {
            tally.open(&name, 1, Rate::new(10), at(ms)).unwrap();
            tally.closed(&name);
        }
        assert!(tally.len() < 25_000, "10 a millisecond, each for a tenth of a second: {}", tally.len());
        assert_eq!(tally.open(&u64::MAX, 1, ANY, at(20_000)), Err(Denied::TooMany));
    }

    #[test]
    fn a_flood_of_names_costs_no_more_than_its_bound() {
        let mut tally = Tally::default();
        for name in 0..3 * TALLY_IDLE_MAX as u64 {
            assert!(tally.take(&name, Rate::new(1), at(0)));
        }
        assert!(tally.len() <= TALLY_IDLE_MAX + 2, "{}", tally.len());
    }
}
