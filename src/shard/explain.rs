//! What one core knows of a key and of who watches it: its part of `lux explain`.
//!
//! Always true: looking changes nothing, and costs time in proportion to the viewers of the one key. No state
//! leaves the core this way.
//!
//! Read first: `conn/explain.rs`, `shard/told.rs`.

use std::cmp::Reverse;

use bytes::Bytes;

use crate::conn::call::{Format, Reply};
use crate::conn::explain::{self, FanOut, Has, Owned, Part, PeerFacts, SLOW_MAX, Slow};
use crate::conn::outbox::LAGS_MAX;
use crate::conn::waiting::Waiting;
use crate::conn::{Conn, Life, Speech};
use crate::ids::{ConnId, KeyId, Place, ShardId};
use crate::key::Key;
use crate::shard::Shard;
use crate::shard::contract::PeerMessage;
use crate::shard::interest::Watcher;
use crate::shard::store::Entry;
use crate::shard::survey::PATIENCE_MS;

/// Of viewers that were given everything, so many are looked at for bytes that wait in the kernel.
const LOOKED_AT_MAX: usize = 256;

impl Shard {
    pub(super) fn begin_explain(&mut self, id: ConnId, key: Key, format: Format) {
        self.wait(id, Waiting::Explain { format, key: key.clone(), parts: Vec::new() });
        self.set_due(id, self.now.after(PATIENCE_MS));
        for other in self.owner.others(self.id) {
            self.ask_once(other, id, PeerMessage::Explain { ticket: id, key: key.clone() });
        }
        self.explain_for(self.id, id, key);
    }

    /// A core asks what is known here, on behalf of a peer of its own.
    pub(super) fn explain_for(&mut self, from: ShardId, ticket: ConnId, key: Key) {
        self.spread_changes();
        let (conns, part) = self.part_of(key);
        self.survey_key(from, ticket, conns, Box::new(part));
    }

    /// One core's part is here.
    pub(super) fn explained(&mut self, id: ConnId, part: Part) {
        let shards = usize::from(self.owner.shards());
        let Some(Waiting::Explain { key, parts, .. }) = self.waiting_mut(id) else { return };
        if part.key != *key {
            // The answer to an earlier question of this peer, late.
            return;
        }
        parts.retain(|other| other.core != part.core);
        parts.push(part);
        if parts.len() == shards {
            self.finish_explain(id);
        }
    }

    /// Every core's part is here, or time is up.
    pub(super) fn finish_explain(&mut self, id: ConnId) {
        let Some(Waiting::Explain { format, key, parts }) = self.take_waiting(id) else { return };
        let owner = self.owner_of(&key);
        let json = explain::answer(&key, parts, self.owner.shards(), owner, self.now.wall_ms);
        self.answer_late(id, &Reply::Page(Bytes::from(json)), &format);
    }

    /// What is known here, and the connections of which the kernel is to be asked: those of `slow`, in their
    /// order.
    fn part_of(&self, key: Key) -> (Vec<ConnId>, Part) {
        let found = self.store.find(&key, self.owner.hash(&key));
        let entry = found.and_then(|id| self.store.get(id).map(|entry| (id, entry)));
        let mut part = Part {
            core: self.id,
            key,
            rev: entry.map(|(_, entry)| entry.rev()).unwrap_or_default(),
            owned: entry.and_then(|(_, entry)| self.owned(entry)),
            viewers: 0,
            waiting: 0,
            fan_out: entry.and_then(|(_, entry)| fan_out(entry)),
            slow: Vec::new(),
            left_out: 0,
        };
        let Some((id, entry)) = entry else { return (Vec::new(), part) };
        let mut viewers: Vec<(ConnId, Slow)> = self
            .watching(entry)
            .into_iter()
            .filter_map(|conn| Some((conn, self.viewer(conn, id, entry)?)))
            .collect();
        part.viewers = viewers.len();
        part.waiting = viewers.iter().filter(|(_, viewer)| viewer.has != Has::Newest).count();
        let now_ms = self.now.wall_ms;
        viewers.sort_by_key(|(_, viewer)| {
            Reverse((viewer.has != Has::Newest, viewer.has.behind_ms(now_ms), viewer.is_in_flight))
        });
        viewers.truncate(part.waiting.clamp(SLOW_MAX, LOOKED_AT_MAX));
        let (conns, slow) = viewers.into_iter().unzip();
        part.slow = slow;
        (conns, part)
    }

    fn owned(&self, entry: &Entry) -> Option<Owned> {
        let record = entry.record.as_ref().filter(|record| entry.owned && record.rev().0 > 0)?;
        Some(Owned {
            updated_at_ms: record.updated_at_ms(),
            is_deleted: record.is_deleted(),
            bytes: if record.is_deleted() { 0 } else { record.data().len() },
            by: self.house.access.author_name(entry.by).map(str::to_owned),
        })
    }

