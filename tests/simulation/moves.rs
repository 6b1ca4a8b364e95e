//! What can happen next: one move of a client, of the kernel, or of a core.
//!
//! Always true: a core is driven as the runtime drives one: a read that came back is followed by the question
//! how much to read next, an operation that is out comes back exactly once, and a connection is given up when
//! nothing is out.
//!
//! Read first: `world.rs`; what goes wrong is in `mishaps.rs`.

use std::collections::VecDeque;

use crate::breach::{Kept, hold};
use crate::client::{Line, Mode};
use crate::habits::Move;
use crate::plan::{Fault, Role};
use crate::tap::{Peer, Tap};
use crate::wishes::Wish;
use crate::world::{Quiet, Sock, World};

impl World {
    /// Something happens.
    pub fn move_on(&mut self) -> Kept {
        self.step += 1;
        for _ in 0..6 {
            if self.try_a_move()? {
                break;
            }
        }
        if self.step.is_multiple_of(32) {
            self.check_bounds()?;
        }
        Ok(())
    }

    fn try_a_move(&mut self) -> Kept<bool> {
        let next = self.plan.habits.next_move(&mut self.chance.moves);
        let (core, other) =
            (self.chance.moves.below(self.cores.len()), self.chance.moves.below(self.cores.len()));
        let client = self.chance.moves.below(self.clients.len());
        let sock = self.chance.moves.below(self.socks.len());
        match next {
            Move::Act => self.act(client),
            Move::Arrive => self.arrive(sock),
            Move::Offer => self.offer(core),
            Move::Land => self.land(sock),
            Move::Hear => self.hear(sock),
            Move::Tell => self.tell(core, other),
            Move::BeTold => self.be_told(core, other),
            Move::Chores => self.do_chores(core),
            Move::Time => self.pass_time(),
            Move::Wrong => self.go_wrong(),
        }
    }

    fn cut(&mut self, most: usize) -> usize {
        if self.healed { most } else { 1 + self.chance.cuts.below(most.min(self.plan.cut)) }
    }

    pub fn is_stalled(&self, core: usize) -> bool {
        !self.healed && self.cores[core].stalled_until > self.step
    }

    /// A client does what it feels like.
    fn act(&mut self, client: usize) -> Kept<bool> {
        let Some(sock) = self.clients[client].line.as_ref().map(|line| line.sock) else {
            return Ok(self.connect(client));
        };
        if self.clients[client].dice.once_in(self.plan.habits.leaves_once_in) {
            self.leave(client);
            return Ok(true);
        }
        let core = self.sock(sock).map_or(0, |sock| sock.core);
        let pings_before = self.clients[client].line.as_ref().is_some_and(|line| line.mode == Mode::Socket);
        match self.with_client(client, core, |client, sight| client.wish(sight)) {
            Wish::Nothing => Ok(false),
            Wish::Say(bytes) => {
                let is_ping = pings_before && bytes.first() == Some(&0x89);
                self.say(sock, &bytes, is_ping);
                let view = &self.clients[client].view;
                self.note(|| {
                    format!("client {client} watches {:?}, no more {:?}", view.patterns, view.ended)
                });
                Ok(true)
            }
            Wish::End => {
                if let Some(line) = &mut self.clients[client].line {
                    line.said_end = true;
                }
                if let Some(sock) = self.sock(sock) {
                    sock.up_end = true;
                }
                Ok(true)
            }
        }
    }

    /// A client's bytes go on their way.
    pub fn say(&mut self, at: usize, bytes: &[u8], is_ping: bool) {
        self.note(|| format!("conn {at} says {}", show(bytes)));
        self.trace.bytes(bytes);
        if let Some(sock) = self.sock(at)
            && !sock.broken
        {
            sock.up.extend(bytes);
            sock.sent_up += bytes.len() as u64;
            if is_ping {
                sock.pings_at.push_back(sock.sent_up);
            }
        }
    }

    /// A client opens a connection, to whichever core the kernel gives it.
    pub fn connect(&mut self, client: usize) -> bool {
        let drawn = self.chance.moves.below(self.cores.len());
        let is_viewer = matches!(self.clients[client].role, Role::Socket | Role::Events);
        let seat = self.plan.habits.seats.map(|seat| (seat + usize::from(is_viewer)) % self.cores.len());
        let core = seat.unwrap_or(drawn);
        if self.cores[core].draining || self.is_stalled(core) {
            return false;
        }
        let id = self.cores[core].shard.opened(self.now);
        let reading = self.cores[core].shard.appetite(id);
        let deaf = self.plan.has(Fault::Deaf) && !self.healed && self.chance.faults.once_in(4);
        let sock = Sock {
            core,
            id,
            client: Some(client),
            reading,
            writing: None,
            over: false,
            up: VecDeque::new(),
            up_end: false,
            up_end_read: false,
            down: VecDeque::new(),
            down_end: false,
            broken: false,
            vanished: false,
            deaf,
            gone: false,
            tap: Tap::default(),
            pings_at: VecDeque::new(),
            sent_up: 0,
            arrived_up: 0,
            arrived_ms: self.now.monotonic_ms,
            was_cut: false,
            quiet: Quiet::default(),
        };
        let at = self.socks.iter().position(Option::is_none).unwrap_or(self.socks.len());
        if at == self.socks.len() {
            self.socks.push(None);
        }
        self.socks[at] = Some(sock);
        self.note(|| format!("client {client} opens conn {at} to core {core}"));
        let own = &mut self.clients[client];
        own.line = Some(Line::new(at));
        own.view.synced = false;
        own.view.pending.clear();
        true
    }

