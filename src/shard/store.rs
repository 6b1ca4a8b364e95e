//! The newest record of every key this core owns, and of foreign keys that somebody here watches.
//!
//! Always true: revisions of a key only grow, over deletions and over forgotten deletions too. An entry
//! exists while it has a state, a remembered deletion, or somebody who watches it; a foreign entry only while
//! it is watched.
//!
//! Read first: `wire/record.rs`, `shard/owner.rs`.

mod unsaved;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use hashbrown::HashTable;
use slab::Slab;

use crate::access::Author;
use crate::ids::{GroupId, KeyId, Rev};
use crate::key::Key;
use crate::shard::interest::Watchers;
use crate::shard::owner::KeyHash;
use crate::shard::told::{Told, Version};
use crate::wire::record::Record;

use unsaved::Unsaved;
pub use unsaved::{Hashed, Part, Round};

/// One key.
pub struct Entry {
    /// Its name.
    pub key: Key,
    /// The newest record this core knows; a deletion's too.
    pub record: Option<Record>,
    /// Whether this core owns the key.
    pub owned: bool,
    /// Who watches exactly this key.
    pub watchers: Watchers,
    /// The watched prefixes that it falls under.
    pub groups: Vec<GroupId>,
    /// Who wrote the newest record, if this core owns the key.
    pub by: Author,
    /// What its viewers here were told last, if there are any.
    pub told: Option<Box<Told>>,
    generation: u32,
    hash: KeyHash,
    /// Its deletion stands in the queue of those to be forgotten one day.
    remembered: bool,
    /// It changed since it was last given out for a snapshot, and stands in line for the next.
    unsaved: bool,
}

impl Entry {
    /// The newest record, if there is a state.
    pub fn live(&self) -> Option<&Record> {
        self.record.as_ref().filter(|record| is_state(record))
    }

    /// The newest revision; 0 where there was none.
    pub fn rev(&self) -> Rev {
        self.record.as_ref().map_or(Rev(0), Record::rev)
    }

    /// Whether anybody is told of its changes.
    fn is_told_of(&self) -> bool {
        self.watchers.count() > 0 || !self.groups.is_empty()
    }

    /// The record is about to be replaced. Whoever watches since nobody was told of anything has this one.
    fn note_what_viewers_have(&mut self) {
        if !self.is_told_of() {
            self.told = None;
        } else if self.told.is_none() {
            self.told = Some(Box::new(Told::have(Version::of(self.record.as_ref()))));
        }
    }

    fn is_needed(&self) -> bool {
        let is_watched = self.watchers.is_held() || (!self.owned && !self.groups.is_empty());
        match &self.record {
            None => self.watchers.is_held(),
            Some(record) if !is_state(record) => {
                (self.remembered && (self.owned || is_watched)) || self.watchers.is_held()
            }
            Some(_) => self.owned || is_watched,
        }
    }
}

/// Whether a record has a state, and is not a deletion or the word that there never was one.
fn is_state(record: &Record) -> bool {
    !record.is_deleted() && record.rev() > Rev(0)
}

/// The keys of one core.
#[derive(Default)]
pub struct Store {
    entries: Slab<Entry>,
    table: HashTable<u32>,
    order: BTreeMap<Key, u32>,
    generation: u32,
    /// Deletions in the order they happened, some of them overtaken by a new state.
    tombstones: VecDeque<(KeyId, Rev)>,
    remembered: usize,
    /// The highest revision that was ever forgotten: a key without an entry starts above it.
    floor: Rev,
    /// The latest time of a deletion that was ever forgotten: such a key is not written earlier.
    floor_updated_at_ms: u64,
    keys_live: usize,
    bytes_live: usize,
    unsaved: Unsaved,
}

impl Store {
    /// Keys of this core that have a state.
    pub fn keys_live(&self) -> usize {
        self.keys_live
    }

    /// Deletions that are remembered.
    pub fn tombstones(&self) -> usize {
        self.remembered
    }

    /// Lines about deletions, those that a new state has overtaken included.
    pub fn deletion_lines(&self) -> usize {
        self.tombstones.len()
    }

