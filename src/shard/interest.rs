//! Who watches what on this core: viewers that sit here, and other cores on behalf of theirs.
//!
//! Always true: a place that somebody holds stays; the last one to let go is told so. Holding comes before
//! watching: while a viewer waits for other cores to bring what they have, it holds and does not watch yet.
//!
//! Read first: `ids.rs`, `key.rs`.

use std::collections::HashMap;

use compact_str::CompactString;
use slab::Slab;

use crate::ids::{ConnId, GroupId, ShardId};

/// Somebody who is told of each change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watcher {
    /// A viewer, or a poll, on this core.
    Conn(ConnId),
    /// Another core.
    Core(ShardId),
}

/// Those who watch one place.
#[derive(Default)]
pub struct Watchers {
    list: Slab<Watcher>,
    /// Peers of this core that hold the place, watching or about to.
    local: u32,
    /// Other cores that hold it.
    cores: u32,
}

impl Watchers {
    /// Everybody who is to be told.
    pub fn iter(&self) -> impl Iterator<Item = Watcher> + '_ {
        self.list.iter().map(|(_, watcher)| *watcher)
    }

    /// How many are to be told.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Adds somebody; says at which index.
    pub fn add(&mut self, watcher: Watcher) -> u32 {
        self.list.insert(watcher) as u32
    }

    /// Removes whoever stands at this index.
    pub fn remove(&mut self, slot: u32) {
        self.list.try_remove(slot as usize);
        if self.list.is_empty() {
            self.list = Slab::new();
        }
    }

    /// Holds the place for a peer of this core; true if it is the first.
    pub fn hold(&mut self) -> bool {
        self.local += 1;
        self.local == 1
    }

    /// Lets go of it; true if no peer of this core holds it any more.
    pub fn release(&mut self) -> bool {
        self.local -= 1;
        self.local == 0
    }

    /// Holds the place for another core.
    pub fn hold_for_core(&mut self) {
        self.cores += 1;
    }

    /// Lets go of it.
    pub fn release_for_core(&mut self) {
        self.cores -= 1;
    }

    /// Whether anybody holds it.
    pub fn is_held(&self) -> bool {
        self.local > 0 || self.cores > 0
    }
}

/// A prefix that somebody watches.
pub struct Group {
    /// The prefix, without its star.
    pub prefix: CompactString,
    /// Who watches it.
    pub watchers: Watchers,
    /// The wish with which peers of this core began to hold it, the last time that nobody had before.
    pub began_with: u32,
    /// The cores that have heard of that wish, and tell us of their keys.
    pub told_by: Vec<ShardId>,
}

/// The watched prefixes of one core.
#[derive(Default)]
pub struct Groups {
    groups: Slab<Group>,
    by_prefix: HashMap<CompactString, GroupId, foldhash::quality::FixedState>,
}

impl Groups {
    /// The group of this prefix, if it is watched.
    pub fn find(&self, prefix: &str) -> Option<GroupId> {
        self.by_prefix.get(prefix).copied()
    }

    /// Makes a group that is not there yet.
    pub fn make(&mut self, prefix: &CompactString) -> GroupId {
        let group = Group {
            prefix: prefix.clone(),
            watchers: Watchers::default(),
            began_with: 0,
            told_by: Vec::new(),
        };
        let id = GroupId(self.groups.insert(group) as u32);
        self.by_prefix.insert(prefix.clone(), id);
        id
    }

    /// The group behind an id, unless it is gone.
    pub fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.0 as usize)
    }

    /// The group behind an id, unless it is gone.
    pub fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(id.0 as usize)
    }

    /// Removes a group that nobody holds; gives its prefix.
    pub fn remove(&mut self, id: GroupId) -> CompactString {
        let group = self.groups.remove(id.0 as usize);
        self.by_prefix.remove(&group.prefix);
        group.prefix
    }

    /// The groups that a key falls under. Of a foreign key, only those that peers of this core hold: what
    /// another core watches here are keys of ours, and nobody tells us of the foreign ones for its sake.
    pub fn of(&self, key: &str, owned: bool) -> Vec<GroupId> {
        if self.by_prefix.is_empty() {
            return Vec::new();
        }
        let groups = (0..=key.len()).filter_map(|len| self.find(&key[..len]));
        groups.filter(|id| owned || self.get(*id).is_some_and(|group| group.watchers.local > 0)).collect()
    }

    /// How many watch any of them.
    pub fn watchers(&self) -> usize {
        self.groups.iter().map(|(_, group)| group.watchers.count()).sum()
    }

    /// How many prefixes are watched.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether no prefix is watched.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}
