//! What a snapshot has to be given: the keys that changed since the last one, or all of them.
//!
//! Always true: a key of this core whose newest record was not given out stands in line, once; or the next
//! round is told to take everything. So the line is bounded by the keys there are, however long nobody asks.
//! What is given out are shared records; nothing is copied.
//!
//! Read first: `shard/store.rs`, `snapshot/mod.rs`.

use std::collections::VecDeque;

use super::{Entry, Store};
use crate::ids::{KeyId, Rev};
use crate::key::Key;
use crate::limits::{SAVED_PART_BYTES, SAVED_PART_RECORDS};
use crate::shard::owner::KeyHash;
use crate::wire::record::Record;

/// Some records for a snapshot: as many as a core gives out between two other things it does.
pub type Part = Vec<(Key, Record)>;

/// A record out of a snapshot, with the hash of its key.
pub type Hashed = (Key, KeyHash, Record);

/// What one round of giving out is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// What has changed since the round before.
    Changes,
    /// Every state, and every deletion that is remembered.
    Everything,
}

/// How far giving out has come.
#[derive(Default)]
pub(super) struct Unsaved {
    /// Somebody will ask; without snapshots nothing is noted.
    is_kept: bool,
    /// Keys that have changed, oldest change first; some are gone since.
    line: VecDeque<KeyId>,
    /// So many of them belong to the round under way.
    left: usize,
    /// Slots of the table that a round about everything has still to look at.
    sweep: std::ops::Range<usize>,
    /// Changes alone would not be true: one of them was forgotten before anybody asked.
    wants_everything: bool,
}

impl Unsaved {
    /// A key of this core has changed; whether it now stands in line.
    pub(super) fn note(&mut self, id: KeyId) -> bool {
        if self.is_kept {
            self.line.push_back(id);
        }
        self.is_kept
    }
}

impl Store {
    /// From now on changes are noted for [`Store::next_part`].
    pub fn keep_unsaved(&mut self) {
        self.unsaved.is_kept = true;
    }

    /// Begins a round. If one about everything is under way, it is given up, and has to come again.
    pub fn begin_round(&mut self, round: Round) {
        let unsaved = &mut self.unsaved;
        let was_given_up = !unsaved.sweep.is_empty();
        match round {
            Round::Changes => {
                unsaved.wants_everything |= was_given_up;
                (unsaved.sweep, unsaved.left) = (0..0, unsaved.line.len());
            }
            Round::Everything => {
                // Whoever stands in line is met on the way, with what is newest then.
                unsaved.line = VecDeque::new();
                (unsaved.sweep, unsaved.left) = (0..self.entries.capacity(), 0);
                unsaved.wants_everything = false;
            }
        }
    }

    /// The next records of the round; none when it is over. What changes meanwhile is for the next one.
    pub fn next_part(&mut self) -> Option<Part> {
        let (mut part, mut bytes) = (Part::new(), 0);
        // Empty slots are looked at as well, so that a table that once was full holds nobody up.
        for _ in 0..4 * SAVED_PART_RECORDS {
            let Some(slot) = self.next_unsaved() else { break };
            if let Some(entry) = slot.and_then(|slot| self.entries.get_mut(slot))
                && let Some(record) = take_kept(entry)
            {
                bytes += record.json_len();
                part.push((entry.key.clone(), record));
            }
            if part.len() == SAVED_PART_RECORDS || bytes >= SAVED_PART_BYTES {
                break;
            }
        }
        (!part.is_empty() || self.is_round_under_way()).then_some(part)
    }

    /// Whether the next round has to be about everything.
    pub fn wants_everything(&self) -> bool {
        self.unsaved.wants_everything
    }

    /// The highest forgotten revision, and the latest time of a forgotten deletion.
    pub fn floor(&self) -> (Rev, u64) {
        (self.floor, self.floor_updated_at_ms)
    }

    /// Keys that have changed since they were given out.
    pub fn unsaved_lines(&self) -> usize {
        self.unsaved.line.len()
    }

