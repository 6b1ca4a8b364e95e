//! What one peer is owed, and the one send that may be in flight.
//!
//! Always true: at most one send is in flight, so the bytes that go next are chosen when they can go, never
//! before. Answers and control frames are a queue and go first; states are a set of keys, read from the
//! store at the moment they are sent. Taking a key *is* conflation.
//!
//! Read first: `dirty.rs`, `wire/record.rs`.

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use crate::dirty::{Dirty, Owed};
use crate::ids::{Epoch, KeyId};
use crate::limits::BATCH_BYTES_MAX;
use crate::wire::event;
use crate::wire::record::Record;

/// The writing side of one connection. There is one for each viewer, so what few need stands behind a
/// pointer.
#[derive(Default)]
pub struct Outbox {
    in_flight: bool,
    /// Small answers, written one after the other.
    tail: Vec<u8>,
    /// Which keys' newest records the peer is owed.
    pub owed: Dirty,
    rare: Option<Box<Rare>>,
}

/// What a viewer that keeps up never has.
#[derive(Default)]
struct Rare {
    /// What the kernel did not take of the last send.
    rest: Bytes,
    /// Large answers, shared and not copied, each behind what was written before it.
    parts: VecDeque<Bytes>,
    /// What to say at the mark in `owed`, framed. One snapshot is under way at a time, so that each has its
    /// records between its beginning and its end.
    mark: Option<Bytes>,
}

/// How records are spoken to a viewer.
#[derive(Clone, Copy)]
pub enum Dialect<'a> {
    /// WebSocket text frames.
    Frames,
    /// Server-Sent Events; with an id where one key is watched.
    Events(Option<&'a Epoch>),
}

impl Outbox {
    /// Where small answers are written.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Queues a large answer behind what was written, without a copy.
    pub fn push_shared(&mut self, bytes: Bytes) {
        let written = Bytes::from(mem::take(&mut self.tail));
        let parts = &mut self.rare.get_or_insert_default().parts;
        parts.extend((!written.is_empty()).then_some(written));
        parts.push_back(bytes);
    }

    /// Adds the mark behind everything owed so far, and what to say when it is reached.
    pub fn set_mark(&mut self, framed: Bytes) {
        debug_assert!(!self.has_mark(), "one snapshot at a time");
        self.owed.push_mark();
        self.rare.get_or_insert_default().mark = Some(framed);
    }

    /// Whether the mark has not been reached: a snapshot is under way.
    pub fn has_mark(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.mark.is_some())
    }

    /// Bytes of answers that wait; states are not among them.
    pub fn answer_bytes(&self) -> usize {
        let parts = self.rare.iter().flat_map(|rare| &rare.parts);
        self.tail.len() + parts.map(Bytes::len).sum::<usize>()
    }

    /// Whether a send is in flight.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight
    }

    /// Whether answers and half-sent bytes are all with the kernel.
    pub fn is_flushed(&self) -> bool {
        let has_rest = self.rare.as_ref().is_some_and(|rare| !rare.rest.is_empty());
        !self.in_flight && !has_rest && self.answer_bytes() == 0
    }

    /// Forgets what states are owed: the peer is leaving.
    pub fn forget_states(&mut self) {
        self.owed.clear();
        self.take_mark();
    }

    /// Chooses what goes next and counts it as in flight.
    pub fn next<'s>(
        &mut self,
        dialect: Dialect<'_>,
        record: impl FnMut(KeyId) -> Option<&'s Record>,
    ) -> Option<Bytes> {
        if self.in_flight {
            return None;
        }
        let bytes =
            self.next_rest().or_else(|| self.next_answer()).or_else(|| self.next_states(dialect, record))?;
        self.in_flight = true;
        Some(bytes)
    }

    /// Chooses nothing until [`Outbox::sent`], unless a send is in flight already; whether it was not.
    pub fn hold_back(&mut self) -> bool {
        !mem::replace(&mut self.in_flight, true)
    }

    /// The send is back: the kernel took `written` of these bytes. What it did not take goes before all else.
    pub fn sent(&mut self, mut bytes: Bytes, written: usize) {
        debug_assert!(self.in_flight && written <= bytes.len());
        self.in_flight = false;
        let rest = bytes.split_off(written);
        if !rest.is_empty() {
            self.rare.get_or_insert_default().rest = rest;
        }
    }

    fn next_rest(&mut self) -> Option<Bytes> {
        let rest = mem::take(&mut self.rare.as_mut()?.rest);
        self.drop_rare_if_empty();
        (!rest.is_empty()).then_some(rest)
    }

    fn next_answer(&mut self) -> Option<Bytes> {
        let part = self.rare.as_mut().and_then(|rare| rare.parts.pop_front());
        self.drop_rare_if_empty();
        part.or_else(|| (!self.tail.is_empty()).then(|| Bytes::from(mem::take(&mut self.tail))))
    }

    fn take_mark(&mut self) -> Bytes {
        let mark = self.rare.as_mut().and_then(|rare| rare.mark.take());
        self.drop_rare_if_empty();
        mark.unwrap_or_default()
    }

    fn drop_rare_if_empty(&mut self) {
        let is_empty = |rare: &Rare| rare.rest.is_empty() && rare.parts.is_empty() && rare.mark.is_none();
        if self.rare.as_deref().is_some_and(is_empty) {
            self.rare = None;
        }
    }

    /// One record goes as it is, shared with everybody else who gets it; several go in one buffer.
    fn next_states<'s>(
        &mut self,
        dialect: Dialect<'_>,
        mut record: impl FnMut(KeyId) -> Option<&'s Record>,
    ) -> Option<Bytes> {
        let mut batch = Vec::new();
        while let Some(owed) = self.owed.front() {
            let piece = match owed {
                Owed::Mark => self.rare.as_ref().and_then(|rare| rare.mark.clone()).unwrap_or_default(),
                Owed::Key(key) => record(key).map(|r| speak(dialect, r)).unwrap_or_default(),
            };
            if !batch.is_empty() && batch.len() + piece.len() > BATCH_BYTES_MAX {
                break;
            }
            self.owed.pop();
            if owed == Owed::Mark {
                self.take_mark();
            }
            let is_alone = batch.is_empty() && (self.owed.is_empty() || piece.len() >= BATCH_BYTES_MAX);
            if is_alone && !piece.is_empty() {
                return Some(piece);
            }
            batch.extend_from_slice(&piece);
        }
        (!batch.is_empty()).then(|| Bytes::from(batch))
    }
}

fn speak(dialect: Dialect<'_>, record: &Record) -> Bytes {
    match dialect {
        Dialect::Frames => record.frame(),
        Dialect::Events(epoch) => {
            let mut out = Vec::with_capacity(record.json_len() + 64);
            event::record(&mut out, epoch.map(|epoch| (epoch, record.rev())), &record.json());
            Bytes::from(out)
        }
    }
}
