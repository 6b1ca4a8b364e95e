//! One core's connections as its shard sees them: plain bytes, whatever is spoken on the wire.
//!
//! Always true: without TLS this hands everything on, and costs one look at whether there is any. With TLS the shard
//! is told what it would be told without: a send comes back when the last byte of its ciphertext is with the
//! kernel, and only then the next is chosen; a read brings no more than was wanted.
//!
//! Read first: `runtime/sockets.rs`, `runtime/speakers.rs`; `runtime/worker.rs` drives this.

use std::net::TcpStream;
use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use rustls::ServerConfig;

use crate::ids::ConnId;
use crate::runtime::sockets::{Landed, Sockets};
use crate::runtime::speakers::Tls;

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

impl Lines {
    /// No connections yet; with TLS, if there is a configuration.
    pub fn new(config: Option<Arc<ServerConfig>>) -> Lines {
        let tls = config.map(Tls::new);
        Lines { sockets: Sockets::default(), tls }
    }

    /// Newcomers are met with this from here on.
    pub fn reload(&mut self, config: Arc<ServerConfig>) {
        if let Some(tls) = &mut self.tls {
            tls.reload(config);
        }
    }

    /// Keeps a new connection under its id.
    pub fn open(&mut self, id: ConnId, stream: TcpStream) {
        self.sockets.open(id, stream);
        if let Some(tls) = &mut self.tls {
            tls.open(id);
        }
    }

    /// The socket of a connection, unless it is gone.
    pub fn stream(&self, id: ConnId) -> Option<&TcpStream> {
        self.sockets.stream(id)
    }

    /// Whether a read may be begun.
    pub fn may_read(&mut self, id: ConnId) -> bool {
        match self.tls.as_ref().filter(|tls| tls.speaks_with(id)) {
            Some(tls) => !tls.is_reading(id) && !self.sockets.is_over(id),
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
            tls.begin_reads(&mut self.sockets);
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
        self.tls.as_mut()?.next_to_flush()
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
        let is_said = self.tls.as_mut().is_some_and(|tls| tls.shut_write(id, &mut self.sockets));
        if !is_said {
            self.sockets.shut_write(id);
        }
    }

    /// Nothing more on this line: what is under way comes back by itself. A session that can still say so, does.
    pub fn break_off(&mut self, id: ConnId) {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye(id, &mut self.sockets);
        }
        self.sockets.break_off(id);
    }

    /// Closes a line that was broken off once nothing is under way on it; whether it did.
    pub fn close_if_idle(&mut self, id: ConnId) -> bool {
        let closes = self.sockets.close_if_idle(id);
        if closes && let Some(tls) = &mut self.tls {
            tls.forget(id);
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
        self.tls.as_ref().is_some_and(Tls::has_more)
    }

    /// Goes on with some handshakes; whether with any.
    pub fn shake_hands(&mut self) -> bool {
        self.tls.as_mut().is_some_and(|tls| tls.shake_some_hands(&mut self.sockets))
    }

    /// The next thing that has happened.
    pub fn next_happened(&mut self) -> Option<Happened> {
        loop {
            if let Some(tls) = &mut self.tls
                && let Some(happened) = tls.next_happened()
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
