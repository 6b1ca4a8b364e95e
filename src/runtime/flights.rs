//! Operations that are with the kernel.
//!
//! Always true: an operation keeps its socket and its buffer alive until it is back, and brings the buffer
//! back with it. Whatever was put in flight comes out as exactly one [`Landed`].
//!
//! Read first: nothing; `runtime/worker.rs` drives this.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream};
use tokio_uring::net::{TcpListener, TcpStream};

use crate::ids::ConnId;

/// Something to hand to the kernel.
pub enum Flight {
    /// Take one connection.
    Accept(Rc<TcpListener>),
    /// Read up to the buffer's capacity.
    Read(ConnId, Rc<TcpStream>, Vec<u8>),
    /// Write as much of these bytes as goes.
    Write(ConnId, Rc<TcpStream>, Bytes),
    /// Nothing, for a while.
    Rest(Duration),
}

/// What became of it.
pub enum Landed {
    /// A connection, or why there is none.
    Accepted(io::Result<TcpStream>),
    /// How many bytes are in the buffer; 0 is the peer's end.
    Read(ConnId, io::Result<usize>, Vec<u8>),
    /// How many of the bytes the kernel took.
    Wrote(ConnId, io::Result<usize>, Bytes),
    /// The while is over.
    Rested,
}

async fn fly(flight: Flight) -> Landed {
    match flight {
        Flight::Accept(listener) => Landed::Accepted(listener.accept().await.map(|(stream, _)| stream)),
        Flight::Read(conn, stream, buffer) => {
            let (result, buffer) = stream.read(buffer).await;
            Landed::Read(conn, result, buffer)
        }
        Flight::Write(conn, stream, bytes) => {
            let (result, bytes) = stream.write(bytes).submit().await;
            Landed::Wrote(conn, result, bytes)
        }
        Flight::Rest(time) => {
            tokio::time::sleep(time).await;
            Landed::Rested
        }
    }
}

/// All operations of one core that are with the kernel.
pub struct Flights<F> {
    set: FuturesUnordered<F>,
    take_off: fn(Flight) -> F,
    /// Some were begun since the last look: a future is handed to the kernel when it is first polled.
    waiting: bool,
}

/// An empty sky.
pub fn flights() -> Flights<impl Future<Output = Landed>> {
    Flights { set: FuturesUnordered::new(), take_off: fly, waiting: false }
}

impl<F: Future<Output = Landed>> Flights<F> {
    /// Hands an operation to the kernel. It goes with the next submission, all of a turn together.
    pub fn begin(&mut self, flight: Flight) {
        self.set.push((self.take_off)(flight));
        self.waiting = true;
    }

    /// Whether some of them wait for [`Flights::poll_landed`] to take off.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// The next operation that is back; whatever waits takes off.
    pub fn poll_landed(&mut self, cx: &mut Context<'_>) -> Poll<Landed> {
        match Pin::new(&mut self.set).poll_next(cx) {
            Poll::Ready(Some(landed)) => Poll::Ready(landed),
            Poll::Ready(None) | Poll::Pending => {
                self.waiting = false;
                Poll::Pending
            }
        }
    }
}
