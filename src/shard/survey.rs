//! Questions about the broker itself: each core counts its own, and asks the runtime for what only it can see.
//!
//! Always true: whoever asked is answered in a second at most, with the parts that are here by then; a core
//! that stands still is left out and said to be. Looking changes nothing.
//!
//! Read first: `counters.rs`, `shard/contract.rs`.

use bytes::Bytes;

use crate::conn::call::{Format, Reply};
use crate::conn::explain::{Part, PeerFacts};
use crate::conn::waiting::Waiting;
use crate::counters::Counters;
use crate::ids::{ConnId, ShardId};
use crate::metrics::{self, ProcessFigures};
use crate::shard::Shard;
use crate::shard::contract::PeerMessage;
use crate::terms;
use crate::time::Now;

/// How long the other cores are waited for.
pub(super) const PATIENCE_MS: u64 = 1_000;

/// What the runtime is asked.
pub struct Survey {
    /// Facts about these connections are wanted.
    pub conns: Vec<ConnId>,
    /// Facts about the process are wanted.
    pub with_process: bool,
    from: ShardId,
    ticket: ConnId,
    about: About,
}

/// What a survey is for.
pub(super) enum About {
    /// A core's counters.
    Counters,
    /// A core's part of an explanation, without what the kernel says.
    Key(Box<Part>),
}

/// What the runtime found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Processor time of this core's loop so far, in microseconds.
    pub busy_us: u64,
    /// Connections that the kernel did not hand over so far.
    pub accept_errors: u64,
    /// The process, if that was asked.
    pub process: Option<Box<ProcessFigures>>,
    /// One for each connection that was asked for, in the same order; `None` where it is gone.
    pub peers: Vec<Option<PeerFacts>>,
}

impl Shard {
    /// What the runtime is asked next; its answer goes to [`Shard::surveyed`].
    pub fn next_survey(&mut self) -> Option<Survey> {
        self.surveys.pop_front()
    }

    /// The runtime has looked.
    pub fn surveyed(&mut self, survey: Survey, findings: Findings, now: Now) {
        self.now = now;
        let Survey { from, ticket, about, .. } = survey;
        match about {
            About::Counters => {
                let Findings { busy_us, accept_errors, process, .. } = findings;
                let counters = Box::new(Counters { busy_us, accept_errors, ..self.counters() });
                match from == self.id {
                    true => self.counted(ticket, from, counters, process),
                    false => self.links[from.index()].push(PeerMessage::Counted { ticket, counters }),
                }
            }
            About::Key(mut part) => {
                part.add(findings.peers);
                match from == self.id {
                    true => self.explained(ticket, *part),
                    false => self.links[from.index()].push(PeerMessage::Explained { ticket, part }),
                }
            }
        }
    }

    pub(super) fn begin_metrics(&mut self, id: ConnId, format: Format) {
        self.wait(id, Waiting::Metrics { format, parts: Vec::new(), process: None });
        self.set_due(id, self.now.after(PATIENCE_MS));
        for other in self.owner.others(self.id) {
            self.ask_once(other, id, PeerMessage::Count { ticket: id });
        }
        self.count_for(self.id, id);
    }

    /// A core asks for the counters, on behalf of a peer of its own.
    pub(super) fn count_for(&mut self, from: ShardId, ticket: ConnId) {
        let with_process = from == self.id;
        self.survey(Survey { conns: Vec::new(), with_process, from, ticket, about: About::Counters });
    }

    pub(super) fn survey_key(&mut self, from: ShardId, ticket: ConnId, conns: Vec<ConnId>, part: Box<Part>) {
        self.survey(Survey { conns, with_process: false, from, ticket, about: About::Key(part) });
    }

    fn survey(&mut self, survey: Survey) {
        self.surveys.push_back(survey);
    }

    /// One core's counters are here.
    pub(super) fn counted(
        &mut self,
        id: ConnId,
        from: ShardId,
        counters: Box<Counters>,
        figures: Option<Box<ProcessFigures>>,
    ) {
        let shards = usize::from(self.owner.shards());
        let Some(Waiting::Metrics { parts, process, .. }) = self.waiting_mut(id) else { return };
        // What a core says to an earlier question of this peer, late, is as good as the answer to this one.
        parts.retain(|(core, _)| *core != from);
        parts.push((from, counters));
        *process = figures.or(process.take());
        if parts.len() == shards {
            self.finish_metrics(id);
        }
    }

    /// Every core's counters are here, or time is up.
    pub(super) fn finish_metrics(&mut self, id: ConnId) {
        let Some(Waiting::Metrics { format, mut parts, process }) = self.take_waiting(id) else { return };
        parts.sort_by_key(|(shard, _)| *shard);
        let mut text = metrics::render(&parts, self.owner.shards(), process.as_deref());
        terms::render(self.license.as_deref(), self.now.wall_ms, &mut text);
        self.answer_late(id, &Reply::Metrics(Bytes::from(text)), &format);
    }

    /// Puts a question in line, unless the same one of this peer waits there still: a core that stands still
    /// is asked once, however often the peer comes.
    pub(super) fn ask_once(&mut self, to: ShardId, id: ConnId, message: PeerMessage) {
        let is_same = |waiting: &PeerMessage| match (waiting, &message) {
            (PeerMessage::Count { ticket }, PeerMessage::Count { .. }) => *ticket == id,
            (PeerMessage::Explain { ticket, key }, PeerMessage::Explain { key: asked, .. }) => {
                *ticket == id && key == asked
            }
            (_, _) => false,
        };
        if !self.links[to.index()].has(is_same) {
            self.tell(to, message);
        }
    }
}
