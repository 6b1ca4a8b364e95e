//! The other cores: what they say, what they are told.
//!
//! Always true: a question is answered in the order it came; a foreign record is taken only if it is newer
//! than what is here, so a state never goes back, whichever way it travelled.
//!
//! Read first: `shard/contract.rs`, `shard/link.rs`.

use crate::access::Author;
use crate::ids::ShardId;
use crate::key::Key;
use crate::shard::Shard;
use crate::shard::conns::Conns;
use crate::shard::contract::PeerMessage;
use crate::time::Now;
use crate::wire::record::Record;

impl Shard {
    /// Another core said something.
    pub fn told(&mut self, from: ShardId, message: PeerMessage, now: Now) {
        self.now = now;
        self.spread_changes();
        match message {
            PeerMessage::Ask { ticket, question } => {
                let hash = self.owner.hash(question.key());
                let (outcome, changed) = self.carry_out(question, hash);
                self.links[from.index()].push(PeerMessage::Answer { ticket, outcome });
                if let Some(key) = changed {
                    self.changed(key);
                }
            }
            PeerMessage::Answer { ticket, outcome } => self.owner_answered(ticket, outcome),
            PeerMessage::List { ticket, listing } => {
                let (records, more) = self.list_part(&listing);
                self.links[from.index()].push(PeerMessage::Listed { ticket, records, more });
            }
            PeerMessage::Listed { ticket, records, more } => self.listed(ticket, records, more),
            PeerMessage::Count { ticket } => self.count_for(from, ticket),
            PeerMessage::Counted { ticket, counters } => self.counted(ticket, from, counters, None),
            PeerMessage::Explain { ticket, key } => self.explain_for(from, ticket, key),
            PeerMessage::Explained { ticket, part } => self.explained(ticket, *part),
            PeerMessage::Watch { pattern, ticket } => self.core_watches(from, pattern, ticket),
            PeerMessage::Watching { pattern, ticket } => self.core_tells(from, &pattern, ticket),
            PeerMessage::Watched { ticket } => self.other_core_is_done(ticket),
            PeerMessage::Unwatch { pattern } => self.core_unwatches(from, &pattern),
            PeerMessage::State { key, record } => self.adopt(&key, record),
        }
    }

    /// Puts a question, or a word about watching, in line for another core.
    pub(super) fn tell(&mut self, to: ShardId, message: PeerMessage) {
        let link = &mut self.links[to.index()];
        link.push(message);
        if link.is_long() {
            let conns = &self.conns;
            link.tidy(|message| is_waited_for(conns, message));
        }
    }

    /// The next message for another core; asked only while there is room for one.
    pub fn next_tell(&mut self, to: ShardId) -> Option<PeerMessage> {
        let store = &self.store;
        self.links[to.index()].next(|key| {
            let entry = store.get(key)?;
            let record = entry.record.clone()?;
            Some(PeerMessage::State { key: entry.key.clone(), record })
        })
    }

    /// A foreign key has a newer record. What nobody here watches any more is let go.
    fn adopt(&mut self, key: &Key, record: Record) {
        let hash = self.owner.hash(key);
        let groups = self.groups.of(key.as_str(), false);
        let id = match self.store.find(key, hash) {
            Some(id) => id,
            None if groups.is_empty() => return,
            None => self.store.find_or_make(key, hash, false, || groups),
        };
        let Some(entry) = self.store.get(id) else { return };
        let was_known = entry.record.is_some();
        if was_known && record.rev() <= entry.rev() {
            return;
        }
        self.store.replace(id, record, Author::default());
        // That there is nothing is an answer to whoever asks for this key, and no change to who watches more.
        if was_known || self.store.get(id).is_some_and(|entry| entry.live().is_some()) {
            self.changed(id);
        }
    }
}

/// Whether a peer of ours still waits for what a message asks. Whatever asks nothing is not ours to drop.
fn is_waited_for(conns: &Conns, message: &PeerMessage) -> bool {
    match message {
        PeerMessage::Ask { ticket, .. }
        | PeerMessage::List { ticket, .. }
        | PeerMessage::Count { ticket }
        | PeerMessage::Explain { ticket, .. } => conns.get(*ticket).is_some(),
        PeerMessage::Watch { ticket, .. } => {
            let joining = conns.get(ticket.conn).and_then(|conn| conn.joining.as_ref());
            joining.is_some_and(|joining| joining.number == ticket.number)
        }
        PeerMessage::Answer { .. }
        | PeerMessage::Listed { .. }
        | PeerMessage::Counted { .. }
        | PeerMessage::Explained { .. }
        | PeerMessage::Watching { .. }
        | PeerMessage::Watched { .. }
        | PeerMessage::Unwatch { .. }
        | PeerMessage::State { .. } => true,
    }
}
