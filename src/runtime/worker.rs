//! One core's loop: what happened goes into the shard, what it wants comes out, until nothing is left.
//!
//! Always true: a turn takes in what has happened, up to a bound, before anything is sent, so what a burst of
//! writes leaves to say is said once. Answers go to the kernel before a fan-out is made ready, and a large
//! fan-out goes in several submissions with a look at what has happened between them. A connection's slot is
//! given back only when every operation on it has landed.
//!
//! Read first: `shard/contract.rs`, `runtime/lines.rs`.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use tokio::time::{Instant, Sleep};

use crate::guard::memory::Notice;
use crate::ids::{ConnId, ShardId};
use crate::runtime::clock::Clock;
use crate::runtime::door::Door;
use crate::runtime::journal::Journal;
use crate::runtime::lines::{Happened, Lines};
use crate::runtime::look::{self, Began};
use crate::runtime::mesh::{Command, Port};
use crate::runtime::pulse::Pulse;
use crate::runtime::saver::Saver;
use crate::runtime::sockets::Landed;
use crate::runtime::stopping::Stopping;
use crate::shard::Shard;
use crate::shard::contract::Close;
use crate::shard::survey::{Findings, Survey};
use crate::time::{Deadline, Now};

/// Connections taken in per submission: a storm of them leaves room for those who are here.
const ACCEPTS: usize = 8;
/// Connections closed per submission: the kernel takes its time over each, and thousands may leave at once.
const CLOSES: usize = 4;
/// Reads looked at per submission: thousands may be back at once when thousands leave.
const READS: usize = 64;
/// Sends per submission: how long a fan-out keeps answers and newer states waiting.
const SENDS: usize = 128;
/// Fan-outs up to this size go along with the answer to the write that caused them.
const SMALL_FAN_OUT: usize = 8;

/// One core.
pub struct Worker {
    shard: Shard,
    others: Vec<ShardId>,
    port: Port,
    clock: Clock,
    lines: Lines,
    door: Door,
    /// The last submission held answers only: the next one is the fan-out's.
    answered: bool,
    /// As many came in, or were heard, as may be at a time: there may be more, and what these ask goes first.
    is_crowded: bool,
    timer: Pin<Box<Sleep>>,
    timer_at: Deadline,
    stopping: Stopping,
    pulse: Pulse,
    journal: Option<Journal>,
    /// The line to whoever writes snapshots.
    saver: Option<Saver>,
    began: Began,
}

impl Worker {
    /// A core that has not begun. To be called on its own thread, inside its runtime.
    pub fn new(
        shard: Shard,
        others: Vec<ShardId>,
        port: Port,
        door: Door,
        stopping: Stopping,
        pulse: Pulse,
        began: Began,
    ) -> Worker {
        Worker {
            shard,
            others,
            port,
            clock: Clock::start(),
            lines: Lines::new(None),
            door,
            answered: false,
            is_crowded: false,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: Deadline(0),
            stopping,
            pulse,
            began,
            journal: None,
            saver: None,
        }
    }

    /// The same core, which writes down what was asked.
    pub fn with_journal(mut self, journal: Option<Journal>) -> Worker {
        self.journal = journal;
        self
    }

    /// The same core, which hands its states to whoever writes snapshots.
    pub fn with_saver(mut self, saver: Option<Saver>) -> Worker {
        self.saver = saver;
        self
    }

    /// The same, speaking TLS where there is a configuration for it.
    pub fn with_tls(self, config: Option<Arc<ServerConfig>>) -> Worker {
        Worker { lines: Lines::new(config), ..self }
    }

    /// Runs until the broker has stopped, and every state of this core was taken.
    pub async fn run(mut self) {
        std::future::poll_fn(|cx| self.turn(cx)).await;
        if let Some(saver) = self.saver {
            saver.finish(&mut self.shard);
        }
    }

