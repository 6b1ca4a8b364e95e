//! The connections of one core that speak TLS: a session each, between its socket and its shard.
//!
//! Always true: a peer has at most one write of ciphertext in the making, of [`SEND_BYTES_MAX`] of its bytes at most, and
//! is read no further than its shard wants. What a session says for itself goes in front of the next send, or alone
//! while the shard holds its sends back.
//!
//! Read first: `runtime/session.rs`; `runtime/lines.rs` drives this.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustls::ServerConfig;

use crate::ids::ConnId;
use crate::runtime::lines::Happened;
use crate::runtime::session::{Session, Taken};
use crate::runtime::sockets::{Landed, Sockets};

/// How much of a send is encrypted at once. The rest stays with the shard, where everybody shares it.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// Handshakes that go on between two submissions. Each may cost a signature: some 50 µs with P-256, 1 ms with RSA.
const HANDSHAKES: usize = 4;

/// What there is where TLS is spoken.
pub struct Tls {
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

impl Tls {
    /// No connections yet.
    pub fn new(config: Arc<ServerConfig>) -> Tls {
        Tls {
            config,
            lines: Vec::new(),
            shaking: VecDeque::new(),
            newcomers: Vec::new(),
            to_take: Vec::new(),
            to_flush: Vec::new(),
            happened: VecDeque::new(),
        }
    }

    /// Newcomers are met with this from here on.
    pub fn reload(&mut self, config: Arc<ServerConfig>) {
        self.config = config;
    }

    /// Ends the turn of those who came in it, and gives everybody what need not be waited for.
    pub fn begin_reads(&mut self, sockets: &mut Sockets) {
        for id in self.newcomers.drain(..) {
            if let Some(line) = get(&mut self.lines, id) {
                line.is_new = false;
            }
        }
        for id in std::mem::take(&mut self.to_take) {
            self.take(id, sockets);
        }
    }

    /// Somebody whose session has something to say for itself.
    pub fn next_to_flush(&mut self) -> Option<ConnId> {
        self.to_flush.pop()
    }

    /// The next thing that has happened.
    pub fn next_happened(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    /// Whether there is something to be taken in that the kernel will not wake the loop for.
    pub fn has_more(&self) -> bool {
        !self.happened.is_empty() || !self.shaking.is_empty()
    }

    /// Goes on with some handshakes; whether with any.
    pub fn shake_some_hands(&mut self, sockets: &mut Sockets) -> bool {
        let mut any = false;
        for _ in 0..HANDSHAKES {
            let Some(id) = self.shaking.pop_front() else { break };
            self.shake_hands(id, sockets);
            any = true;
        }
        any
    }

    /// The socket is gone.
    pub fn forget(&mut self, id: ConnId) {
        if self.speaks_with(id) {
            self.lines[id.slot as usize] = None;
        }
    }

    /// Says the last of our side, if the session can; whether it could. The socket's follows when that is sent.
    pub fn shut_write(&mut self, id: ConnId, sockets: &mut Sockets) -> bool {
        let Some(line) = get(&mut self.lines, id).filter(|line| line.session.is_open()) else { return false };
        line.session.close();
        line.is_last = true;
        self.flush(id, false, sockets);
        true
    }

    /// A session that can still say that it ends, does.
    pub fn say_goodbye(&mut self, id: ConnId, sockets: &mut Sockets) {
        if let Some(line) = get(&mut self.lines, id)
            && line.flight == Flight::None
        {
            line.session.close();
            sockets.say(id, &line.session.take_outgoing());
        }
    }

    /// A new connection, whose handshake has not begun.
    pub fn open(&mut self, id: ConnId) {
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

    /// Whether this peer speaks TLS.
    pub fn speaks_with(&self, id: ConnId) -> bool {
        self.lines.get(id.slot as usize).and_then(Option::as_ref).is_some_and(|line| line.id == id)
    }

    /// Whether the shard waits for something of this peer's.
    pub fn is_reading(&self, id: ConnId) -> bool {
        self.lines.get(id.slot as usize).and_then(Option::as_ref).is_some_and(|line| line.wanted > 0)
    }

    /// Up to so many bytes are wanted from this peer.
    pub fn want(&mut self, id: ConnId, wanted: usize, sockets: &mut Sockets) {
        let Some(line) = get(&mut self.lines, id) else { return };
        line.wanted = wanted;
        match line.session.is_open() && line.session.has_plain() {
            true => self.to_take.push(id),
            false => line.read(sockets),
        }
    }

    /// Something is back from the kernel.
    pub fn landed(&mut self, landed: Landed, sockets: &mut Sockets) {
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

    /// Sends as much of these bytes as goes; whether it was begun, or will be.
    pub fn write(&mut self, id: ConnId, bytes: Bytes, sockets: &mut Sockets) -> bool {
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

    /// Sends what the session has to say for itself, unless a send is in flight, behind which it goes.
    pub fn flush(&mut self, id: ConnId, holds: bool, sockets: &mut Sockets) {
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
