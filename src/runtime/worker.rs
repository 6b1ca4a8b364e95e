//! One core's loop: what happened goes into the shard, what it wants comes out, until nothing is left.
//!
//! Always true: a turn takes in everything that has happened before anything is sent, so what a burst of
//! writes leaves to say is said once; all a turn hands to the kernel goes with one call. A connection's slot
//! is given back only when every operation on it has landed.
//!
//! Read first: `shard/contract.rs`, `runtime/flights.rs`.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};
use tokio_uring::net::TcpStream;

use crate::ids::{ConnId, ShardId};
use crate::runtime::clock::Clock;
use crate::runtime::door::Door;
use crate::runtime::flights::{Flights, Landed};
use crate::runtime::mesh::{Command, Port};
use crate::runtime::pulse::Pulse;
use crate::runtime::stopping::Stopping;
use crate::shard::Shard;
use crate::shard::contract::Close;
use crate::time::{Deadline, Now};

/// After an accept that failed for want of descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// One core.
pub struct Worker {
    shard: Shard,
    others: Vec<ShardId>,
    port: Port,
    clock: Clock,
    flights: Flights,
    door: Door,
    accepting: usize,
    resting: bool,
    sockets: Vec<Option<Socket>>,
    timer: Pin<Box<Sleep>>,
    timer_at: Deadline,
    stopping: Stopping,
    pulse: Pulse,
}

