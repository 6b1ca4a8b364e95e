//! One core's sockets, and what the kernel is doing with each.
//!
//! Always true: an operation keeps its buffer until it is back, and brings it back. Whatever was begun comes
//! out as exactly one [`Landed`], and a socket stays open until all of its operations have. At most one read
//! and one write are under way on a socket.
//!
//! Read first: `runtime/heard.rs`; `runtime/worker.rs` drives this.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use io_uring::{cqueue, opcode, types};
use nix::sys::socket::MsgFlags;
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

use crate::ids::ConnId;
use crate::runtime::heard::{GROUP_SLOTS, Heard};

/// What became of an operation.
pub enum Landed {
    /// How many bytes are in the buffer; 0 is the peer's end.
    Read(ConnId, io::Result<usize>, Box<[u8]>),
    /// How many of the bytes the kernel took.
    Wrote(ConnId, io::Result<usize>, Bytes),
}

/// All sockets of one core.
#[derive(Default)]
pub struct Sockets {
    table: Vec<Option<Socket>>,
    heard: Heard,
    /// Reads to be begun behind the writes of this turn: a peer that answers fast is read without a wait.
    to_read: Vec<(ConnId, Box<[u8]>)>,
    /// The group that is being looked at, and how many of its slots were.
    looking: Option<(usize, usize)>,
    /// Writes that were begun since the loop slept last: nearly all of them are over when it wakes.
    fresh: VecDeque<(ConnId, Write)>,
    /// Comes back when the fresh writes were handed to the kernel.
    handed_over: Option<Operation<()>>,
    /// Fresh writes that are to be looked at.
    looked_at: usize,
}

/// One connection. There is one for each viewer, so it is kept small.
struct Socket {
    id: ConnId,
    stream: TcpStream,
    /// It has said its last, or broke: nothing new is begun on it.
    over: bool,
    writing: bool,
    /// A read is under way, or about to be.
    is_read: bool,
    reading: Option<Operation<Box<[u8]>>>,
    /// A write that the kernel could not finish at once.
    waiting: Option<Box<Write>>,
}

/// An operation that is with the kernel, and its buffer.
pub type Operation<B> = InFlightOneshot<B, Outcome<B>>;
type Write = Operation<Bytes>;

/// Turns a completion into how many bytes were moved, and gives the buffer back.
pub struct Outcome<B>(std::marker::PhantomData<B>);

impl<B> Unpin for Outcome<B> {}

impl<B> OneshotOutputTransform for Outcome<B> {
    type Output = (io::Result<usize>, B);
    type StoredData = B;

    fn transform_oneshot_output(self, buffer: B, entry: cqueue::Entry) -> Self::Output {
        let result = match usize::try_from(entry.result()) {
            Ok(len) => Ok(len),
            Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
        };
        (result, buffer)
    }
}

/// Begins an operation; it goes to the kernel when the loop sleeps, all of a turn together.
pub fn begin<B: 'static>(buffer: B, entry: io_uring::squeue::Entry) -> Operation<B> {
    UnsubmittedOneshot::new(buffer, Outcome(std::marker::PhantomData), entry).submit()
}

impl Sockets {
    /// Keeps a new connection under its id.
    pub fn open(&mut self, id: ConnId, stream: TcpStream) {
        let slot = id.slot as usize;
        if self.table.len() <= slot {
            self.table.resize_with(slot + 1, || None);
            self.heard.make_room(slot + 1);
        }
        let socket =
            Socket { id, stream, over: false, writing: false, is_read: false, reading: None, waiting: None };
        self.table[slot] = Some(socket);
    }

    /// The socket of a connection that is still open.
    pub fn stream(&self, id: ConnId) -> Option<&TcpStream> {
        let socket = self.table.get(id.slot as usize)?.as_ref();
        socket.filter(|socket| socket.id == id).map(|socket| &socket.stream)
    }

    /// Whether a read may be begun.
    pub fn may_read(&mut self, id: ConnId) -> bool {
        self.get(id).is_some_and(|socket| !socket.over && !socket.is_read)
    }

    /// Is going to read up to the buffer's size, on a socket that may be read.
    pub fn read(&mut self, id: ConnId, buffer: Box<[u8]>) {
        if let Some(socket) = self.get(id) {
            socket.is_read = true;
            self.to_read.push((id, buffer));
        }
    }

    /// Begins the reads of this turn.
    pub fn begin_reads(&mut self) {
        for (id, mut buffer) in self.to_read.drain(..) {
            let Some(socket) = get(&mut self.table, id) else { continue };
            let (to, len) = (buffer.as_mut_ptr(), buffer.len() as u32);
            let mut read = begin(buffer, opcode::Recv::new(socket.fd(), to, len).build());
            // It cannot be over yet; this is how its waker gets there.
            let is_over = Pin::new(&mut read).poll(&mut self.heard.context(id.slot as usize)).is_ready();
            debug_assert!(!is_over, "it was not even handed over");
            socket.reading = Some(read);
        }
    }

    /// Writes as much of these bytes as goes; whether it was begun.
    pub fn write(&mut self, id: ConnId, bytes: Bytes) -> bool {
        let Some(socket) = get(&mut self.table, id).filter(|socket| !socket.over) else { return false };
        debug_assert!(!socket.writing, "one write at a time");
        let send = opcode::Send::new(socket.fd(), bytes.as_ptr(), bytes.len() as u32)
            .flags(MsgFlags::MSG_NOSIGNAL.bits());
        socket.writing = true;
        self.fresh.push_back((id, begin(bytes, send.build())));
        true
    }

