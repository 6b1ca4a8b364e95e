//! What another core is owed.
//!
//! Always true: questions, answers and words about watching are a queue, bounded by the peers that wait for
//! them; states are a set of keys, read when there is room for one. A mark among them says that whatever was
//! newest when the other core asked has been sent.
//!
//! Read first: `dirty.rs`, `shard/contract.rs`.

use std::collections::{HashMap, VecDeque};

use crate::conn::waiting::Watch;
use crate::dirty::{Dirty, Owed};
use crate::ids::KeyId;
use crate::key::Pattern;
use crate::shard::contract::{JoinTicket, PeerMessage};

/// One other core, as this one sees it.
#[derive(Default)]
pub struct Link {
    queue: VecDeque<PeerMessage>,
    /// Keys whose newest record it is owed.
    pub owed: Dirty,
    /// Whose wish each mark in `owed` answers, oldest first.
    marks: VecDeque<JoinTicket>,
    /// What it watches here.
    pub watches: HashMap<Pattern, Watch, foldhash::quality::FixedState>,
}

impl Link {
    /// Queues a message.
    pub fn push(&mut self, message: PeerMessage) {
        self.queue.push_back(message);
    }

    /// Promises a word to `asker` once everything owed so far was sent.
    pub fn push_mark(&mut self, asker: JoinTicket) {
        self.owed.push_mark();
        self.marks.push_back(asker);
    }

    /// Takes the next message; `state` gives the newest record of a key.
    pub fn next(&mut self, mut state: impl FnMut(KeyId) -> Option<PeerMessage>) -> Option<PeerMessage> {
        if let Some(message) = self.queue.pop_front() {
            return Some(message);
        }
        loop {
            match self.owed.pop()? {
                Owed::Mark => return self.marks.pop_front().map(|ticket| PeerMessage::Watched { ticket }),
                Owed::Key(key) => match state(key) {
                    Some(message) => return Some(message),
                    None => continue,
                },
            }
        }
    }

    /// Messages and keys that wait.
    pub fn len(&self) -> usize {
        self.queue.len() + self.owed.len()
    }
}
