//! One core's connections as its shard sees them: plain bytes, whatever is spoken on the wire.
//!
//! Always true: without TLS this hands everything on, and costs one look at whether there is any. With TLS the shard
//! is told what it would be told without: a send comes back when the last byte of its ciphertext is with the
//! kernel, and only then the next is chosen; a read brings no more than was wanted. A peer has at most one write of
//! ciphertext in the making, of [`SEND_BYTES_MAX`] of its bytes at most.
//!
//! Read first: `runtime/sockets.rs`, `runtime/session.rs`; `runtime/worker.rs` drives this.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use rustls::ServerConfig;

use crate::ids::ConnId;
use crate::runtime::session::{Session, Taken};
use crate::runtime::sockets::{Landed, Sockets};

/// How much of a send is encrypted at once. The rest stays with the shard, where everybody shares it.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// Handshakes that go on between two submissions. Each may cost a signature: some 50 µs with P-256, 1 ms with RSA.
const HANDSHAKES: usize = 4;

/// What has happened on a line.
pub enum Happened {
    /// An operation is back, in bytes of the peer.
    Landed(Landed),
    /// What the session said for itself is with the kernel: a send may be chosen again.
    Free(ConnId),
    /// The peer speaks plain HTTP where TLS is spoken; from here on, so do we.
    PlainHttp(ConnId),
}

/// All connections of one core.
pub struct Lines {
    sockets: Sockets,
    tls: Option<Tls>,
}

/// What there is where TLS is spoken.
struct Tls {
    config: Arc<ServerConfig>,
    /// By the connection's slot; none where plain bytes are spoken all the same.
    lines: Vec<Option<Box<Line>>>,
    /// Whose handshakes can go on, oldest first.
    shaking: VecDeque<ConnId>,
    /// Who came in this turn.
    newcomers: Vec<ConnId>,
    /// Who wants to read and need not wait for the kernel.
    to_take: Vec<ConnId>,
    /// Who may have something of the session's own to send.
    to_flush: Vec<ConnId>,
    happened: VecDeque<Happened>,
}

/// One peer that speaks TLS.
struct Line {
    id: ConnId,
    session: Session,
    /// How many bytes the shard wants to read; 0 for none.
    wanted: usize,
    flight: Flight,
    /// What the shard sends, or will once the handshake is over.
    plain: Bytes,
    /// How much of it the ciphertext in flight holds.
    taken: usize,
    /// It came in this turn: what the shard says now is that it has no room.
    is_new: bool,
    /// Our side of the socket ends with what is in flight.
    is_last: bool,
}

/// What is on its way to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flight {
    None,
    /// A send of the shard.
    Send,
    /// Something of the session's own, for which the shard holds its sends back, or does not.
    Own {
        holds: bool,
    },
}

impl Lines {
    /// No connections yet; with TLS, if there is a configuration.
    pub fn new(config: Option<Arc<ServerConfig>>) -> Lines {
        let tls = config.map(|config| Tls {
            config,
            lines: Vec::new(),
            shaking: VecDeque::new(),
            newcomers: Vec::new(),
            to_take: Vec::new(),
            to_flush: Vec::new(),
            happened: VecDeque::new(),
        });
        Lines { sockets: Sockets::default(), tls }
    }

    /// Newcomers are met with this from here on.
    pub fn reload(&mut self, config: Arc<ServerConfig>) {
        if let Some(tls) = &mut self.tls {
            tls.config = config;
        }
    }

    /// Keeps a new connection under its id.
    pub fn open(&mut self, id: ConnId, stream: std::net::TcpStream) {
        self.sockets.open(id, stream);
        if let Some(tls) = &mut self.tls {
            tls.open(id);
        }
    }

    /// Whether a read may be begun.
    pub fn may_read(&mut self, id: ConnId) -> bool {
        match self.tls.as_mut().and_then(|tls| tls.get(id)) {
            Some(line) => line.wanted == 0 && !self.sockets.is_over(id),
            None => self.sockets.may_read(id),
        }
    }

