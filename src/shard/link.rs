//! What another core is owed.
//!
//! Always true: questions, answers and words about watching are a queue, bounded by the peers that wait for
//! them, since those of peers that have left are taken out; states are a set of keys, read when there is room
//! for one. A mark among them says that whatever was newest when the other core asked has been sent. Neither
//! kind waits for more than a few of the other.
//!
//! Read first: `dirty.rs`, `shard/contract.rs`.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::conn::waiting::Watch;
use crate::dirty::{Dirty, Owed};
use crate::ids::KeyId;
use crate::key::Pattern;
use crate::limits::LINK_TIDY_AT;
use crate::shard::contract::{JoinTicket, PeerMessage};

/// So many messages may go before a state that waits: answers are what peers wait for, but many writers on
/// another core must not keep its viewers from ever seeing what they write.
const OVERTAKING_MAX: usize = 16;

fn is_beginning(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::Watching { .. })
}

/// One other core, as this one sees it.
#[derive(Default)]
pub struct Link {
    queue: VecDeque<PeerMessage>,
    /// From this length on the queue is looked through: twice what the last look left, since it was last empty.
    tidy_at: usize,
    /// What the messages that have left make the other core believe we watch there.
    told: HashSet<Pattern, foldhash::quality::FixedState>,
    /// Messages that went since the last state.
    overtaking: usize,
    /// How many words in `queue` say from where on states count: no state may go before them.
    beginnings: usize,
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
        self.beginnings += usize::from(is_beginning(&message));
        self.queue.push_back(message);
    }

    /// Whether such a message waits.
    pub fn has(&self, is_such: impl Fn(&PeerMessage) -> bool) -> bool {
        self.queue.iter().any(is_such)
    }

    /// Promises a word to `asker` once everything owed so far was sent.
    pub fn push_mark(&mut self, asker: JoinTicket) {
        self.owed.push_mark();
        self.marks.push_back(asker);
    }

    /// Takes the next message; `state` gives the newest record of a key.
    pub fn next(&mut self, mut state: impl FnMut(KeyId) -> Option<PeerMessage>) -> Option<PeerMessage> {
        let is_states_turn = self.overtaking >= OVERTAKING_MAX && self.beginnings == 0;
        if (!is_states_turn || self.owed.is_empty())
            && let Some(message) = self.next_queued()
        {
            self.overtaking += 1;
            return Some(message);
        }
        self.overtaking = 0;
        self.next_owed(&mut state).or_else(|| self.next_queued())
    }

    fn next_queued(&mut self) -> Option<PeerMessage> {
        let message = self.queue.pop_front()?;
        self.beginnings -= usize::from(is_beginning(&message));
        if let PeerMessage::Watch { pattern, .. } = &message {
            self.told.insert(pattern.clone());
        } else if let PeerMessage::Unwatch { pattern } = &message {
            self.told.remove(pattern);
        }
        if self.queue.is_empty() {
            self.tidy_at = 0;
        }
        Some(message)
    }

    fn next_owed(&mut self, state: &mut impl FnMut(KeyId) -> Option<PeerMessage>) -> Option<PeerMessage> {
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

    /// Whether the queue is worth a look for what nobody waits for any more.
    pub fn is_long(&self) -> bool {
        self.queue.len() >= self.tidy_at.max(LINK_TIDY_AT)
    }

    /// Takes out of the queue what nobody waits for any more. Of what was said about watching a pattern, only the
    /// last end counts, if the other core heard of a beginning; and behind it the first wish, which others rely
    /// on, with those of peers that still wait.
    pub fn tidy(&mut self, is_waited_for: impl Fn(&PeerMessage) -> bool) {
        let state = foldhash::quality::FixedState::default();
        let mut ended: HashSet<Pattern, _> = HashSet::with_hasher(state.clone());
        let mut first: HashMap<Pattern, usize, _> = HashMap::with_hasher(state);
        let mut keep = vec![false; self.queue.len()];
        for (at, message) in self.queue.iter().enumerate().rev() {
            keep[at] = match message {
                PeerMessage::Watch { pattern, .. } if ended.contains(pattern) => false,
                PeerMessage::Unwatch { pattern } => {
                    ended.insert(pattern.clone()) && self.told.contains(pattern)
                }
                other => is_waited_for(other),
            };
            if let PeerMessage::Watch { pattern, .. } = message
                && !ended.contains(pattern)
            {
                first.insert(pattern.clone(), at);
            }
        }
        let told = &self.told;
        let begins = |message: &PeerMessage, at: usize| {
            let PeerMessage::Watch { pattern, .. } = message else { return false };
            first.get(pattern) == Some(&at) && (ended.contains(pattern) || !told.contains(pattern))
        };
        let mut at = 0;
        self.queue.retain(|message| {
            at += 1;
            keep[at - 1] || begins(message, at - 1)
        });
        self.tidy_at = 2 * self.queue.len();
    }

    /// Messages and keys that wait.
    pub fn len(&self) -> usize {
        self.queue.len() + self.owed.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::ids::{ConnId, ShardId};
    use crate::key::Key;
    use crate::shard::Shard;
    use crate::shard::bare::{NOW, SEED, ask, shard};
    use crate::shard::owner::Owner;

    fn foreign_key() -> String {
        let owner = Owner::new(SEED, 2);
        let is_foreign =
            |name: &String| owner.of(owner.hash(&Key::parse(name.as_bytes()).unwrap())) == ShardId(1);
        (0..).map(|n| format!("board-{n}")).find(is_foreign).unwrap()
    }

    /// Whatever the cores have for each other is brought; then what this peer of the first one is told.
    fn told(near: &mut Shard, far: &mut Shard, id: ConnId) -> String {
        let (mut any, mut said) = (true, Vec::new());
        while any {
            any = false;
            while let Some(message) = near.next_tell(ShardId(1)) {
                far.told(ShardId(0), message, NOW);
                any = true;
            }
            while let Some(message) = far.next_tell(ShardId(0)) {
                near.told(ShardId(1), message, NOW);
                any = true;
            }
        }
        while let Some((to, bytes)) = near.next_send() {
            if to == id {
                said.extend_from_slice(&bytes);
            }
            let len = bytes.len();
            near.sent(to, bytes, len, NOW);
        }
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn the_line_to_a_core_that_stands_still_grows_with_who_waits_and_not_with_who_came() {
        let (mut near, mut far) = (shard(0, 2), shard(1, 2));
        let key = foreign_key();
        let put =
            format!("PUT /api/lux/{key} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{{\"data\":1}}");
        let get = |target: &str| format!("GET /api/lux{target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let (watch, all, list) = (get(&format!("/stream/{key}")), get("/stream/*"), get("?prefix=b"));
        let asks = [put.clone(), watch.clone(), all.clone(), list];
        // Two who stay, with as many as can be coming and going before and after them.
        let come_and_go = |near: &mut Shard| {
            for n in 0..4_000 {
                let id = ask(near, &asks[n % asks.len()]);
                near.ended(id, NOW);
            }
        };
        come_and_go(&mut near);
        let writer = ask(&mut near, &put);
        let viewer = ask(&mut near, &watch);
        come_and_go(&mut near);
        let late = ask(&mut near, &all);
        come_and_go(&mut near);
        let waiting = near.counters().link_waiting;
        assert!(waiting < 64, "{waiting} messages for three who wait");
        assert!(told(&mut near, &mut far, writer).contains("HTTP/1.1 201"));
        // They stay watchers, of what they watch and of nothing else.
        let change = ask(&mut near, &put);
        for id in [viewer, late] {
            let next = ask(&mut near, &put);
            let said = told(&mut near, &mut far, id);
            assert!(said.contains("\"data\":1"), "{said}");
            near.ended(next, NOW);
        }
        for id in [writer, viewer, late, change] {
            near.ended(id, NOW);
        }
        told(&mut near, &mut far, late);
        assert!(far.links[0].watches.is_empty(), "nobody is left who watches");
    }
}
