//! What a core holds right now, counted: figures for operators and for tests.
//!
//! Always true: counting changes nothing. What is bounded by a promise stands here as a number, so that a
//! test can hold the promise against it; when everybody has left, all but the states themselves is zero.
//!
//! Read first: `shard/mod.rs`.

use crate::conn::{Conn, Speech};
use crate::ids::{ConnId, Rev, ShardId};
use crate::key::Key;
use crate::shard::Shard;
use crate::wire::record::Record;

/// The figures of one core at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Connections, those that are ending included.
    pub connections: usize,
    /// Streams among them that are open.
    pub viewers: usize,
    /// Patterns that connections watch or are about to.
    pub watches: usize,
    /// Places among watchers that somebody stands at: connections, and other cores.
    pub watchers: usize,
    /// Keys and marks that connections are owed, together.
    pub owed: usize,
    /// Bytes of answers that wait, and bytes of peers that wait to be understood.
    pub waiting_bytes: usize,
    /// Prefixes that somebody watches.
    pub groups: usize,
    /// Entries of keys that this core owns.
    pub entries_owned: usize,
    /// Entries of keys that other cores own.
    pub entries_foreign: usize,
    /// Keys of this core that have a state.
    pub keys_live: usize,
    /// Deletions that are remembered.
    pub tombstones: usize,
    /// Lines in the queue of deletions to be forgotten, outdated ones included.
    pub deletion_lines: usize,
    /// Lines about keys that a snapshot has still to be given, outdated ones included.
    pub unsaved: usize,
    /// Patterns that other cores watch here.
    pub link_watches: usize,
    /// Questions, answers and words about watching that wait for other cores.
    pub link_messages: usize,
    /// Keys and marks that other cores are owed.
    pub link_owed: usize,
    /// Looks at connections that are armed, outdated ones included.
    pub looks: usize,
    /// Whoever watches with a token.
    pub token_holders: usize,
    /// Places in the lists of connections to send to, to read from and to close.
    pub lines: usize,
    /// Memory promised to peers for what they send and are answered.
    pub peer_bytes: usize,
    /// Those of them that were promised to bodies.
    pub body_bytes: usize,
    /// Connections that are being told that they may not stay.
    pub turned_away: usize,
    /// Lines of the access log that wait.
    pub log_lines: usize,
}

/// What one connection is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    /// Keys and marks.
    pub owed: usize,
    /// Bytes of answers that wait.
    pub answer_bytes: usize,
    /// Bytes of a viewer that wait until what it said before is done.
    pub held_bytes: usize,
    /// A command of it waits.
    pub has_command: bool,
    /// Patterns it watches.
    pub watches: usize,
    /// It waits for other cores before it watches.
    pub is_joining: bool,
}

impl Shard {
    /// Counts everything; costs time in proportion to what there is.
    pub fn census(&self) -> Census {
        let mut census = Census {
            groups: self.groups.len(),
            watchers: self.groups.watchers(),
            keys_live: self.store.keys_live(),
            tombstones: self.store.tombstones(),
            deletion_lines: self.store.deletion_lines(),
            unsaved: self.store.unsaved_lines(),
            link_watches: self.links.iter().map(|link| link.watches.len()).sum(),
            link_owed: self.links.iter().map(|link| link.owed.len()).sum(),
            link_messages: self.links.iter().map(|link| link.len() - link.owed.len()).sum(),
            looks: self.timers.len(),
            token_holders: self.expiring.len(),
            lines: self.ready.len() + self.resumed.len() + self.closes.len(),
            viewers: self.counters.viewers as usize,
            peer_bytes: self.memory.used_bytes(),
            turned_away: self.turned_away,
            log_lines: self.lines.len(),
            ..Census::default()
        };
        for (_, entry) in self.store.with_prefix("") {
            census.watchers += entry.watchers.count();
            *(if entry.owned { &mut census.entries_owned } else { &mut census.entries_foreign }) += 1;
        }
        for conn in self.conns.ids().into_iter().filter_map(|id| self.conns.get(id)) {
            let debt = debt(conn);
            census.connections += 1;
            census.watches += debt.watches;
            census.owed += debt.owed;
            if let Speech::Http(http, _) = &conn.speech {
                census.body_bytes += http.body_bytes();
            }
            census.waiting_bytes += debt.answer_bytes + debt.held_bytes;
        }
        census
    }

    /// What one connection is owed, unless it is gone.
    pub fn debt(&self, id: ConnId) -> Option<Debt> {
        self.conns.get(id).map(debt)
    }

    /// Messages and keys that wait for another core.
    pub fn link_len(&self, to: ShardId) -> (usize, usize) {
        let link = &self.links[to.index()];
        (link.len() - link.owed.len(), link.owed.len())
    }

    /// The newest record that this core knows of a key, deletions and "never had" included.
    pub fn newest(&self, key: &Key) -> Option<&Record> {
        let id = self.store.find(key, self.owner.hash(key))?;
        self.store.get(id)?.record.as_ref()
    }

    /// The newest revision that this core knows of a key; 0 where it knows none.
    pub fn newest_rev(&self, key: &Key) -> Rev {
        self.newest(key).map_or(Rev(0), Record::rev)
    }

    /// The core that owns a key.
    pub fn owner_of(&self, key: &Key) -> ShardId {
        self.owner.of(self.owner.hash(key))
    }
}

fn debt(conn: &Conn) -> Debt {
    let joining = conn.joining.as_ref().map_or(0, |joining| joining.places.len());
    Debt {
        owed: conn.outbox.owed.len(),
        answer_bytes: conn.outbox.answer_bytes(),
        held_bytes: held_bytes(conn),
        has_command: matches!(&conn.speech, Speech::Stream(stream) if stream.has_command_waiting()),
        watches: conn.watches.len() + joining,
        is_joining: conn.joining.is_some(),
    }
}

fn held_bytes(conn: &Conn) -> usize {
    match &conn.speech {
        Speech::Http(http, _) => http.held_bytes(),
        Speech::Stream(stream) => stream.later.as_ref().map_or(0, |later| later.bytes.len()),
    }
}