    /// Memory that the states of this core hold, in bytes.
    pub fn bytes_live(&self) -> usize {
        self.bytes_live
    }

    /// The key with this name, if there is an entry.
    pub fn find(&self, key: &Key, hash: KeyHash) -> Option<KeyId> {
        let slot = *self.table.find(hash.0, |slot| self.entries[*slot as usize].key == *key)?;
        Some(self.id(slot))
    }

    /// The entry of this name, made if there is none.
    pub fn find_or_make(
        &mut self,
        key: &Key,
        hash: KeyHash,
        owned: bool,
        groups: impl FnOnce() -> Vec<GroupId>,
    ) -> KeyId {
        if let Some(found) = self.find(key, hash) {
            return found;
        }
        self.generation = self.generation.wrapping_add(1);
        let entry = Entry {
            key: key.clone(),
            record: None,
            owned,
            watchers: Watchers::default(),
            groups: groups(),
            by: Author::default(),
            told: None,
            generation: self.generation,
            hash,
            remembered: false,
            unsaved: false,
        };
        let slot = self.entries.insert(entry) as u32;
        let entries = &self.entries;
        self.table.insert_unique(hash.0, slot, |slot| entries[*slot as usize].hash.0);
        self.order.insert(key.clone(), slot);
        self.id(slot)
    }

    /// The entry behind an id, unless it is gone.
    pub fn get(&self, id: KeyId) -> Option<&Entry> {
        self.entries.get(id.slot as usize).filter(|entry| entry.generation == id.generation)
    }

    /// The entry behind an id, unless it is gone.
    pub fn get_mut(&mut self, id: KeyId) -> Option<&mut Entry> {
        self.entries.get_mut(id.slot as usize).filter(|entry| entry.generation == id.generation)
    }

    /// The revision that a write to this entry makes.
    pub fn next_rev(&self, id: KeyId) -> Rev {
        let newest = self.get(id).and_then(|entry| entry.record.as_ref()).map(Record::rev);
        newest.unwrap_or(self.floor).next()
    }

    /// The time before which a write to this entry may not be: that of its newest record, or, where that may
    /// have been forgotten, of whatever was.
    pub fn not_before_ms(&self, id: KeyId) -> u64 {
        let record = self.get(id).and_then(|entry| entry.record.as_ref());
        record.map(Record::updated_at_ms).filter(|ms| *ms > 0).unwrap_or(self.floor_updated_at_ms)
    }

    /// Puts a newer record in place, and who wrote it; nobody known, if another core owns the key.
    pub fn replace(&mut self, id: KeyId, record: Record, by: Author) {
        let Some(entry) = self.entries.get_mut(id.slot as usize) else { return };
        debug_assert!(entry.generation == id.generation);
        debug_assert!(entry.record.is_none() || record.rev() > entry.rev(), "a record only grows newer");
        if entry.owned {
            if let Some(old) = entry.live() {
                self.keys_live -= 1;
                self.bytes_live -= old.bytes_kept();
            }
            if is_state(&record) {
                self.keys_live += 1;
                self.bytes_live += record.bytes_kept();
            }
        }
        if entry.remembered && !record.is_deleted() {
            entry.remembered = false;
            self.remembered -= 1;
        } else if record.is_deleted() && !entry.remembered {
            entry.remembered = true;
            self.remembered += 1;
        }
        if record.is_deleted() {
            self.tombstones.push_back((id, record.rev()));
        }
        entry.note_what_viewers_have();
        (entry.record, entry.by) = (Some(record), by);
        if entry.owned && !entry.unsaved {
            entry.unsaved = self.unsaved.note(id);
        }
        self.drop_stale_tombstones();
    }

    /// Gives a watched key without a record one that says so: never had, or, where deletions have been
    /// forgotten, deleted at the highest revision among those, so that it can only be taken for older.
    pub fn fill_absent(&mut self, id: KeyId) {
        let floor = self.floor;
        if let Some(entry) = self.get_mut(id)
            && entry.record.is_none()
        {
            entry.record = Some(match floor {
                Rev(0) => Record::absent(&entry.key),
                floor => Record::forgotten(&entry.key, floor),
            });
        }
    }

