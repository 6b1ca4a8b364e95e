//! Long polls: a GET that is answered when the state changes.
//!
//! Always true: a poll is a viewer of one key that leaves after its first news. It is answered with what is
//! newest at that moment, and never with what the peer said it has.
//!
//! Read first: `shard/joining.rs`.

use crate::conn::Speech;
use crate::conn::call::{Format, Outcome, Reply};
use crate::conn::waiting::{Purpose, Waiting};
use crate::ids::{ConnId, Place, Rev};
use crate::key::{Key, Pattern};
use crate::shard::Shard;
use crate::shard::store::Entry;
use crate::wire::condition::Tags;

impl Shard {
    /// Begins to wait for news of a key.
    pub(super) fn begin_poll(&mut self, id: ConnId, key: Key, wait_ms: u64, waiting: Waiting) {
        self.wait(id, waiting);
        self.set_due(id, self.now.after(wait_ms));
        self.join(id, vec![Pattern::Exact(key)], Purpose::Poll);
    }

    /// Answers the poll if what is newest is news to its peer.
    pub(super) fn settle_poll(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.outbox.forget_owed();
        }
        if let Some(outcome) = self.news(id) {
            self.answer_poll(id, &Reply::Outcome(outcome));
        }
    }

    /// What a poll waits for, if it is here.
    fn news(&self, id: ConnId) -> Option<Outcome> {
        let conn = self.conns.get(id)?;
        // Without a watch, what it waits for is not here yet, or its peer has left.
        conn.watches.first()?;
        let format = poll_format(&conn.speech)?;
        match self.polled(id).and_then(Entry::live) {
            Some(record) if format.conditions.not_modified(Some(record.rev())) => None,
            Some(record) => Some(Outcome::Found(record.clone())),
            None => Some(Outcome::Missing),
        }
    }

    /// Time is up. What came in the same moment is still told: a 304 that named it would be taken for "you have it".
    pub(super) fn end_poll(&mut self, id: ConnId) {
        if let Some(outcome) = self.news(id) {
            return self.answer_poll(id, &Reply::Outcome(outcome));
        }
        let Some(format) = self.conns.get(id).and_then(|conn| poll_format(&conn.speech)) else { return };
        let known = match &format.conditions.if_none_match {
            Some(Tags::Revs(revs)) => revs.first().copied(),
            Some(Tags::Any) | None => None,
        };
        let rev = self.polled(id).and_then(Entry::live).map(|record| record.rev());
        self.answer_poll(id, &Reply::Unchanged(rev.or(known).unwrap_or(Rev(0))));
    }

    fn polled(&self, id: ConnId) -> Option<&Entry> {
        match self.conns.get(id)?.watches.first()?.place {
            Place::Key(key) => self.store.get(key),
            Place::Group(_) => None,
        }
    }

    pub(super) fn answer_poll(&mut self, id: ConnId, reply: &Reply) {
        self.forget_expiry(id);
        if let Some(Waiting::Poll { format, .. }) = self.take_waiting(id) {
            self.leave_everything(id);
            self.answer_late(id, reply, &format);
        }
    }
}

fn poll_format(speech: &Speech) -> Option<&Format> {
    match speech {
        Speech::Http(_, Some(waiting)) => match &**waiting {
            Waiting::Poll { format, .. } => Some(format),
            Waiting::Owner(_) | Waiting::List { .. } | Waiting::Metrics { .. } | Waiting::Explain { .. } => {
                None
            }
        },
        Speech::Http(_, None) | Speech::Stream(_) => None,
    }
}