    /// One turn: take in, send out, and again while there is something new.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pulse.tick();
        self.lines.wake(cx);
        loop {
            self.port.listen(cx.waker());
            let now = self.clock.now();
            if self.journal.is_some() {
                self.shard.at_us(self.clock.us());
            }
            let took_any = self.take_in(cx, now);
            let is_all = self.send_out(now);
            self.write_down();
            if self.stopping.is_over(self.shard.is_deserted(), now) {
                return Poll::Ready(());
            }
            let saves_on = self.saver.as_mut().is_some_and(|saver| saver.give(&mut self.shard, now));
            let has_more = !is_all || self.is_crowded || saves_on || self.lines.has_more();
            if has_more || (!took_any && !self.arm_timer(cx)) {
                self.lines.listen(has_more, cx);
                return Poll::Pending;
            }
        }
    }

    /// Everything that has happened; whether anything has.
    fn take_in(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        let mut any = false;
        while let Some((from, message)) = self.port.next_message() {
            self.shard.told(from, message, now);
            any = true;
        }
        self.is_crowded = false;
        any |= self.hear(now);
        if self.lines.shake_hands() {
            self.hear(now);
            any = true;
        }
        any |= self.let_in(cx, now);
        // Behind what has happened: a write that is here already is no write to a broker that stops.
        while let Some(command) = self.port.next_command() {
            self.obey(command, now);
            any = true;
        }
        if now.reached(self.shard.deadline()) {
            self.shard.woken(now);
            any = true;
        }
        any
    }

    /// What has happened on the lines; whether anything has.
    fn hear(&mut self, now: Now) -> bool {
        let (mut any, mut reads) = (false, 0);
        while reads < READS
            && let Some(happened) = self.lines.next_happened()
        {
            match happened {
                Happened::Landed(Landed::Read(id, result, buffer)) => {
                    self.read(id, result, buffer, now);
                    reads += 1;
                }
                Happened::Landed(Landed::Wrote(id, result, bytes)) => self.wrote(id, result, bytes, now),
                Happened::Free(id) => self.shard.sent(id, Bytes::new(), 0, now),
                Happened::PlainHttp(id) => {
                    self.shard.refuse_plain_http(id, now);
                    self.read_more(id, Box::default());
                }
            }
            any = true;
        }
        self.is_crowded |= reads == READS;
        any
    }

    fn obey(&mut self, command: Command, now: Now) {
        match command {
            Command::Reload(access) => self.shard.reload(access, now),
            Command::Rule(rules) => {
                self.stopping.reload(rules.limits.drain_ms);
                self.shard.rule(*rules);
            }
            Command::Certify(config) => self.lines.reload(config),
            Command::License(held) => self.shard.hold_license(held),
            Command::Drain => {
                self.stopping.begin(now);
                self.door.close();
                self.shard.drain(now);
            }
            Command::Halt => self.stopping.halt(),
        }
    }

    /// Some of those who wait at the door; whether anybody does.
    fn let_in(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        let most = self.shard.room().min(ACCEPTS);
        let mut count = 0;
        while count < most
            && let Some((stream, ip)) = self.door.next(self.shard.connections(), cx)
        {
            self.welcome(stream, ip, now);
            count += 1;
        }
        self.is_crowded |= count == ACCEPTS;
        count > 0
    }

    fn welcome(&mut self, stream: TcpStream, ip: IpAddr, now: Now) {
        let Some(id) = self.shard.opened_from(ip, now) else { return };
        self.lines.open(id, stream);
        self.read_more(id, Box::default());
    }

    fn read(&mut self, id: ConnId, result: io::Result<usize>, mut buffer: Box<[u8]>, now: Now) {
        match result {
            Ok(0) => self.shard.finished(id, now),
            Ok(len) => {
                self.shard.received(id, &mut buffer[..len], now);
                self.read_more(id, buffer);
            }
            Err(_) => self.lines.break_off(id),
        }
        self.end_if_idle(id, now);
    }

    /// Reads on, if the shard wants more from this connection; in the same buffer, if it fits.
    fn read_more(&mut self, id: ConnId, buffer: Box<[u8]>) {
        let appetite = self.shard.appetite(id);
        if appetite == 0 || !self.lines.may_read(id) {
            return;
        }
        self.lines.read(id, appetite, buffer);
    }

    fn wrote(&mut self, id: ConnId, result: io::Result<usize>, bytes: Bytes, now: Now) {
        match result {
            Ok(written) if written > 0 => self.shard.sent(id, bytes, written, now),
            Ok(_) | Err(_) => self.lines.break_off(id),
        }
        self.end_if_idle(id, now);
    }

    /// What the shard wants, as much as goes in one submission; whether that was all.
    fn send_out(&mut self, now: Now) -> bool {
        let is_all = self.send();
        while let Some(id) = self.shard.next_read() {
            self.read_more(id, Box::default());
        }
        while let Some(id) = self.lines.next_to_flush() {
            let holds = self.shard.hold_back(id);
            self.lines.flush(id, holds);
        }
        self.lines.begin_reads();
        let mut closes = 0;
        while closes < CLOSES
            && let Some((id, close)) = self.shard.next_close()
        {
            closes += 1;
            match close {
                Close::Write => self.lines.shut_write(id),
                Close::Both => self.lines.break_off(id),
            }
            self.end_if_idle(id, now);
        }
        // Last, since all of the above may have something to say to other cores.
        for other in &self.others {
            let shard = &mut self.shard;
            self.port.send_all(*other, || shard.next_tell(*other));
        }
        // Behind the questions to other cores, so that those do not count as waiting. The answers go next turn.
        while let Some(survey) = self.shard.next_survey() {
            let findings = self.look(&survey);
            self.shard.surveyed(survey, findings, now);
        }
        is_all && closes < CLOSES
    }

    /// What only the runtime can see.
    fn look(&self, survey: &Survey) -> Findings {
        let peer = |id: &ConnId| self.lines.stream(*id).and_then(look::peer);
        Findings {
            busy_us: look::thread_busy_us(),
            accept_errors: self.door.errors(),
            process: survey.with_process.then(|| Box::new(self.began.process())),
            peers: survey.conns.iter().map(peer).collect(),
        }
    }

    fn send(&mut self) -> bool {
        let mut sends = 0;
        while let Some((id, bytes)) = self.shard.next_answer() {
            sends += usize::from(self.lines.write(id, bytes));
        }
        let answers_only = sends > 0 && !self.answered && self.shard.fan_out_exceeds(SMALL_FAN_OUT);
        self.answered = answers_only;
        if answers_only {
            return false;
        }
        while sends < SENDS {
            let Some((id, bytes)) = self.shard.next_send() else { return true };
            sends += usize::from(self.lines.write(id, bytes));
        }
        false
    }

    /// What the shard has to say to people: about memory, and about each request.
    fn write_down(&mut self) {
        if let Some(notice) = self.shard.next_notice() {
            say(notice);
        }
        let Some(journal) = &self.journal else { return };
        let mut lines = self.shard.take_lines();
        if lines.is_empty() {
            return;
        }
        let us = self.clock.us();
        for line in &mut lines {
            line.took_us = line.visit.as_ref().map_or(0, |visit| us.saturating_sub(visit.began_us));
        }
        let dropped = journal.write(lines);
        self.shard.lines_dropped(dropped);
    }

    fn end_if_idle(&mut self, id: ConnId, now: Now) {
        if self.lines.close_if_idle(id) {
            self.shard.ended(id, now);
        }
    }

    /// Sets the timer to the soonest deadline; true if that is now already.
    fn arm_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let wanted = self.shard.deadline().min(self.stopping.deadline());
        if wanted != self.timer_at && wanted != Deadline::NEVER {
            self.timer_at = wanted;
            let at = Instant::from_std(self.clock.instant(wanted.0));
            self.timer.as_mut().reset(at);
        }
        wanted != Deadline::NEVER && self.timer.as_mut().poll(cx).is_ready()
    }
}

fn say(notice: Notice) {
    match notice {
        Notice::Began { used_bytes, mark_bytes } => tracing::warn!(
            used_bytes,
            mark_bytes,
            "the memory mark of this core is reached: newcomers and large bodies are refused; viewers go on"
        ),
        Notice::Ended { used_bytes, refused } => {
            tracing::info!(used_bytes, refused, "there is memory again: everybody is let in");
        }
    }
}