    /// A client turns its back on its connection.
    pub fn leave(&mut self, client: usize) {
        let Some(line) = self.clients[client].line.take() else { return };
        self.note(|| format!("client {client} leaves conn {}", line.sock));
        if let Some(sock) = self.sock(line.sock) {
            sock.client = None;
            sock.up_end = true;
        }
    }

    /// Bytes, or their end, reach the broker.
    pub fn arrive(&mut self, at: usize) -> Kept<bool> {
        let Some(sock) = self.socks.get(at).and_then(Option::as_ref) else { return Ok(false) };
        let (core, id, reading) = (sock.core, sock.id, sock.reading);
        if reading == 0 || sock.gone || self.is_stalled(core) {
            return Ok(false);
        }
        let now = self.now;
        if sock.broken || sock.over {
            let is_error = sock.broken || self.chance.cuts.once_in(2);
            let shard = &mut self.cores[core].shard;
            if !is_error {
                shard.finished(id, now);
            }
            self.came_back(at, |sock| (sock.reading, sock.over) = (0, true));
            self.end_if_idle(at);
            return Ok(true);
        }
        if sock.up.is_empty() {
            if !sock.up_end || sock.up_end_read {
                return Ok(false);
            }
            self.note(|| format!("conn {at}: end of input"));
            self.came_back(at, |sock| (sock.reading, sock.up_end_read) = (0, true));
            self.cores[core].shard.finished(id, now);
            self.end_if_idle(at);
            return Ok(true);
        }
        let len = self.cut(reading.min(self.socks[at].as_ref().map_or(0, |sock| sock.up.len())));
        let Some(sock) = self.sock(at) else { return Ok(false) };
        let mut bytes: Vec<u8> = sock.up.drain(..len).collect();
        sock.arrived_up += len as u64;
        sock.quiet.note(now.monotonic_ms - sock.arrived_ms);
        sock.quiet.is_within = !sock.up.is_empty();
        sock.arrived_ms = now.monotonic_ms;
        sock.reading = 0;
        let mut has_ping = false;
        while sock.pings_at.front().is_some_and(|end| *end <= sock.arrived_up) {
            sock.pings_at.pop_front();
            has_ping = true;
        }
        self.note(|| format!("conn {at} -> core {core}: {} bytes", bytes.len()));
        self.trace.number(at as u64);
        self.trace.bytes(&bytes);
        let shard = &mut self.cores[core].shard;
        shard.received(id, &mut bytes, now);
        let is_heard = shard.debt(id).is_some_and(|debt| !debt.is_joining && debt.held_bytes == 0);
        if let Some(sock) = self.sock(at) {
            sock.tap.owes_pong |= has_ping && is_heard;
        }
        self.read_more(at);
        self.end_if_idle(at);
        self.observe(core)?;
        Ok(true)
    }

    pub fn came_back(&mut self, at: usize, change: impl FnOnce(&mut Sock)) {
        if let Some(sock) = self.sock(at) {
            change(sock);
        }
    }

    pub fn read_more(&mut self, at: usize) {
        let Some(sock) = self.socks[at].as_mut() else { return };
        let appetite = self.cores[sock.core].shard.appetite(sock.id);
        if appetite > 0 && !sock.over && sock.reading == 0 {
            sock.reading = appetite;
        }
    }

    /// Nothing is out on a connection that has ended: the broker is done with it.
    pub fn end_if_idle(&mut self, at: usize) {
        let now = self.now;
        let Some(sock) = self.socks[at].as_mut() else { return };
        if sock.over && sock.reading == 0 && sock.writing.is_none() && !sock.gone {
            sock.gone = true;
            sock.down_end = true;
            self.cores[sock.core].shard.ended(sock.id, now);
        }
    }

