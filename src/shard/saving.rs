//! States that outlive this core: what it begins with, and what it gives out for a snapshot.
//!
//! Always true: a core that is restored takes the keys it owns and no others, so another number of cores takes
//! them as well. Where states outlive the process, a broker that stops goes on taking writes on the connections
//! it has.
//!
//! Read first: `shard/store/unsaved.rs`.

use crate::counters::Saved;
use crate::ids::Rev;
use crate::shard::Shard;
pub use crate::shard::store::{Hashed, Part, Round};
use crate::time::Now;

/// What a core begins with.
pub struct Restored {
    /// Records with the hashes of their keys, in any order; of each key the newest counts.
    pub states: Vec<Vec<Hashed>>,
    /// The highest revision and the latest time that any core had forgotten.
    pub floor: (Rev, u64),
}

impl Shard {
    /// The same core, whose states outlive it.
    pub fn with_snapshots(mut self) -> Shard {
        self.house.keeps = true;
        self.store.keep_unsaved();
        self
    }

    /// Gives a core that has no keys and no peers yet its states. More of them than its limits allow stay, and
    /// leave no room for others.
    pub fn restore(&mut self, restored: Restored) {
        let Restored { mut states, floor } = restored;
        states.iter_mut().for_each(|part| part.retain(|(_, hash, _)| self.owner.of(*hash) == self.id));
        self.store.restore(states, floor);
        self.forget_tombstones();
    }

    /// Begins to give out states.
    pub fn begin_round(&mut self, round: Round) {
        self.store.begin_round(round);
    }

    /// Some states of the round; none when it is over.
    pub fn next_part(&mut self) -> Option<Part> {
        self.store.next_part()
    }

    /// Whether changes alone would not be true any more, so that the next round has to be about everything.
    pub fn wants_everything(&self) -> bool {
        self.store.wants_everything()
    }

    /// The highest revision and the latest time that this core has forgotten.
    pub fn floor(&self) -> (Rev, u64) {
        self.store.floor()
    }

    /// How the snapshots of the process are doing; one core is told, and shows it among its figures.
    pub fn note_saved(&mut self, saved: Saved, now: Now) {
        self.saved = Some((saved, now.monotonic_ms));
    }

    /// The same, as it is now.
    pub(super) fn saved_now(&self) -> Option<Saved> {
        let (saved, noted_ms) = self.saved?;
        let since_ms = self.now.monotonic_ms.saturating_sub(noted_ms);
        Some(Saved { age_ms: saved.age_ms + since_ms, ..saved })
    }
}