    /// Connections that watch this key here, each once.
    fn watching(&self, entry: &Entry) -> Vec<ConnId> {
        let groups = entry.groups.iter().filter_map(|group| self.groups.get(*group));
        let watchers = entry.watchers.iter().chain(groups.flat_map(|group| group.watchers.iter()));
        let mut conns: Vec<ConnId> = watchers
            .filter_map(|watcher| match watcher {
                Watcher::Conn(id) => Some(id),
                Watcher::Core(_) => None,
            })
            .collect();
        conns.sort_unstable();
        conns.dedup();
        conns
    }

    /// A connection, if it is an open stream.
    fn viewer(&self, id: ConnId, key: KeyId, entry: &Entry) -> Option<Slow> {
        let conn = self.conns.get(id).filter(|conn| conn.life == Life::Open)?;
        let Speech::Stream(stream) = &conn.speech else { return None };
        let is_of_key = |place: Place| match place {
            Place::Key(other) => other == key,
            Place::Group(group) => entry.groups.contains(&group),
        };
        let watch = conn.watches.iter().find(|watch| is_of_key(watch.place))?;
        Some(Slow {
            pattern: self.pattern_of(watch.place).to_string(),
            holder: self.house.access.name(&stream.holder()).to_owned(),
            is_socket: stream.is_socket(),
            opened_s: stream.opened_s,
            has: has(conn, key, entry),
            conflated: conn.outbox.conflated(),
            is_in_flight: conn.outbox.is_in_flight(),
            facts: None,
        })
    }

    /// What a viewer was last given of a key, if it watches it here.
    pub fn given(&self, id: ConnId, key: &Key) -> Option<Has> {
        let found = self.store.find(key, self.owner.hash(key))?;
        self.viewer(id, found, self.store.get(found)?).map(|viewer| viewer.has)
    }

    /// Viewers that something is owed to, and for how long the one that is furthest behind has been, in
    /// milliseconds.
    pub(super) fn viewers_behind(&self) -> (u64, u64) {
        let mut behind = (0, 0);
        for conn in self.conns.iter() {
            if !conn.outbox.owed.is_empty() && conn.is_viewer() {
                behind.0 += 1;
                behind.1 = self.lag_ms(conn).max(behind.1);
            }
        }
        behind
    }

    fn lag_ms(&self, conn: &Conn) -> u64 {
        let front = match conn.outbox.owed.front() {
            Some(crate::dirty::Owed::Key(key)) if !conn.outbox.has_mark() => self.store.get(key),
            Some(_) | None => None,
        };
        let told = front.and_then(|entry| Some(entry.told.as_ref()?.newest.updated_at_ms));
        let since = conn.outbox.lags().iter().map(|lag| lag.since_ms).chain(told).min();
        since.map_or(0, |since| self.now.wall_ms.saturating_sub(since))
    }
}

/// What a viewer was last given of a key.
fn has(conn: &Conn, key: KeyId, entry: &Entry) -> Has {
    if !conn.outbox.owed.contains(key) {
        return Has::Newest;
    }
    let lags = conn.outbox.lags();
    let lag = match lags.iter().find(|lag| lag.key == key) {
        Some(lag) => *lag,
        None if conn.outbox.has_mark() => return Has::Beginning,
        None if lags.len() >= LAGS_MAX => return Has::Unknown,
        None => match &entry.told {
            Some(told) => told.lag(key),
            None => return Has::Unknown,
        },
    };
    Has::Older { rev: lag.rev, updated_at_ms: lag.updated_at_ms, since_ms: lag.since_ms }
}

fn fan_out(entry: &Entry) -> Option<FanOut> {
    let told = entry.told.as_ref().filter(|told| told.given > 0)?;
    Some(FanOut {
        rev: told.newest.rev.0,
        sends: told.given,
        took_ms: told.given_at_ms.saturating_sub(told.newest.updated_at_ms),
    })
}

impl Part {
    /// Adds what the kernel says of each of `slow`, and drops those that turn out to have everything.
    pub(super) fn add(&mut self, facts: Vec<Option<PeerFacts>>) {
        for (slow, facts) in self.slow.iter_mut().zip(facts) {
            slow.facts = facts;
        }
        self.slow.retain(|slow| {
            let is_held_up = |facts: &PeerFacts| facts.waiting_bytes > 0 || facts.retransmissions > 0;
            slow.has != Has::Newest || slow.facts.as_ref().is_some_and(is_held_up)
        });
        self.left_out = self.slow.len().saturating_sub(SLOW_MAX);
        self.left_out += self.waiting.saturating_sub(LOOKED_AT_MAX);
        self.slow.truncate(SLOW_MAX);
    }
}