    /// Is going to read up to so many bytes, on a line that may be read; in this buffer, if it has that size.
    pub fn read(&mut self, id: ConnId, wanted: usize, buffer: Box<[u8]>) {
        match self.tls.as_mut().filter(|tls| tls.speaks_with(id)) {
            Some(tls) => tls.want(id, wanted, &mut self.sockets),
            None => {
                let buffer = if buffer.len() == wanted { buffer } else { vec![0; wanted].into_boxed_slice() };
                self.sockets.read(id, buffer);
            }
        }
    }

    /// Begins the reads of this turn.
    pub fn begin_reads(&mut self) {
        if let Some(tls) = &mut self.tls {
            for id in tls.newcomers.drain(..) {
                if let Some(line) = get(&mut tls.lines, id) {
                    line.is_new = false;
                }
            }
            for id in std::mem::take(&mut tls.to_take) {
                tls.take(id, &mut self.sockets);
            }
        }
        self.sockets.begin_reads();
    }

    /// Writes as much of these bytes as goes; whether it was begun.
    pub fn write(&mut self, id: ConnId, bytes: Bytes) -> bool {
        match self.tls.as_mut().filter(|tls| tls.speaks_with(id)) {
            Some(tls) => tls.write(id, bytes, &mut self.sockets),
            None => self.sockets.write(id, bytes),
        }
    }

    /// Somebody whose session has something to say for itself: [`Lines::flush`] is to be called for it.
    pub fn next_to_flush(&mut self) -> Option<ConnId> {
        self.tls.as_mut()?.to_flush.pop()
    }

    /// Sends what the session has to say for itself, unless a send of the shard is in flight, behind which it goes.
    /// `holds` says that the shard holds its next send back for it.
    pub fn flush(&mut self, id: ConnId, holds: bool) {
        if let Some(tls) = &mut self.tls {
            tls.flush(id, holds, &mut self.sockets);
        }
    }

    /// Says nothing more, and goes on reading.
    pub fn shut_write(&mut self, id: ConnId) {
        match self.tls.as_mut().and_then(|tls| tls.get(id)).filter(|line| line.session.is_open()) {
            Some(line) => {
                line.session.close();
                line.is_last = true;
                self.flush(id, false);
            }
            None => self.sockets.shut_write(id),
        }
    }

    /// Nothing more on this line: what is under way comes back by itself. A session that can still say so, does.
    pub fn break_off(&mut self, id: ConnId) {
        if let Some(line) = self.tls.as_mut().and_then(|tls| tls.get(id))
            && line.flight == Flight::None
            && !self.sockets.is_over(id)
        {
            line.session.close();
            self.sockets.say(id, &line.session.take_outgoing());
        }
        self.sockets.break_off(id);
    }

    /// Closes a line that was broken off once nothing is under way on it; whether it did.
    pub fn close_if_idle(&mut self, id: ConnId) -> bool {
        let closes = self.sockets.close_if_idle(id);
        if closes && let Some(tls) = self.tls.as_mut().filter(|tls| tls.speaks_with(id)) {
            tls.lines[id.slot as usize] = None;
        }
        closes
    }

    /// Before the loop sleeps; see [`Sockets::listen`].
    pub fn listen(&mut self, has_more: bool, cx: &mut Context<'_>) {
        self.sockets.listen(has_more, cx);
    }

    /// After the loop slept: what it is about to hear of.
    pub fn wake(&mut self, cx: &mut Context<'_>) {
        self.sockets.wake(cx);
    }

    /// Whether there is something to be taken in that the kernel will not wake the loop for.
    pub fn has_more(&self) -> bool {
        let is_waiting = |tls: &Tls| !tls.happened.is_empty() || !tls.shaking.is_empty();
        self.tls.as_ref().is_some_and(is_waiting)
    }

    /// Goes on with some handshakes; whether with any.
    pub fn shake_hands(&mut self) -> bool {
        let Some(tls) = &mut self.tls else { return false };
        let mut any = false;
        for _ in 0..HANDSHAKES {
            let Some(id) = tls.shaking.pop_front() else { break };
            tls.shake_hands(id, &mut self.sockets);
            any = true;
        }
        any
    }

    /// The next thing that has happened.
    pub fn next_happened(&mut self) -> Option<Happened> {
        loop {
            if let Some(tls) = &mut self.tls
                && let Some(happened) = tls.happened.pop_front()
            {
                return Some(happened);
            }
            let landed = self.sockets.next_landed()?;
            match &mut self.tls {
                None => return Some(Happened::Landed(landed)),
                Some(tls) => tls.landed(landed, &mut self.sockets),
            }
        }
    }
}