    /// Puts states into a store that has none: of each key the newest, in whatever order they come. A deletion that
    /// is not above `floor` may have been forgotten since it was saved, and somebody may have been shown a higher
    /// revision of its key for it: it stays forgotten.
    pub fn restore(&mut self, states: Vec<Vec<Hashed>>, floor: (Rev, u64)) {
        (self.floor, self.floor_updated_at_ms) = floor;
        let count = states.iter().map(Vec::len).sum();
        self.entries.reserve(count);
        let entries = &self.entries;
        self.table.reserve(count, |slot| entries[*slot as usize].hash.0);
        for (key, hash, record) in states.into_iter().flatten() {
            self.restore_one(key, hash, record);
        }
        let names = self.entries.iter().map(|(slot, entry)| (entry.key.clone(), slot as u32));
        self.order = names.collect();
        let (mut deletions, mut forgotten) = (Vec::new(), Vec::new());
        for (slot, entry) in &mut self.entries {
            let id = KeyId { slot: slot as u32, generation: entry.generation };
            match &entry.record {
                Some(record) if record.is_deleted() && record.rev() <= self.floor => {
                    self.floor_updated_at_ms = self.floor_updated_at_ms.max(record.updated_at_ms());
                    forgotten.push(id);
                }
                Some(record) if record.is_deleted() => {
                    entry.remembered = true;
                    deletions.push((record.updated_at_ms(), entry.key.clone(), id, record.rev()));
                }
                Some(record) => {
                    self.keys_live += 1;
                    self.bytes_live += record.bytes_kept();
                }
                None => {}
            }
        }
        deletions.sort();
        self.remembered = deletions.len();
        self.tombstones = deletions.into_iter().map(|(_, _, id, rev)| (id, rev)).collect();
        forgotten.into_iter().for_each(|id| self.remove_if_unneeded(id));
    }

