//! Operations that are with the kernel.
//!
//! Always true: an operation keeps its buffer until it is back, and brings it back. Whatever was put in
//! flight comes out as exactly one [`Landed`]. A socket outlives the operations on it: the worker keeps it
//! until they have landed.
//!
//! Read first: nothing; `runtime/worker.rs` drives this.

use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream};
use io_uring::{cqueue, opcode, types};
use tokio::time::Sleep;
use tokio_uring::net::{TcpListener, TcpStream};
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot, WriteData, WriteTransform};

use crate::ids::ConnId;

/// What became of an operation.
pub enum Landed {
    /// A connection, or why there is none.
    Accepted(io::Result<TcpStream>),
    /// How many bytes are in the buffer; 0 is the peer's end.
    Read(ConnId, io::Result<usize>, Box<[u8]>),
    /// How many of the bytes the kernel took.
    Wrote(ConnId, io::Result<usize>, Bytes),
    /// The while is over.
    Rested,
    /// Accepts were called back.
    Called,
}

/// All operations of one core that are with the kernel.
#[derive(Default)]
pub struct Flights {
    set: FuturesUnordered<Flying>,
    /// Some were begun since the last look, and nobody would hear of their landing yet.
    unheard: bool,
}

/// One operation. There is one for each connection that waits to be read, so it is kept small.
enum Flying {
    Accept(Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>),
    Read(ConnId, InFlightOneshot<Box<[u8]>, Reading>),
    Write(ConnId, InFlightOneshot<WriteData<Bytes>, WriteTransform<Bytes>>),
    Rest(Pin<Box<Sleep>>),
    Call(InFlightOneshot<(), Calling>),
}

/// Turns a completion into how much was read, and gives the buffer back.
struct Reading;

impl OneshotOutputTransform for Reading {
    type Output = (io::Result<usize>, Box<[u8]>);
    type StoredData = Box<[u8]>;

    fn transform_oneshot_output(self, buffer: Box<[u8]>, entry: cqueue::Entry) -> Self::Output {
        let result = match usize::try_from(entry.result()) {
            Ok(len) => Ok(len),
            Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
        };
        (result, buffer)
    }
}

/// How many accepts there were to call back tells nothing: each says so itself.
struct Calling;

impl OneshotOutputTransform for Calling {
    type Output = ();
    type StoredData = ();

    fn transform_oneshot_output(self, (): (), _: cqueue::Entry) {}
}

impl Flights {
    /// Takes one connection.
    pub fn accept(&mut self, listener: Rc<TcpListener>) {
        let accept = async move { listener.accept().await.map(|(stream, _)| stream) };
        self.begin(Flying::Accept(Box::pin(accept)));
    }

    /// Calls back every accept on this socket. Each comes back by itself: with a connection that was faster,
    /// or with an error.
    pub fn call_accepts_back(&mut self, listener: &TcpListener) {
        let of_socket = types::CancelBuilder::fd(types::Fd(listener.as_raw_fd())).all();
        let entry = opcode::AsyncCancel2::new(of_socket).build();
        self.begin(Flying::Call(UnsubmittedOneshot::new((), Calling, entry).submit()));
    }

    /// Reads up to the buffer's size.
    pub fn read(&mut self, conn: ConnId, stream: &TcpStream, mut buffer: Box<[u8]>) {
        let (to, len) = (buffer.as_mut_ptr(), buffer.len() as u32);
        let entry = opcode::Recv::new(types::Fd(stream.as_raw_fd()), to, len).build();
        self.begin(Flying::Read(conn, UnsubmittedOneshot::new(buffer, Reading, entry).submit()));
    }

    /// Writes as much of these bytes as goes.
    pub fn write(&mut self, conn: ConnId, stream: &TcpStream, bytes: Bytes) {
        self.begin(Flying::Write(conn, stream.write(bytes).submit()));
    }

    /// Does nothing for a while.
    pub fn rest(&mut self, time: Duration) {
        self.begin(Flying::Rest(Box::pin(tokio::time::sleep(time))));
    }

    /// It goes to the kernel with the next submission, all of a turn together.
    fn begin(&mut self, flying: Flying) {
        self.set.push(flying);
        self.unheard = true;
    }

    /// Whether [`Flights::poll_landed`] has to be asked once more before this task may sleep.
    pub fn is_unheard(&self) -> bool {
        self.unheard
    }

    /// The next operation that is back.
    pub fn poll_landed(&mut self, cx: &mut Context<'_>) -> Poll<Landed> {
        match Pin::new(&mut self.set).poll_next(cx) {
            Poll::Ready(Some(landed)) => Poll::Ready(landed),
            Poll::Ready(None) | Poll::Pending => {
                self.unheard = false;
                Poll::Pending
            }
        }
    }
}

impl Future for Flying {
    type Output = Landed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Landed> {
        Poll::Ready(match self.get_mut() {
            Flying::Accept(accept) => Landed::Accepted(ready!(accept.as_mut().poll(cx))),
            Flying::Read(conn, read) => {
                let (result, buffer) = ready!(Pin::new(read).poll(cx));
                Landed::Read(*conn, result, buffer)
            }
            Flying::Write(conn, write) => {
                let (result, bytes) = ready!(Pin::new(write).poll(cx));
                Landed::Wrote(*conn, result, bytes)
            }
            Flying::Rest(rest) => {
                ready!(rest.as_mut().poll(cx));
                Landed::Rested
            }
            Flying::Call(call) => {
                ready!(Pin::new(call).poll(cx));
                Landed::Called
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_small() {
        assert!(size_of::<Flying>() <= 80, "{} bytes for each connection that waits", size_of::<Flying>());
    }
}