impl Tls {
    fn open(&mut self, id: ConnId) {
        let slot = id.slot as usize;
        if self.lines.len() <= slot {
            self.lines.resize_with(slot + 1, || None);
        }
        match Session::new(self.config.clone()) {
            Ok(session) => {
                let (flight, plain) = (Flight::None, Bytes::new());
                let line =
                    Line { id, session, wanted: 0, flight, plain, taken: 0, is_new: true, is_last: false };
                self.lines[slot] = Some(Box::new(line));
                self.newcomers.push(id);
            }
            // Never plain bytes instead.
            Err(error) => self.fail(id, error),
        }
    }

    fn get(&mut self, id: ConnId) -> Option<&mut Line> {
        get(&mut self.lines, id)
    }

    fn speaks_with(&self, id: ConnId) -> bool {
        self.lines.get(id.slot as usize).and_then(Option::as_ref).is_some_and(|line| line.id == id)
    }

    fn want(&mut self, id: ConnId, wanted: usize, sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        line.wanted = wanted;
        match line.session.is_open() && line.session.has_plain() {
            true => self.to_take.push(id),
            false => line.read(sockets),
        }
    }

    /// Something is back from the kernel.
    fn landed(&mut self, landed: Landed, sockets: &mut Sockets) {
        match landed {
            Landed::Read(id, result, buffer) if self.get(id).is_some() => {
                self.read(id, result, &buffer, sockets)
            }
            Landed::Wrote(id, result, bytes) if self.get(id).is_some() => {
                self.wrote(id, result, bytes, sockets)
            }
            Landed::Read(..) | Landed::Wrote(..) => self.happened.push_back(Happened::Landed(landed)),
        }
    }