    /// Whether nothing new is begun on it, or it is gone.
    pub fn is_over(&mut self, id: ConnId) -> bool {
        self.get(id).is_none_or(|socket| socket.over)
    }

    /// Tries to say a last word, where no write is under way: as much of it as goes at once.
    pub fn say(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(socket) = self.get(id).filter(|socket| !socket.over && !bytes.is_empty()) else { return };
        debug_assert!(!socket.writing, "it would come in the middle of that write");
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        // Who cannot hear it misses nothing that was for it.
        let _ = nix::sys::socket::send(socket.stream.as_raw_fd(), bytes, flags);
    }

    /// Says nothing more, and goes on reading.
    pub fn shut_write(&mut self, id: ConnId) {
        if let Some(socket) = self.get(id) {
            let _ = socket.stream.shutdown(Shutdown::Write);
        }
    }

    /// Nothing more on this socket: what is under way comes back by itself.
    pub fn break_off(&mut self, id: ConnId) {
        if let Some(socket) = self.get(id) {
            socket.over = true;
            // With nothing under way it is closed at once, which says the same.
            if !socket.is_idle() {
                let _ = socket.stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Closes a socket that was broken off once nothing is under way on it; whether it did.
    pub fn close_if_idle(&mut self, id: ConnId) -> bool {
        let closes = self.get(id).is_some_and(|socket| socket.over && socket.is_idle());
        if closes {
            self.table[id.slot as usize] = None;
        }
        closes
    }

    /// Before the loop sleeps: whatever lands from now on wakes it, and so does the kernel's having looked at
    /// every write that was begun; or at nothing, where the loop `has_more` to do.
    pub fn listen(&mut self, has_more: bool, cx: &mut Context<'_>) {
        self.heard.listen(cx.waker());
        if (has_more || !self.fresh.is_empty()) && self.handed_over.is_none() {
            self.handed_over = Some(begin((), opcode::Nop::new().build()));
        }
        if self.are_handed_over(cx) {
            cx.waker().wake_by_ref();
        }
    }

    /// After the loop slept: what it is about to hear of.
    pub fn wake(&mut self, cx: &mut Context<'_>) {
        self.are_handed_over(cx);
    }

    /// Whether the kernel has just looked at the fresh writes: they are looked at next.
    fn are_handed_over(&mut self, cx: &mut Context<'_>) -> bool {
        let is_back = self.handed_over.as_mut().is_some_and(|nop| Pin::new(nop).poll(cx).is_ready());
        if is_back {
            self.handed_over = None;
            self.looked_at = self.fresh.len();
        }
        is_back
    }

    /// The next operation that is back.
    pub fn next_landed(&mut self) -> Option<Landed> {
        self.next_fresh().or_else(|| self.next_heard())
    }

    /// Of the fresh writes one that is over; those that are not wait like reads do.
    fn next_fresh(&mut self) -> Option<Landed> {
        while self.looked_at > 0 {
            self.looked_at -= 1;
            let (id, mut write) = self.fresh.pop_front()?;
            match Pin::new(&mut write).poll(&mut self.heard.context(id.slot as usize)) {
                Poll::Ready((result, bytes)) => return Some(self.wrote(id, result, bytes)),
                Poll::Pending => {
                    if let Some(socket) = get(&mut self.table, id) {
                        socket.waiting = Some(Box::new(write));
                    }
                }
            }
        }
        None
    }

    fn next_heard(&mut self) -> Option<Landed> {
        loop {
            let (group, mut at) = match self.looking.take() {
                Some(looking) => looking,
                None => (self.heard.next_group()?, 0),
            };
            while at < GROUP_SLOTS {
                let slot = group * GROUP_SLOTS + at;
                let Some(Some(socket)) = self.table.get_mut(slot) else {
                    at += 1;
                    continue;
                };
                let mut cx = self.heard.context(slot);
                if let Some(landed) = socket.look_at(&mut cx) {
                    self.looking = Some((group, at));
                    return Some(landed);
                }
                at += 1;
            }
        }
    }

    fn wrote(&mut self, id: ConnId, result: io::Result<usize>, bytes: Bytes) -> Landed {
        if let Some(socket) = self.get(id) {
            socket.writing = false;
        }
        Landed::Wrote(id, result, bytes)
    }

    fn get(&mut self, id: ConnId) -> Option<&mut Socket> {
        get(&mut self.table, id)
    }
}

impl Socket {
    fn fd(&self) -> types::Fd {
        types::Fd(self.stream.as_raw_fd())
    }

    /// Whether no operation is under way on it.
    fn is_idle(&self) -> bool {
        !self.writing && !self.is_read
    }

    /// What is back on this socket.
    fn look_at(&mut self, cx: &mut Context<'_>) -> Option<Landed> {
        if let Some(write) = &mut self.waiting
            && let Poll::Ready((result, bytes)) = Pin::new(&mut **write).poll(cx)
        {
            (self.waiting, self.writing) = (None, false);
            return Some(Landed::Wrote(self.id, result, bytes));
        }
        if let Some(read) = &mut self.reading
            && let Poll::Ready((result, buffer)) = Pin::new(read).poll(cx)
        {
            (self.reading, self.is_read) = (None, false);
            return Some(Landed::Read(self.id, result, buffer));
        }
        None
    }
}

/// The socket of a connection, unless it is gone.
fn get(table: &mut [Option<Socket>], id: ConnId) -> Option<&mut Socket> {
    table.get_mut(id.slot as usize)?.as_mut().filter(|socket| socket.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_small() {
        let size = size_of::<Option<Socket>>();
        assert!(size <= 64, "{size} bytes for each connection");
    }
}
