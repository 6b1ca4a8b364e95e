//! From a changed key to everybody who watches it.
//!
//! Always true: telling a watcher is putting the key into the set of what it is owed. It costs the same for
//! one that reads and one that does not, and no bytes are made here.
//!
//! Read first: `dirty.rs`, `shard/interest.rs`.

use std::collections::VecDeque;
use std::mem;

use smallvec::SmallVec;

use crate::conn::outbox::Lag;
use crate::counters::Counters;
use crate::ids::{ConnId, KeyId};
use crate::shard::Shard;
use crate::shard::conns::Conns;
use crate::shard::interest::{Watcher, Watchers};
use crate::shard::link::Link;

impl Shard {
    /// A key has a newer record. Who watches it is told when the answers of this turn are on their way, and
    /// before anybody begins to watch.
    pub(super) fn changed(&mut self, key: KeyId) {
        // A burst on one key is one change; a key that comes twice otherwise is told of twice, at no harm.
        if self.changed.last() != Some(&key) {
            self.changed.push(key);
        }
    }

    /// Tells everybody of every change so far.
    pub(super) fn spread_changes(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        let mut changed = mem::take(&mut self.changed);
        for key in changed.drain(..) {
            self.spread(key);
        }
        self.changed = changed;
        self.forget_tombstones();
    }

    /// Whether more than so many sends are to come once everybody is told.
    pub fn fan_out_exceeds(&self, sends: usize) -> bool {
        let mut count = self.ready.len();
        let mut entries = self.changed.iter().filter_map(|key| self.store.get(*key));
        while count <= sends
            && let Some(entry) = entries.next()
        {
            let groups = entry.groups.iter().filter_map(|group| self.groups.get(*group));
            count += entry.watchers.count() + groups.map(|group| group.watchers.count()).sum::<usize>();
        }
        count > sends
    }

    /// Owes the newest record of a key to all who watch it here.
    fn spread(&mut self, key: KeyId) {
        let Some(entry) = self.store.get_mut(key) else { return };
        let mut late = None;
        if let (Some(told), Some(record)) = (&mut entry.told, &entry.record) {
            // Who was not given the change before this one has what came before that.
            late = Some(told.lag(key));
            told.tell(record);
        }
        let entry = &*entry;
        let groups = entry.groups.iter().filter_map(|group| self.groups.get(*group));
        let places = std::iter::once(&entry.watchers).chain(groups.map(|group| &group.watchers));
        let places: SmallVec<[&Watchers; 2]> = places.filter(|place| place.count() > 0).collect();
        let mut telling = Telling {
            key,
            late,
            may_overlap: places.len() > 1,
            owned: entry.owned,
            conns: &mut self.conns,
            links: &mut self.links,
            ready: &mut self.ready,
            counters: &mut self.counters,
        };
        for place in &places {
            place.iter().for_each(|watcher| telling.tell(watcher));
        }
        if telling.may_overlap {
            places.iter().flat_map(|place| place.iter()).for_each(|watcher| telling.forget(watcher));
        }
    }
}

/// One change on its way to those who watch.
struct Telling<'a> {
    key: KeyId,
    /// What those have whom the change before this one still waits for.
    late: Option<Lag>,
    /// The key is watched in several ways, and somebody may watch it in two of them.
    may_overlap: bool,
    /// Cores tell others of their own keys only.
    owned: bool,
    conns: &'a mut Conns,
    links: &'a mut [Link],
    ready: &'a mut VecDeque<ConnId>,
    counters: &'a mut Counters,
}

impl Telling<'_> {
    fn tell(&mut self, watcher: Watcher) {
        match watcher {
            Watcher::Core(shard) => {
                if self.owned {
                    self.links[shard.index()].owed.insert(self.key);
                }
            }
            Watcher::Conn(id) => {
                let Some(conn) = self.conns.get_mut(id) else { return };
                if self.may_overlap && mem::replace(&mut conn.outbox.is_told, true) {
                    return;
                }
                self.counters.deliveries += 1;
                if !conn.outbox.owed.insert(self.key) {
                    self.counters.conflated += 1;
                    conn.outbox.conflate(self.late.as_ref());
                }
                if !conn.queued && !conn.outbox.is_in_flight() {
                    conn.queued = true;
                    self.ready.push_back(id);
                }
            }
        }
    }

    /// Everybody was told: who was is not kept.
    fn forget(&mut self, watcher: Watcher) {
        if let Watcher::Conn(id) = watcher
            && let Some(conn) = self.conns.get_mut(id)
        {
            conn.outbox.is_told = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::conn::explain::Has;
    use crate::key::Key;
    use crate::shard::bare::{self, NOW, ask};

    #[test]
    fn who_watches_a_key_in_two_ways_is_told_of_a_change_once() {
        let mut shard = bare::shard(0, 1);
        let put = "PUT /api/lux/board HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{\"data\":1}";
        let viewer = ask(&mut shard, "GET /api/lux/stream?keys=board,b* HTTP/1.1\r\nHost: a\r\n\r\n");
        ask(&mut shard, "GET /api/lux/stream/board HTTP/1.1\r\nHost: a\r\n\r\n");
        let key = Key::parse(b"board").unwrap();
        for given in 0..3 {
            while let Some((to, bytes)) = shard.next_send() {
                let len = bytes.len();
                shard.sent(to, bytes, len, NOW);
            }
            assert_eq!((shard.counters().conflated, shard.counters().deliveries), (0, 2 * given));
            ask(&mut shard, put);
            shard.spread_changes();
            let Some(Has::Older { rev, .. }) = shard.given(viewer, &key) else {
                panic!("it is owed {given}")
            };
            assert_eq!(rev.0, given);
        }
        ask(&mut shard, put);
        shard.spread_changes();
        assert_eq!(shard.counters().conflated, 2, "one for each viewer");
    }

    #[test]
    fn who_comes_back_in_the_turn_of_a_change_it_knows_is_not_told_again() {
        let mut shard = bare::shard(0, 1);
        ask(&mut shard, "PUT /api/lux/board HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{\"data\":1}");
        let path = format!("/api/lux/stream/board?since={}.1", bare::epoch().as_str());
        let viewer = ask(&mut shard, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let mut told = Vec::new();
        while let Some((to, bytes)) = shard.next_send() {
            if to == viewer {
                told.extend_from_slice(&bytes);
            }
            let len = bytes.len();
            shard.sent(to, bytes, len, NOW);
        }
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("event: synced"), "{told}");
        assert!(!told.contains("\"rev\""), "{told}");
    }
}