/// One connection, as the kernel sees it.
struct Socket {
    id: ConnId,
    stream: TcpStream,
    reading: bool,
    writing: bool,
    /// It has said its last, or broke: nothing new is begun on it.
    over: bool,
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
    ) -> Worker {
        Worker {
            shard,
            others,
            port,
            clock: Clock::start(),
            flights: Flights::default(),
            door,
            accepting: 0,
            resting: false,
            sockets: Vec::new(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: Deadline(0),
            stopping,
            pulse,
        }
    }

    /// Runs until the broker has stopped.
    pub async fn run(mut self) {
        std::future::poll_fn(|cx| self.turn(cx)).await;
    }

    /// One turn: take in, send out, and again while there is something new.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pulse.tick();
        loop {
            self.port.listen(cx.waker());
            let now = self.clock.now();
            let took_any = self.take_in(cx, now);
            self.accept_more();
            self.send_out();
            // An accept that is still with the kernel may bring one more connection.
            let is_deserted = self.accepting == 0 && self.shard.is_deserted();
            if self.stopping.is_over(is_deserted, now) {
                return Poll::Ready(());
            }
            if !took_any && !self.flights.is_unheard() && !self.arm_timer(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Everything that has happened; whether anything has.
    fn take_in(&mut self, cx: &mut Context<'_>, now: Now) -> bool {
        let mut any = false;
        while let Some(command) = self.port.next_command() {
            self.obey(command, now);
            any = true;
        }
        while let Some((from, message)) = self.port.next_message() {
            self.shard.told(from, message, now);
            any = true;
        }
        while let Poll::Ready(landed) = self.flights.poll_landed(cx) {
            self.land(landed, now);
            any = true;
        }
        if now.reached(self.shard.deadline()) {
            self.shard.woken(now);
            any = true;
        }
        any
    }

    fn obey(&mut self, command: Command, now: Now) {
        match command {
            Command::Reload(access) => self.shard.reload(access, now),
            Command::Drain => {
                self.stopping.begin(now);
                self.door.close(&mut self.flights);
                self.shard.drain(now);
            }
            Command::Halt => self.stopping.halt(),
        }
    }

    fn land(&mut self, landed: Landed, now: Now) {
        match landed {
            Landed::Accepted(result) => self.accepted(result, now),
            Landed::Read(id, result, buffer) => self.read(id, result, buffer, now),
            Landed::Wrote(id, result, bytes) => self.wrote(id, result, bytes, now),
            Landed::Rested => self.resting = false,
            Landed::Called => {}
        }
    }

    fn accepted(&mut self, result: io::Result<TcpStream>, now: Now) {
        self.accepting -= 1;
        let stream = match result {
            Ok(stream) => stream,
            Err(error) => {
                if !self.stopping.has_begun() && !self.resting {
                    tracing::warn!(%error, "no connection could be accepted; trying again shortly");
                    self.resting = true;
                    self.flights.rest(ACCEPT_REST);
                }
                return;
            }
        };
        let id = self.shard.opened(now);
        let slot = id.slot as usize;
        if self.sockets.len() <= slot {
            self.sockets.resize_with(slot + 1, || None);
        }
        let socket = Socket { id, stream, reading: false, writing: false, over: false };
        self.sockets[slot] = Some(socket);
        self.read_more(id, Box::default());
    }

    fn accept_more(&mut self) {
        if self.resting || self.stopping.has_begun() {
            return;
        }
        let wanted = self.door.accepts_wanted(self.shard.connections(), self.shard.room());
        while self.accepting < wanted {
            self.accepting += 1;
            self.flights.accept(self.door.listener());
        }
    }

    fn read(&mut self, id: ConnId, result: io::Result<usize>, mut buffer: Box<[u8]>, now: Now) {
        let Some(socket) = socket(&mut self.sockets, id) else { return };
        socket.reading = false;
        match result {
            Ok(0) => self.shard.finished(id, now),
            Ok(len) => {
                self.shard.received(id, &mut buffer[..len], now);
                self.read_more(id, buffer);
            }
            Err(_) => self.break_off(id),
        }
        self.end_if_idle(id, now);
    }

    /// Reads on, if the shard wants more from this connection; in the same buffer, if it fits.
    fn read_more(&mut self, id: ConnId, buffer: Box<[u8]>) {
        let appetite = self.shard.appetite(id);
        let Some(socket) = socket(&mut self.sockets, id) else { return };
        if appetite == 0 || socket.over || socket.reading {
            return;
        }
        socket.reading = true;
        let buffer = if buffer.len() == appetite { buffer } else { vec![0; appetite].into_boxed_slice() };
        self.flights.read(id, &socket.stream, buffer);
    }

    fn wrote(&mut self, id: ConnId, result: io::Result<usize>, bytes: Bytes, now: Now) {
        let Some(socket) = socket(&mut self.sockets, id) else { return };
        socket.writing = false;
        match result {
            Ok(written) if written > 0 => self.shard.sent(id, bytes, written, now),
            Ok(_) | Err(_) => self.break_off(id),
        }
        self.end_if_idle(id, now);
    }

    /// Everything the shard wants, until it wants nothing.
    fn send_out(&mut self) {
        let now = self.clock.now();
        while let Some((id, bytes)) = self.shard.next_send() {
            let Some(socket) = socket(&mut self.sockets, id) else { continue };
            if !socket.over {
                socket.writing = true;
                self.flights.write(id, &socket.stream, bytes);
            }
        }
        while let Some(id) = self.shard.next_read() {
            self.read_more(id, Box::default());
        }
        while let Some((id, close)) = self.shard.next_close() {
            match close {
                Close::Write => socket(&mut self.sockets, id).map_or((), |socket| {
                    let _ = socket.stream.shutdown(Shutdown::Write);
                }),
                Close::Both => self.break_off(id),
            }
            self.end_if_idle(id, now);
        }
        // Last, since all of the above may have something to say to other cores.
        for other in &self.others {
            let shard = &mut self.shard;
            self.port.send_all(*other, || shard.next_tell(*other));
        }
    }

    /// Nothing more on this connection: what is in flight comes back by itself.
    fn break_off(&mut self, id: ConnId) {
        if let Some(socket) = socket(&mut self.sockets, id) {
            socket.over = true;
            let _ = socket.stream.shutdown(Shutdown::Both);
        }
    }

    fn end_if_idle(&mut self, id: ConnId, now: Now) {
        if let Some(socket) = socket(&mut self.sockets, id)
            && socket.over
            && !socket.reading
            && !socket.writing
        {
            self.sockets[id.slot as usize] = None;
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

/// The socket of a connection, unless it is gone.
fn socket(sockets: &mut [Option<Socket>], id: ConnId) -> Option<&mut Socket> {
    sockets.get_mut(id.slot as usize)?.as_mut().filter(|socket| socket.id == id)
}
