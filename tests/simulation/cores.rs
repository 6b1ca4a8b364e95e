//! What the cores do among themselves: speak, be told, wake, obey the process.
//!
//! Always true: a queue between two cores holds what its capacity allows; what finds no room stays with the
//! core that would send it.
//!
//! Read first: `moves.rs`.

use lux::ids::ShardId;
use lux::shard::contract::{Close, PeerMessage};
use lux::shard::survey::Findings;

use crate::breach::{Kept, hold};
use crate::expect::Ask;
use crate::world::{Word, World};

impl World {
    /// A core hands a message to the queue to another.
    pub fn tell(&mut self, from: usize, to: usize) -> Kept<bool> {
        if from == to || self.is_stalled(from) || self.cores[to].incoming[from].len() >= self.plan.mesh_cap {
            return Ok(false);
        }
        let shows = self.shows;
        let own = &mut self.cores[from];
        let target = ShardId(to as u16);
        let (waiting, owed) = own.shard.link_len(target);
        let Some(message) = own.shard.next_tell(target) else { return Ok(false) };
        if shows {
            println!("{:>6}   core {from} tells core {to}: {}", self.step, name(&message));
        }
        // No state may go before the word from where on states count, so with each of those it waits anew.
        let is_turn = matches!(
            message,
            PeerMessage::State { .. } | PeerMessage::Watched { .. } | PeerMessage::Watching { .. }
        );
        let (overtaken, longest) = own.overtaken[to];
        let (overtaken, longest) = match is_turn || owed == 0 {
            true => (0, 0),
            false => (overtaken + 1, longest.max(waiting)),
        };
        own.overtaken[to] = (overtaken, longest);
        hold(overtaken <= longest + 32, "fair", || {
            format!(
                "{overtaken} messages from core {from} to core {to} went before a state that waits, \
                 where no more than {longest} waited at once"
            )
        })?;
        self.cores[to].incoming[from].push_back(message);
        self.trace.number((from * 64 + to) as u64);
        Ok(true)
    }

    /// A core takes a message out of the queue from another.
    pub fn be_told(&mut self, to: usize, from: usize) -> Kept<bool> {
        if self.is_stalled(to) {
            return Ok(false);
        }
        let now = self.now;
        let own = &mut self.cores[to];
        let Some(message) = own.incoming[from].pop_front() else { return Ok(false) };
        if self.shows {
            println!("{:>6}   core {to} is told by core {from}: {}", self.step, name(&message));
        }
        own.shard.told(ShardId(from as u16), message, now);
        self.trace.number((to * 64 + from) as u64 + 4096);
        self.observe(to)?;
        Ok(true)
    }

    /// What the runtime does besides: the process's words, deadlines, reads to be resumed, ends.
    pub fn do_chores(&mut self, core: usize) -> Kept<bool> {
        if self.is_stalled(core) {
            return Ok(false);
        }
        let now = self.now;
        let mut any = false;
        if let Some(word) = self.cores[core].words.pop_front() {
            self.obey(core, word);
            any = true;
        }
        if now.reached(self.cores[core].shard.deadline()) {
            self.cores[core].shard.woken(now);
            let again = self.cores[core].shard.deadline();
            hold(!now.reached(again), "nothing spins", || format!("due again at {again:?} at {now:?}"))?;
            any = true;
        }
        while let Some(id) = self.cores[core].shard.next_read() {
            if let Some(at) = self.find(core, id) {
                self.read_more(at);
            }
            any = true;
        }
        while let Some(survey) = self.cores[core].shard.next_survey() {
            self.cores[core].shard.surveyed(survey, Findings::default(), now);
            any = true;
        }
        while let Some((id, close)) = self.cores[core].shard.next_close() {
            any = true;
            let Some(at) = self.find(core, id) else { continue };
            self.note(|| format!("core {core} closes conn {at}: {close:?}"));
            let is_flushed = self.socks[at].as_ref().is_none_or(|sock| sock.writing.is_none());
            hold(close == Close::Both || is_flushed, "no answer is cut short", || {
                format!("conn {at} is told to say no more with a send under way")
            })?;
            let waits = self.cores[core].shard.debt(id).is_some_and(|debt| debt.answer_bytes > 0);
            self.came_back(at, |sock| {
                sock.quiet.note(now.monotonic_ms - sock.arrived_ms);
                sock.was_cut |= waits || sock.writing.is_some() || !sock.tap.rest.is_empty();
            });
            self.came_back(at, |sock| match close {
                Close::Write => sock.down_end = true,
                Close::Both => (sock.over, sock.down_end) = (true, true),
            });
            self.end_if_idle(at);
        }
        self.observe(core)?;
        self.save(core)?;
        Ok(any)
    }

    /// A poll that waits and whose key may not read any more will not see what comes.
    fn note_refused_polls(&mut self, core: usize) {
        for sock in self.socks.iter().flatten().filter(|sock| sock.core == core && !sock.gone) {
            let Some(client) = sock.client else { continue };
            let client = &mut self.clients[client];
            let is_silent = sock.down.is_empty() && sock.writing.is_none() && sock.tap.rest.is_empty();
            let debt = self.cores[core].shard.debt(sock.id).unwrap_or_default();
            let (truth, table) = (&self.truth, &self.cores[core].table);
            if let Some(expect) = client.line.as_mut().and_then(|line| line.expects.front_mut())
                && let Ask::Wait { key, .. } = expect.ask
                && is_silent
                && sock.up.is_empty()
                && debt.watches > 0
                && !table.may_read(client.holder, truth.name(key))
            {
                expect.allowed = false;
            }
        }
    }

    fn obey(&mut self, core: usize, word: Word) {
        let now = self.now;
        let own = &mut self.cores[core];
        match word {
            Word::Reload(table) => {
                own.shard.reload(table.access.clone(), now);
                own.table = table;
                self.note_refused_polls(core);
            }
            Word::Drain => {
                own.shard.drain(now);
                own.draining = true;
            }
        }
    }
}

fn name(message: &PeerMessage) -> String {
    match message {
        PeerMessage::Ask { question, .. } => format!("ask {}", question.key()),
        PeerMessage::Answer { .. } => "answer".to_owned(),
        PeerMessage::List { .. } => "list".to_owned(),
        PeerMessage::Listed { .. } => "listed".to_owned(),
        PeerMessage::Count { .. } => "count".to_owned(),
        PeerMessage::Counted { .. } => "counted".to_owned(),
        PeerMessage::Explain { key, .. } => format!("explain {key}"),
        PeerMessage::Explained { .. } => "explained".to_owned(),
        PeerMessage::Watch { pattern, .. } => format!("watch {pattern}"),
        PeerMessage::Watching { pattern, .. } => format!("watching {pattern}"),
        PeerMessage::Watched { .. } => "watched".to_owned(),
        PeerMessage::Unwatch { pattern } => format!("unwatch {pattern}"),
        PeerMessage::State { key, record } => format!("{key} is at {}", record.rev().0),
    }
}
