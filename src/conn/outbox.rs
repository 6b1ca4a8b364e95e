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
use smallvec::SmallVec;

use crate::dirty::{Dirty, Owed};
use crate::ids::{Epoch, KeyId, Rev};
use crate::limits::BATCH_BYTES_MAX;
use crate::wire::event;
use crate::wire::record::Record;

/// The writing side of one connection. There is one for each viewer, so what few need stands behind a
/// pointer.
#[derive(Default)]
pub struct Outbox {
    in_flight: bool,
    /// It was told of the change that is being spread; of one that it watches in two ways it is told once.
    pub is_told: bool,
    /// How often a change took the place of one not sent yet. It stands where there was room for nothing else.
    conflated: u32,
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
    /// What the peer was last given of keys that have changed more than once since.
    lags: SmallVec<[Lag; 1]>,
}

/// What a viewer was last given of a key that it is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Which key.
    pub key: KeyId,
    /// The revision that it was given.
    pub rev: Rev,
    /// When that was written, Unix milliseconds; 0 for one that says there is nothing.
    pub updated_at_ms: u64,
    /// When the revision after it was written, Unix milliseconds: since then the viewer is behind.
    pub since_ms: u64,
}

/// For so many keys of one viewer it is known what it was last given while it is behind.
pub const LAGS_MAX: usize = 8;

/// Where the newest records are, and who is to hear that one of them was chosen.
pub trait States {
    /// The newest record of a key as bytes, which go out now: as a change, or as part of a snapshot. None, and
    /// nothing goes out, if `speak` finds no room for it; nothing in it where there is no record.
    fn give(
        &mut self,
        key: KeyId,
        is_change: bool,
        speak: impl FnOnce(&Record) -> Option<Bytes>,
    ) -> Option<Bytes>;
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
        self.forget_owed();
        self.take_mark();
    }

    /// Forgets which keys are owed.
    pub fn forget_owed(&mut self) {
        self.owed.clear();
        self.keep_lags(|_| false);
    }

    /// Keeps only the keys that pass.
    pub fn retain_owed(&mut self, keep: impl FnMut(KeyId) -> bool) {
        self.owed.retain(keep);
        if self.rare.is_some() {
            let owed = mem::take(&mut self.owed);
            self.keep_lags(|key| owed.contains(key));
            self.owed = owed;
        }
    }

    /// A change took the place of one not sent yet; `lag` says what the peer has, if this is the first to do so.
    #[inline]
    pub fn conflate(&mut self, lag: Option<&Lag>) {
        self.conflated = self.conflated.saturating_add(1);
        let Some(lag) = lag else { return };
        if let Some(rare) = &self.rare
            && (rare.mark.is_some() || rare.lags.first().is_some_and(|known| known.key == lag.key))
        {
            // It is noted already; or what it is owed may be part of a snapshot, and it has nothing yet.
            return;
        }
        self.note(lag);
    }

    #[cold]
    fn note(&mut self, lag: &Lag) {
        let lags = &mut self.rare.get_or_insert_default().lags;
        if lags.len() < LAGS_MAX && lags.iter().all(|known| known.key != lag.key) {
            lags.push(*lag);
        }
    }

    /// How often a change took the place of one not sent yet.
    pub fn conflated(&self) -> u32 {
        self.conflated
    }

    /// What is known of keys that changed more than once since the peer was given them.
    pub fn lags(&self) -> &[Lag] {
        self.rare.as_ref().map(|rare| rare.lags.as_slice()).unwrap_or_default()
    }

    fn keep_lags(&mut self, mut keep: impl FnMut(KeyId) -> bool) {
        if let Some(rare) = &mut self.rare {
            rare.lags.retain(|lag| keep(lag.key));
        }
        self.drop_rare_if_empty();
    }

    /// Chooses what goes next and counts it as in flight.
    pub fn next(&mut self, dialect: Dialect<'_>, states: &mut impl States) -> Option<Bytes> {
        if self.in_flight {
            return None;
        }
        let bytes =
            self.next_rest().or_else(|| self.next_part()).or_else(|| self.next_batch(dialect, states))?;
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

    fn next_part(&mut self) -> Option<Bytes> {
        let part = self.rare.as_mut()?.parts.pop_front();
        self.drop_rare_if_empty();
        part
    }

    fn take_mark(&mut self) -> Bytes {
        let mark = self.rare.as_mut().and_then(|rare| rare.mark.take());
        self.drop_rare_if_empty();
        mark.unwrap_or_default()
    }

    fn drop_rare_if_empty(&mut self) {
        let is_empty = |rare: &Rare| {
            rare.rest.is_empty() && rare.parts.is_empty() && rare.mark.is_none() && rare.lags.is_empty()
        };
        if self.rare.as_deref().is_some_and(is_empty) {
            self.rare = None;
        }
    }

    /// One record goes as it is, shared with everybody else who gets it; several go in one buffer, and so do those
    /// behind a small answer: a viewer's beginning is one send, from the handshake to `synced`.
    fn next_batch(&mut self, dialect: Dialect<'_>, states: &mut impl States) -> Option<Bytes> {
        let mut batch = mem::take(&mut self.tail);
        while let Some(owed) = self.owed.front() {
            let fits = |piece: Bytes| {
                (batch.is_empty() || batch.len() + piece.len() <= BATCH_BYTES_MAX).then_some(piece)
            };
            let mark = self.rare.as_ref().and_then(|rare| rare.mark.as_ref());
            let piece = match owed {
                Owed::Mark => fits(mark.cloned().unwrap_or_default()),
                Owed::Key(key) => states.give(key, mark.is_none(), |record| fits(speak(dialect, record))),
            };
            let Some(piece) = piece else { break };
            self.owed.pop();
            match owed {
                Owed::Mark => drop(self.take_mark()),
                Owed::Key(key) if self.rare.is_some() => self.keep_lags(|other| other != key),
                Owed::Key(_) => {}
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