    /// The oldest remembered deletion, once there are more than `tombstones_max`.
    pub fn next_to_forget(&mut self, tombstones_max: usize) -> Option<KeyId> {
        if self.remembered <= tombstones_max {
            return None;
        }
        while let Some((id, rev)) = self.tombstones.pop_front() {
            if self.is_tombstone(id, rev) {
                return Some(id);
            }
        }
        None
    }

    /// Not yet: somebody has still to be told of it.
    pub fn remember_longer(&mut self, id: KeyId) {
        let rev = self.get(id).map_or(Rev(0), Entry::rev);
        self.tombstones.push_back((id, rev));
    }

    /// Forgets a deletion; from now on keys without an entry start above its revision.
    pub fn forget(&mut self, id: KeyId) {
        let Some(entry) = self.entries.get_mut(id.slot as usize) else { return };
        if entry.remembered {
            entry.remembered = false;
            self.remembered -= 1;
        }
        if entry.owned {
            self.floor = self.floor.max(entry.rev());
            let deleted_at_ms = entry.record.as_ref().map_or(0, Record::updated_at_ms);
            self.floor_updated_at_ms = self.floor_updated_at_ms.max(deleted_at_ms);
            if entry.unsaved {
                self.forget_unsaved();
            }
        }
        self.remove_if_unneeded(id);
    }

    /// Whether there is an entry and something needs it.
    pub fn is_needed(&self, id: KeyId) -> bool {
        self.get(id).is_some_and(Entry::is_needed)
    }

    /// Removes the entry if nothing needs it any more.
    pub fn remove_if_unneeded(&mut self, id: KeyId) {
        if !self.is_needed(id) {
            self.remove(id);
        }
    }

    /// Removes an entry of a foreign key, or one that nothing needs.
    pub fn remove(&mut self, id: KeyId) {
        let Some(entry) = self.get(id) else { return };
        debug_assert!(!entry.owned || !entry.is_needed());
        let (hash, slot) = (entry.hash, id.slot);
        if let Ok(found) = self.table.find_entry(hash.0, |other| *other == slot) {
            found.remove();
        }
        let entry = self.entries.remove(slot as usize);
        self.remembered -= usize::from(entry.remembered);
        self.order.remove(entry.key.as_str());
    }

    /// Every entry whose key begins so, in bytewise order.
    pub fn with_prefix<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = (KeyId, &'s Entry)> {
        self.from(Bound::Included(prefix), prefix)
    }

    /// The same, after the key `after`.
    pub fn with_prefix_after<'s>(
        &'s self,
        prefix: &'s str,
        after: &'s str,
    ) -> impl Iterator<Item = (KeyId, &'s Entry)> {
        match after < prefix {
            true => self.from(Bound::Included(prefix), prefix),
            false => self.from(Bound::Excluded(after), prefix),
        }
    }

    fn from<'s>(
        &'s self,
        start: Bound<&'s str>,
        prefix: &'s str,
    ) -> impl Iterator<Item = (KeyId, &'s Entry)> {
        self.order
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(move |(key, _)| key.as_str().starts_with(prefix))
            .map(|(_, slot)| (self.id(*slot), &self.entries[*slot as usize]))
    }

    fn id(&self, slot: u32) -> KeyId {
        KeyId { slot, generation: self.entries[slot as usize].generation }
    }

    fn is_tombstone(&self, id: KeyId, rev: Rev) -> bool {
        self.get(id).is_some_and(|entry| entry.remembered && entry.rev() == rev)
    }

    /// A key that is made and deleted over and over leaves a stale line each time; they may not pile up.
    fn drop_stale_tombstones(&mut self) {
        const SLACK: usize = 64;
        if self.tombstones.len() > 2 * self.remembered + SLACK {
            let mut tombstones = std::mem::take(&mut self.tombstones);
            tombstones.retain(|(id, rev)| self.is_tombstone(*id, *rev));
            self.tombstones = tombstones;
        }
    }
}