    /// A core chooses what goes to one of its connections.
    pub fn offer(&mut self, core: usize) -> Kept<bool> {
        if self.is_stalled(core) {
            return Ok(false);
        }
        let shard = &mut self.cores[core].shard;
        // As the runtime does: answers before anybody is told of what they answer.
        let answer = if self.step.is_multiple_of(2) { shard.next_answer() } else { None };
        // Who is told of a change may be other cores only: then there is nothing to send, and yet it was a move.
        let was_due = shard.fan_out_exceeds(0);
        let Some((id, bytes)) = answer.or_else(|| shard.next_send()) else { return Ok(was_due) };
        let Some(at) = self.find(core, id) else { return Ok(true) };
        let Some(sock) = self.socks[at].as_mut() else { return Ok(true) };
        self.trace.bytes(&bytes);
        if sock.over {
            return Ok(true);
        }
        if self.shows {
            println!("{:>6}   core {core} -> conn {at}: {}", self.step, show(&bytes));
        }
        hold(sock.writing.is_none(), "one send in flight", || format!("two on connection {at}"))?;
        let client = sock.client.map(|client| &self.clients[client]);
        let client = client.filter(|client| {
            client.role != Role::Vandal && client.line.as_ref().is_some_and(|line| line.sock == at)
        });
        let own = &self.cores[core];
        let debt = own.shard.debt(id).unwrap_or_default();
        let is_caught_up = sock.up.is_empty()
            && !sock.broken
            && debt.held_bytes == 0
            && !debt.has_command
            && !debt.is_joining;
        let end = Peer { client, table: &own.table, is_caught_up };
        sock.tap.offered(&bytes, &own.shard, &end, &self.truth)?;
        sock.tap.check_given(id, &own.shard, &self.truth)?;
        sock.writing = Some(bytes);
        Ok(true)
    }

    /// The kernel takes some of what it was given.
    pub fn land(&mut self, at: usize) -> Kept<bool> {
        let Some(sock) = self.socks.get(at).and_then(Option::as_ref) else { return Ok(false) };
        let core = sock.core;
        if sock.writing.is_none() || self.is_stalled(core) {
            return Ok(false);
        }
        let (now, healed) = (self.now, self.healed);
        let is_error = sock.broken || (sock.over && self.chance.cuts.once_in(2));
        let room = if healed { usize::MAX } else { self.plan.pipe_cap.saturating_sub(sock.down.len()) };
        if room == 0 && !is_error {
            return Ok(false);
        }
        let is_short = self.plan.has(Fault::Short) && !healed;
        let len = sock.writing.as_ref().map_or(0, bytes::Bytes::len);
        let taken = if is_short { 1 + self.chance.cuts.below(len.min(room)) } else { len };
        let Some(sock) = self.sock(at) else { return Ok(false) };
        let Some(bytes) = sock.writing.take() else { return Ok(false) };
        let id = sock.id;
        if is_error {
            sock.over = true;
        } else {
            sock.down.extend(&bytes[..taken]);
            sock.tap.rest = bytes.slice(taken..);
            self.trace.number(taken as u64);
            self.note(|| format!("conn {at}: {taken} of {len} bytes taken"));
            self.cores[core].shard.sent(id, bytes, taken, now);
        }
        self.end_if_idle(at);
        self.observe(core)?;
        Ok(true)
    }

    /// Bytes, or their end, reach a client.
    pub fn hear(&mut self, at: usize) -> Kept<bool> {
        let Some(sock) = self.socks.get(at).and_then(Option::as_ref) else { return Ok(false) };
        let core = sock.core;
        if (sock.deaf && !self.healed) || sock.vanished {
            return Ok(false);
        }
        let Some(client) = sock.client else { return Ok(self.pass_by(at)) };
        if sock.down.is_empty() {
            return if sock.down_end || sock.broken {
                self.hang_up(client, at).map(|()| true)
            } else {
                Ok(false)
            };
        }
        let len = self.cut(sock.down.len());
        let Some(sock) = self.sock(at) else { return Ok(false) };
        let bytes: Vec<u8> = sock.down.drain(..len).collect();
        self.note(|| format!("conn {at} hears {} bytes", bytes.len()));
        self.trace.number(at as u64);
        self.trace.bytes(&bytes);
        let reply = self.with_client(client, core, |client, sight| client.hear(&bytes, sight))?;
        if !reply.is_empty() && self.sock(at).is_some_and(|sock| !sock.up_end) {
            self.say(at, &reply, false);
        }
        Ok(true)
    }

    /// Nobody is at the other end: bytes are dropped, and the place is free once the broker is done too.
    fn pass_by(&mut self, at: usize) -> bool {
        let Some(sock) = self.sock(at) else { return false };
        let had_any = !sock.down.is_empty();
        sock.down.clear();
        if sock.gone {
            self.socks[at] = None;
            return true;
        }
        had_any
    }

    /// A client has heard the last of a connection.
    fn hang_up(&mut self, client: usize, at: usize) -> Kept {
        let Some(sock) = self.sock(at) else { return Ok(()) };
        let (core, whole, quiet) = (sock.core, !sock.broken && !sock.was_cut, sock.quiet);
        sock.client = None;
        sock.up_end = true;
        self.with_client(client, core, |client, sight| client.ended(whole, quiet, sight))
    }
}

/// Bytes, short enough to be read.
fn show(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(260)]);
    format!("{:?} ({} bytes)", text, bytes.len())
}
