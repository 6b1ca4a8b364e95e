//! How connections end: by their own wish, by ours, by time, all together.
//!
//! Always true: what was answered before the end is sent before it. Then we say that nothing more follows
//! and read on for a moment, since closing with bytes unread would take our last answer away from the peer.
//!
//! Read first: `conn/mod.rs`.

use crate::conn::call::{Format, Reply};
use crate::conn::http::Phase;
use crate::conn::waiting::Waiting;
use crate::conn::{Life, Speech};
use crate::ids::ConnId;
use crate::limits::{ANSWER_BYTES_MAX, DRAIN_IDLE_MS, LINGER_MS};
use crate::shard::Shard;
use crate::shard::contract::Close;
use crate::shard::viewers::CLOSE_RESTART;
use crate::time::{Deadline, Now};
use crate::wire::WireError;

impl Shard {
    /// A connection to be ended by the runtime, and how.
    pub fn next_close(&mut self) -> Option<(ConnId, Close)> {
        self.closes.pop_front()
    }

    /// The broker stops: viewers are sent away, polls answered, requests under way given time.
    pub fn drain(&mut self, now: Now) {
        self.now = now;
        self.house.draining = true;
        for id in self.conns.ids() {
            match self.conns.get(id).map(|conn| &conn.speech) {
                Some(Speech::Stream(_)) => self.close_viewer(id, CLOSE_RESTART, "the broker is restarting"),
                Some(Speech::Http(_, Some(_))) => self.end_poll(id),
                Some(Speech::Http(http, None)) if http.phase() == Phase::Idle => {
                    self.set_due(id, now.after(DRAIN_IDLE_MS));
                }
                Some(Speech::Http(_, None)) | None => {}
            }
        }
    }

    /// Nothing more is read from this peer; what it was answered still goes out.
    pub(super) fn begin_close(&mut self, id: ConnId) {
        self.retire(id, Life::Closing);
        self.set_due(id, self.now.after(self.house.limits.body_timeout_ms));
        self.queue(id);
        self.resume(id);
    }

    /// The peer spoke plain HTTP to a broker that speaks TLS. What it said was not looked at.
    pub fn refuse_plain_http(&mut self, id: ConnId, now: Now) {
        self.now = now;
        if self.conns.get(id).is_some_and(|conn| conn.life == Life::Open) {
            self.refuse_and_close(id, WireError::PlainHttp);
        }
    }

    /// All that was answered is with the kernel; a closing connection goes on to its next stage.
    pub(super) fn after_flush(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.life != Life::Closing || !conn.outbox.is_flushed() {
            return;
        }
        if conn.peer_done {
            return self.end_now(id);
        }
        conn.life = Life::Lingering;
        self.closes.push_back((id, Close::Write));
        self.set_due(id, self.now.after(LINGER_MS));
    }

    /// The peer will send nothing more. What it asked for before is still answered.
    pub(super) fn peer_finished(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.peer_done = true;
        match (conn.life, &conn.speech) {
            (Life::Over | Life::Closing, _) => {}
            (Life::Lingering, _) => self.end_now(id),
            // What waits because its answers would have piled up is still read.
            (Life::Open, Speech::Http(..)) => self.read_requests(id, &[]),
            (Life::Open, Speech::Stream(_)) => self.end_if_done(id),
        }
    }

    /// Ends a connection whose peer will send nothing more, once its last request has its answer. A viewer is
    /// gone then, and so is whoever polls.
    pub(super) fn end_if_done(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        if (conn.life, conn.peer_done) != (Life::Open, true) {
            return;
        }
        let answer_bytes = conn.outbox.answer_bytes();
        match &conn.speech {
            Speech::Stream(_) if answer_bytes == 0 => self.end_now(id),
            Speech::Stream(_) => self.begin_close(id),
            Speech::Http(http, waiting) => {
                let is_poll = matches!(waiting.as_deref(), Some(Waiting::Poll { .. }));
                let is_answered = http.phase() != Phase::Answering && answer_bytes <= ANSWER_BYTES_MAX;
                if is_poll || is_answered {
                    self.begin_close(id);
                }
            }
        }
    }

    /// Ends a connection, both ways.
    pub(super) fn end_now(&mut self, id: ConnId) {
        self.retire(id, Life::Over);
        self.set_due(id, Deadline::NEVER);
        self.closes.push_back((id, Close::Both));
    }

    /// Takes a connection out of everything it takes part in.
    pub(super) fn retire(&mut self, id: ConnId, life: Life) {
        self.forget_expiry(id);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.life == Life::Open && conn.is_viewer() {
            self.counters.viewers -= 1;
            self.log_stream_end(id);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.life = life;
        if let Speech::Stream(stream) = &mut conn.speech {
            stream.later = None;
        }
        self.leave_everything(id);
        if let Some(conn) = self.conns.get_mut(id) {
            conn.outbox.forget_states();
        }
    }

    /// The timer's look at a connection that was armed for this moment.
    pub(super) fn look_at(&mut self, id: ConnId, armed: Deadline) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.armed != armed {
            return;
        }
        conn.armed = Deadline::NEVER;
        let due = conn.due;
        match (conn.life, &conn.speech) {
            _ if !now.reached(due) => self.set_due(id, due),
            (Life::Over, _) => {}
            (Life::Closing | Life::Lingering, _) => self.end_now(id),
            (Life::Open, Speech::Stream(_)) => self.beat(id),
            (Life::Open, Speech::Http(_, Some(waiting))) => match **waiting {
                Waiting::Metrics { .. } => self.finish_metrics(id),
                Waiting::Explain { .. } => self.finish_explain(id),
                Waiting::Poll { .. } | Waiting::Owner(_) | Waiting::List { .. } => self.end_poll(id),
            },
            (Life::Open, Speech::Http(http, None)) => match http.phase() {
                // A stopping broker does not wait for peers that have nothing under way to hang up.
                Phase::Idle if self.house.draining && conn.outbox.is_flushed() => self.end_now(id),
                // Both have all the answers they get.
                Phase::Idle | Phase::Rest => self.begin_close(id),
                Phase::Head => {
                    self.refuse_and_close(id, WireError::HeadTimeout(self.house.limits.head_timeout_ms));
                }
                Phase::Body => {
                    self.refuse_and_close(id, WireError::BodyTimeout(self.house.limits.body_timeout_ms));
                }
                Phase::Answering => {}
            },
        }
    }

    /// Refuses what could not be read, or came too late, and ends the connection.
    pub(super) fn refuse_and_close(&mut self, id: ConnId, error: WireError) {
        let format = Format::of_the_unread(&self.house.origins);
        self.write_reply(id, &Reply::Error(error), &format);
    }
}
