//! Requests of this core's peers: begun, carried to whoever answers them, answered.
//!
//! Always true: a connection's next request is read when the one before has its answer, so answers leave in
//! the order of their requests and what one peer has under way is bounded.
//!
//! Read first: `conn/http.rs`, `conn/waiting.rs`.

use crate::conn::call::{Call, Exchange, Format, Outcome, Question, Reply};
use crate::conn::http::{Phase, Step};
use crate::conn::reply;
use crate::conn::waiting::Waiting;
use crate::conn::{Life, Speech};
use crate::ids::ConnId;
use crate::limits::ANSWER_BYTES_MAX;
use crate::shard::Shard;
use crate::shard::contract::PeerMessage;
use crate::time::Deadline;
use crate::wire::WireError;

impl Shard {
    /// Reads requests from bytes that came in, behind those that were held back.
    pub(super) fn read_requests(&mut self, id: ConnId, fresh: &[u8]) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Http(http, _) = &mut conn.speech else { return };
        if http.is_being_read() {
            // An answer came at once; whoever reads this connection goes on behind it.
            return;
        }
        let before = (http.phase(), http.heads());
        self.attend(id);
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Http(http, _) = &mut conn.speech else { return };
        match http.begin_reading(fresh) {
            None => {
                let used = self.read_requests_from(id, fresh);
                self.with_http(id, |http| http.end_reading(&fresh[used..]));
            }
            Some(bytes) => {
                let used = self.read_requests_from(id, &bytes);
                self.with_http(id, |http| http.end_reading_of(bytes, used));
            }
        }
        self.weigh(id);
        self.shed_head(id);
        self.set_phase_deadline(id, before);
        self.end_if_done(id);
        self.queue(id);
    }

    /// Heads that take their time are what takes memory that nobody was promised.
    fn shed_head(&mut self, id: ConnId) {
        if !self.is_past_mark() {
            return;
        }
        if let Some(conn) = self.conns.get(id)
            && let Speech::Http(http, _) = &conn.speech
            && (conn.life, http.phase()) == (Life::Open, Phase::Head)
        {
            self.note_refusal(&WireError::Overloaded);
            self.refuse_and_close(id, WireError::Overloaded);
        }
    }

    fn read_requests_from(&mut self, id: ConnId, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let Some(conn) = self.conns.get_mut(id) else { return bytes.len() };
            if conn.life != Life::Open {
                return bytes.len();
            }
            let Speech::Http(http, _) = &mut conn.speech else {
                self.read_viewer(id, &mut bytes[at..].to_vec());
                return bytes.len();
            };
            if conn.outbox.answer_bytes() > ANSWER_BYTES_MAX {
                return at;
            }
            let (used, step) = http.next(&bytes[at..], &self.house, self.now);
            at += used;
            match step {
                Step::NeedMore => return at,
                Step::GoOn => {}
                Step::Continue => conn.outbox.tail().extend_from_slice(reply::CONTINUE),
                Step::Exchange(exchange) => self.begin(id, *exchange),
                Step::Lost => self.begin_close(id),
                Step::Refused(error, format) => {
                    self.note_refusal(&error);
                    self.write_reply(id, &Reply::Error(error), &format);
                }
            }
        }
    }

    fn begin(&mut self, id: ConnId, exchange: Exchange) {
        let Exchange { call, format } = exchange;
        match call {
            Call::Answered(reply) => self.answer(id, &reply, &format),
            Call::Key(question) => self.ask(id, question, format),
            Call::Wait { key, wait_ms, holder } => {
                self.begin_poll(id, key, wait_ms, Waiting::Poll { format, holder });
            }
            Call::List(_) if self.is_past_mark() => {
                self.note_refusal(&WireError::Overloaded);
                self.answer(id, &Reply::Error(WireError::Overloaded), &format);
            }
            Call::List(listing) => self.begin_list(id, listing, format),
            Call::Stream(viewing) => self.open_stream(id, viewing, &format),
            Call::Metrics => self.begin_metrics(id, format),
            Call::Explain(key) => self.begin_explain(id, key, format),
        }
    }

    fn ask(&mut self, id: ConnId, question: Question, format: Format) {
        let hash = self.owner.hash(question.key());
        let owner = self.owner.of(hash);
        if owner == self.id {
            let (outcome, changed) = self.carry_out(question, hash);
            self.answer(id, &Reply::Outcome(outcome), &format);
            if let Some(key) = changed {
                self.changed(key);
            }
        } else {
            let away_bytes = question.bytes();
            self.with_http(id, |http| http.away_bytes = away_bytes);
            self.wait(id, Waiting::Owner(format));
            self.tell(owner, PeerMessage::Ask { ticket: id, question });
        }
    }

    /// An owner's answer came back.
    pub(super) fn owner_answered(&mut self, id: ConnId, outcome: Outcome) {
        if let Some(Waiting::Owner(format)) = self.take_waiting(id) {
            self.answer_late(id, &Reply::Outcome(outcome), &format);
        }
    }

    /// Puts down what a connection waits for.
    pub(super) fn wait(&mut self, id: ConnId, waiting: Waiting) {
        if let Some(conn) = self.conns.get_mut(id)
            && let Speech::Http(_, slot) = &mut conn.speech
        {
            *slot = Some(Box::new(waiting));
        }
    }

    /// Takes what a connection waits for.
    pub(super) fn take_waiting(&mut self, id: ConnId) -> Option<Waiting> {
        match &mut self.conns.get_mut(id)?.speech {
            Speech::Http(_, waiting) => waiting.take().map(|boxed| *boxed),
            Speech::Stream(_) => None,
        }
    }

    /// What a connection waits for, left in place.
    pub(super) fn waiting_mut(&mut self, id: ConnId) -> Option<&mut Waiting> {
        match &mut self.conns.get_mut(id)?.speech {
            Speech::Http(_, waiting) => waiting.as_deref_mut(),
            Speech::Stream(_) => None,
        }
    }

    /// Answers the exchange under way from inside the reading of its connection.
    pub(super) fn answer(&mut self, id: ConnId, reply: &Reply, format: &Format) {
        self.with_http(id, |http| http.answered());
        self.write_reply(id, reply, format);
    }

    /// Answers it later, and reads on: requests may wait behind it.
    pub(super) fn answer_late(&mut self, id: ConnId, reply: &Reply, format: &Format) {
        self.answer(id, reply, format);
        self.read_requests(id, &[]);
    }

    /// Writes an answer; the connection ends with it if the answer says so.
    pub(super) fn write_reply(&mut self, id: ConnId, reply: &Reply, format: &Format) {
        self.counters.requests += 1;
        let letterhead = reply::Letterhead { epoch: &self.house.epoch, date: self.date.at(self.now.wall_ms) };
        let Some(conn) = self.conns.get_mut(id) else { return };
        let last;
        let format = match self.house.draining {
            true => {
                last = Format { close: true, ..format.clone() };
                &last
            }
            false => format,
        };
        let before = conn.outbox.answer_bytes();
        let status = reply::write(&mut conn.outbox, reply, format, &letterhead);
        if self.house.guard.keeps_log {
            let bytes = conn.outbox.answer_bytes() - before;
            self.log_answer(id, status, bytes);
        }
        if format.close {
            self.begin_close(id);
        }
        self.queue(id);
    }

    fn with_http(&mut self, id: ConnId, act: impl FnOnce(&mut crate::conn::http::Http)) {
        if let Some(conn) = self.conns.get_mut(id)
            && let Speech::Http(http, _) = &mut conn.speech
        {
            act(http);
        }
    }

    /// A new phase, or a new request in the same one, has a new deadline.
    fn set_phase_deadline(&mut self, id: ConnId, before: (Phase, u32)) {
        let limits = &self.house.limits;
        let Some(conn) = self.conns.get(id) else { return };
        let Speech::Http(http, waiting) = &conn.speech else { return };
        if conn.life != Life::Open || waiting.as_deref().is_some_and(Waiting::has_deadline) {
            return;
        }
        let due = match http.phase() {
            Phase::Head | Phase::Body | Phase::Rest if (http.phase(), http.heads()) == before => return,
            Phase::Head => self.now.after(limits.head_timeout_ms),
            Phase::Body | Phase::Rest => self.now.after(limits.body_timeout_ms),
            Phase::Idle => self.now.after(limits.idle_timeout_ms),
            Phase::Answering => Deadline::NEVER,
        };
        self.set_due(id, due);
    }
}