    fn read(&mut self, id: ConnId, result: io::Result<usize>, buffer: &[u8], sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        match result {
            Ok(len) if len > 0 && !sockets.is_over(id) => {
                line.session.feed(&buffer[..len]);
                match (line.session.has_work(), line.session.is_open()) {
                    (true, true) => self.take(id, sockets),
                    (true, false) => self.shaking.push_back(id),
                    (false, _) => line.read(sockets),
                }
            }
            // Who leaves in the middle of a handshake has said nothing yet.
            Ok(_) if !line.session.is_open() => {
                self.tell_of_read(id, Err(io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(_) => self.tell_of_read(id, Ok(Box::default())),
            Err(error) => self.tell_of_read(id, Err(error)),
        }
    }

    /// Gives the shard what it wants to read, or reads on.
    fn take(&mut self, id: ConnId, sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        if line.wanted == 0 {
            return;
        }
        let taken = line.session.take(line.wanted);
        if line.session.has_outgoing() {
            self.to_flush.push(id);
        }
        match taken {
            Ok(Taken::Bytes(bytes)) => self.tell_of_read(id, Ok(bytes)),
            Ok(Taken::Closed) => self.tell_of_read(id, Ok(Box::default())),
            Ok(Taken::NeedMore) => line.read(sockets),
            Err(error) => self.break_with(id, error, sockets),
        }
    }

    fn shake_hands(&mut self, id: ConnId, sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        if line.session.is_plain_http() {
            self.lines[id.slot as usize] = None;
            return self.happened.push_back(Happened::PlainHttp(id));
        }
        match line.session.shake_hands() {
            Ok(is_open) => {
                if line.session.has_outgoing() || (is_open && !line.plain.is_empty()) {
                    self.to_flush.push(id);
                }
                match is_open {
                    true => self.take(id, sockets),
                    false if line.session.has_work() => self.shaking.push_back(id),
                    false => line.read(sockets),
                }
            }
            Err(error) => self.break_with(id, error, sockets),
        }
    }

    fn write(&mut self, id: ConnId, bytes: Bytes, sockets: &mut Sockets) -> bool {
        if sockets.is_over(id) {
            return false;
        }
        let Some(line) = get(&mut self.lines, id) else { return false };
        debug_assert!(line.flight == Flight::None && line.plain.is_empty(), "one send at a time");
        if !line.session.is_open() && !line.is_new {
            // It took too long over its handshake. That cannot be told to it.
            self.fail(id, rustls::Error::HandshakeNotComplete);
            return false;
        }
        line.plain = bytes;
        self.begin_send(id, sockets)
    }

    /// Encrypts what waits, if the handshake is over; whether it was begun, or will be.
    fn begin_send(&mut self, id: ConnId, sockets: &mut Sockets) -> bool {
        let Some(line) = get(&mut self.lines, id) else { return false };
        if !line.session.is_open() {
            return true;
        }
        line.taken = line.plain.len().min(SEND_BYTES_MAX);
        match line.session.encrypt(&line.plain[..line.taken]) {
            Ok(ciphertext) => {
                line.flight = Flight::Send;
                sockets.write(id, Bytes::from(ciphertext))
            }
            Err(error) => {
                self.break_with(id, error, sockets);
                false
            }
        }
    }

    fn flush(&mut self, id: ConnId, holds: bool, sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        match line.flight {
            Flight::None if line.session.has_outgoing() && !sockets.is_over(id) => {
                line.flight = Flight::Own { holds };
                sockets.write(id, Bytes::from(line.session.take_outgoing()));
            }
            Flight::None | Flight::Send | Flight::Own { .. } => {
                if line.flight == Flight::None && !line.plain.is_empty() {
                    self.begin_send(id, sockets);
                }
                if holds {
                    self.happened.push_back(Happened::Free(id));
                }
            }
        }
    }

    fn wrote(&mut self, id: ConnId, result: io::Result<usize>, mut bytes: Bytes, sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        let rest = match result {
            Ok(written) if written > 0 && !sockets.is_over(id) => bytes.split_off(written),
            // Broken off by us or by the peer: whatever it was, it is over.
            Ok(_) | Err(_) => {
                line.flight = Flight::None;
                let error = io::ErrorKind::BrokenPipe.into();
                return self.happened.push_back(Happened::Landed(Landed::Wrote(
                    id,
                    Err(error),
                    Bytes::new(),
                )));
            }
        };
        if !rest.is_empty() {
            sockets.write(id, rest);
            return;
        }
        match std::mem::replace(&mut line.flight, Flight::None) {
            Flight::Send => {
                let landed = Landed::Wrote(id, Ok(line.taken), std::mem::take(&mut line.plain));
                self.happened.push_back(Happened::Landed(landed));
            }
            Flight::Own { holds: true } => self.happened.push_back(Happened::Free(id)),
            Flight::Own { holds: false } | Flight::None => {}
        }
        if line.session.has_outgoing() || !line.plain.is_empty() {
            self.to_flush.push(id);
        } else if line.is_last {
            sockets.shut_write(id);
        }
    }

    /// The session is broken: the peer is told why, as far as that goes, and the shard that it is gone.
    fn break_with(&mut self, id: ConnId, error: rustls::Error, sockets: &mut Sockets) {
        if let Some(line) = get(&mut self.lines, id)
            && line.flight == Flight::None
        {
            sockets.say(id, &line.session.take_outgoing());
        }
        sockets.break_off(id);
        self.fail(id, error);
    }

    fn fail(&mut self, id: ConnId, error: rustls::Error) {
        tracing::debug!(%error, "a TLS session ended");
        self.tell_of_read(id, Err(io::Error::other(error)));
    }

    fn tell_of_read(&mut self, id: ConnId, result: io::Result<Box<[u8]>>) {
        if let Some(line) = self.get(id) {
            line.wanted = 0;
        }
        let landed = match result {
            Ok(bytes) => Landed::Read(id, Ok(bytes.len()), bytes),
            Err(error) => Landed::Read(id, Err(error), Box::default()),
        };
        self.happened.push_back(Happened::Landed(landed));
    }
}

impl Line {
    /// Reads what the session needs to go on.
    fn read(&self, sockets: &mut Sockets) {
        if sockets.may_read(self.id) {
            sockets.read(self.id, vec![0; self.session.appetite(self.wanted)].into_boxed_slice());
        }
    }
}

fn get(lines: &mut [Option<Box<Line>>], id: ConnId) -> Option<&mut Line> {
    lines.get_mut(id.slot as usize)?.as_deref_mut().filter(|line| line.id == id)
}