    fn restore_one(&mut self, key: Key, hash: KeyHash, record: Record) {
        if let Some(id) = self.find(&key, hash) {
            let Some(entry) = self.get_mut(id) else { return };
            if record.rev() > entry.rev() {
                entry.record = Some(record);
            }
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        let slot = self.entries.insert(Entry {
            key,
            record: Some(record),
            owned: true,
            watchers: Default::default(),
            groups: Vec::new(),
            by: Default::default(),
            told: None,
            generation: self.generation,
            hash,
            remembered: false,
            unsaved: false,
        }) as u32;
        let entries = &self.entries;
        self.table.insert_unique(hash.0, slot, |slot| entries[*slot as usize].hash.0);
    }

    fn is_round_under_way(&self) -> bool {
        !self.unsaved.sweep.is_empty() || self.unsaved.left > 0
    }

    /// The next slot to look at, which may be empty by now; nothing when the round is over.
    fn next_unsaved(&mut self) -> Option<Option<usize>> {
        if let Some(slot) = self.unsaved.sweep.next() {
            return Some(Some(slot));
        }
        self.unsaved.left = self.unsaved.left.checked_sub(1)?;
        let id = self.unsaved.line.pop_front()?;
        Some(self.get(id).filter(|entry| entry.unsaved).map(|_| id.slot as usize))
    }

    /// A deletion that nobody was given is forgotten: a snapshot may hold the state that it ended. A key that is
    /// made, deleted and forgotten over and over leaves a line each time; they may not pile up.
    pub(super) fn forget_unsaved(&mut self) {
        const SLACK: usize = 64;
        self.unsaved.wants_everything = true;
        if self.unsaved.line.len() > 2 * self.entries.len() + SLACK {
            let mut line = std::mem::take(&mut self.unsaved.line);
            line.retain(|id| self.get(*id).is_some_and(|entry| entry.unsaved));
            self.unsaved.left = self.unsaved.left.min(line.len());
            self.unsaved.line = line;
        }
    }
}

/// The record of a key that a snapshot keeps, which is then no longer unsaved.
fn take_kept(entry: &mut Entry) -> Option<Record> {
    entry.unsaved = false;
    let is_kept = entry.owned && (entry.live().is_some() || entry.remembered);
    entry.record.clone().filter(|_| is_kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Author;
    use crate::limits::Limits;
    use crate::wire::record::Draft;

    fn key(at: usize) -> Key {
        Key::parse(format!("key-{at}").as_bytes()).unwrap()
    }

    /// Spread over the table as a real hash would be, and the same each time.
    fn hash(at: usize) -> KeyHash {
        KeyHash((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn store() -> Store {
        let mut store = Store::default();
        store.keep_unsaved();
        store
    }

    fn put(store: &mut Store, at: usize) {
        let id = store.find_or_make(&key(at), hash(at), true, Vec::new);
        let draft = Draft::new(&key(at), b"1", &Limits::default()).unwrap();
        let record = draft.seal(&key(at), store.next_rev(id), 5);
        store.replace(id, record, Author::default());
    }

    fn delete(store: &mut Store, at: usize) -> KeyId {
        let id = store.find(&key(at), hash(at)).unwrap();
        store.replace(id, Record::deletion(&key(at), store.next_rev(id), 6), Author::default());
        id
    }

    fn round(store: &mut Store, round: Round) -> Vec<(String, u64, bool)> {
        store.begin_round(round);
        let mut all = Vec::new();
        while let Some(part) = store.next_part() {
            assert!(part.len() <= SAVED_PART_RECORDS);
            all.extend(part);
        }
        let line = |(key, record): &(Key, Record)| (key.to_string(), record.rev().0, record.is_deleted());
        all.iter().map(line).collect()
    }

    fn restored(given: Part, floor: (Rev, u64)) -> Store {
        let hashed = given.into_iter().map(|(name, record)| {
            let at = name.as_str()[4..].parse().unwrap();
            (name, hash(at), record)
        });
        let mut store = Store::default();
        store.restore(vec![hashed.collect()], floor);
        store
    }

    #[test]
    fn only_what_changed_is_given_out_and_each_key_once() {
        let mut store = store();
        for at in [3, 1, 3, 2, 3] {
            put(&mut store, at);
        }
        let name = |at: usize, rev| (key(at).to_string(), rev, false);
        assert_eq!(round(&mut store, Round::Changes), [name(3, 3), name(1, 1), name(2, 1)]);
        assert_eq!(round(&mut store, Round::Changes), []);
        put(&mut store, 1);
        delete(&mut store, 2);
        assert_eq!(round(&mut store, Round::Changes), [name(1, 2), (key(2).to_string(), 2, true)]);
        assert_eq!(round(&mut store, Round::Everything).len(), 3);
    }

    #[test]
    fn many_keys_come_in_parts_and_what_changes_meanwhile_comes_later() {
        let mut store = store();
        (0..1_000).for_each(|at| put(&mut store, at));
        store.begin_round(Round::Everything);
        assert_eq!(store.next_part().unwrap().len(), SAVED_PART_RECORDS);
        put(&mut store, 0);
        put(&mut store, 999);
        put(&mut store, 1_000_000);
        let mut rest = Vec::new();
        while let Some(part) = store.next_part() {
            rest.extend(part);
        }
        let revs = |at: usize| rest.iter().find(|(own, _)| *own == key(at)).map(|(_, record)| record.rev().0);
        assert_eq!((revs(0), revs(999)), (None, Some(2)), "one was met before it changed, one after");
        let names: Vec<String> = round(&mut store, Round::Changes).into_iter().map(|line| line.0).collect();
        assert!(names.contains(&key(0).to_string()) && !names.contains(&key(999).to_string()), "{names:?}");
        assert!(!store.wants_everything());
    }

    #[test]
    fn a_deletion_forgotten_before_it_was_given_out_asks_for_everything() {
        let mut store = store();
        put(&mut store, 1);
        round(&mut store, Round::Changes);
        let id = delete(&mut store, 1);
        store.forget(id);
        assert!(store.wants_everything(), "a snapshot has the state, and nothing would end it");
        assert_eq!(round(&mut store, Round::Everything), []);
        assert!(!store.wants_everything());
        put(&mut store, 1);
        let id = delete(&mut store, 1);
        round(&mut store, Round::Changes);
        store.forget(id);
        assert!(!store.wants_everything(), "it was given out");
    }

    #[test]
    fn a_round_given_up_halfway_comes_again() {
        let mut store = store();
        (0..1_000).for_each(|at| put(&mut store, at));
        store.begin_round(Round::Everything);
        store.next_part();
        assert_eq!(round(&mut store, Round::Changes).len(), 0);
        assert!(store.wants_everything());
        assert_eq!(round(&mut store, Round::Everything).len(), 1_000);
    }

    #[test]
    fn the_line_does_not_grow_with_traffic() {
        let mut store = store();
        for at in 0..10_000 {
            put(&mut store, at % 10);
            let id = delete(&mut store, at % 10);
            store.forget(id);
        }
        assert!(store.unsaved_lines() < 200, "{}", store.unsaved_lines());
        let mut silent = Store::default();
        put(&mut silent, 1);
        assert_eq!(silent.unsaved_lines(), 0, "without snapshots nothing is noted");
    }

    #[test]
    fn what_is_restored_is_what_was_given_out() {
        let mut old = store();
        (0..600).for_each(|at| put(&mut old, at));
        (0..600).step_by(3).for_each(|at| put(&mut old, at));
        (10..600).step_by(10).for_each(|at| (0..2).for_each(|_| put(&mut old, at)));
        (0..600).step_by(5).for_each(|at| {
            delete(&mut old, at);
        });
        let id = old.find(&key(0), hash(0)).unwrap();
        old.forget(id);
        let mut given = Vec::new();
        old.begin_round(Round::Everything);
        while let Some(part) = old.next_part() {
            given.extend(part);
        }
        // An older revision of a key may stand before or behind the newer one.
        let stale = Draft::of_kept(&key(3), b"0").seal(&key(3), Rev(1), 1);
        given.insert(0, (key(3), stale.clone()));
        given.push((key(3), stale));
        let mut new = restored(given, old.floor());
        assert_eq!(
            (new.keys_live(), new.tombstones(), new.bytes_live(), new.floor()),
            (old.keys_live(), 59, new.bytes_live(), old.floor())
        );
        for at in 1..600 {
            let of = |store: &Store| {
                let entry = store.get(store.find(&key(at), hash(at))?)?;
                entry.record.clone().map(|record| (record.rev(), record.json(), record.is_deleted()))
            };
            // What stands no higher than something that was forgotten is forgotten with it.
            let expected = of(&old).filter(|(rev, _, is_deleted)| !is_deleted || *rev > old.floor().0);
            assert_eq!(of(&new), expected, "{at}");
        }
        let names = |store: &Store| -> Vec<String> {
            let live = store.with_prefix("").filter(|(_, entry)| entry.live().is_some());
            live.map(|(_, entry)| entry.key.to_string()).collect()
        };
        assert_eq!(names(&old), names(&new));
        put(&mut new, 0);
        let again = new.get(new.find(&key(0), hash(0)).unwrap()).unwrap().rev();
        assert!(again > old.floor().0, "a forgotten key starts above the highest forgotten revision");
    }

    #[test]
    fn a_forgotten_deletion_does_not_come_back_with_an_older_revision() {
        let mut old = store();
        put(&mut old, 1);
        (0..5).for_each(|_| put(&mut old, 2));
        let ids = [1, 2].map(|at| delete(&mut old, at));
        old.begin_round(Round::Everything);
        let given = old.next_part().unwrap();
        ids.into_iter().for_each(|id| old.forget(id));
        assert_eq!(old.floor().0, Rev(6), "who watches key 1 is shown its deletion there");
        let mut new = restored(given, (old.floor().0, 0));
        assert_eq!(new.floor(), (Rev(6), 6), "nor is it written anew before the time of its deletion");
        assert_eq!((new.find(&key(1), hash(1)), new.tombstones()), (None, 0));
        put(&mut new, 1);
        let id = new.find(&key(1), hash(1)).unwrap();
        assert_eq!(new.get(id).unwrap().rev(), Rev(7));
    }
}
