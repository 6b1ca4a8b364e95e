//! Where connections come in.
//!
//! Always true: while nobody is let in, nobody is taken from the kernel's queue. The kernel is asked to say
//! when somebody waits; taking one is a call that never does. A socket that was handed over outlives the
//! broker: who still waits there when the door closes is left to the next one.
//!
//! Read first: `runtime/worker.rs`, `runtime/share.rs`.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use io_uring::{opcode, types};
use nix::poll::PollFlags;
use tokio::time::Sleep;

use crate::runtime::share::Share;
use crate::runtime::sockets::{Operation, begin};

/// After an accept that failed for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// One core's listening socket.
pub struct Door {
    listener: TcpListener,
    /// The part in a socket that all cores have from the supervisor.
    share: Option<Share>,
    /// The kernel will say when somebody waits.
    knock: Option<Operation<()>>,
    /// Nobody is let in before that.
    rest: Option<Pin<Box<Sleep>>>,
    /// The last try failed, and that was said.
    is_short: bool,
    /// Tries that failed.
    errors: u64,
    is_closed: bool,
}

impl Door {
    /// An open door, on a socket of this core alone or on one that it shares.
    ///
    /// # Errors
    /// The socket cannot be made to never wait.
    pub fn new(listener: TcpListener, share: Option<Share>) -> io::Result<Door> {
        listener.set_nonblocking(true)?;
        Ok(Door { listener, share, knock: None, rest: None, is_short: false, errors: 0, is_closed: false })
    }

    /// The next connection of a core that has so many, if there is one. If not, the task is woken when there
    /// may be.
    pub fn next(&mut self, connections: usize, cx: &mut Context<'_>) -> Option<(TcpStream, IpAddr)> {
        if self.share.as_mut().is_some_and(|share| !share.may_take(connections)) {
            return None;
        }
        if self.is_closed || is_pending(&mut self.rest, cx) || is_pending(&mut self.knock, cx) {
            return None;
        }
        loop {
            match self.listener.accept() {
                Ok((stream, address)) => {
                    if std::mem::take(&mut self.is_short) {
                        tracing::info!("connections are accepted again");
                    }
                    return Some((stream, address.ip()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let readable = PollFlags::POLLIN.bits() as u32;
                    let fd = types::Fd(self.listener.as_raw_fd());
                    self.knock = Some(begin((), opcode::PollAdd::new(fd, readable).build()));
                    is_pending(&mut self.knock, cx);
                    return None;
                }
                // It left before it was taken.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    self.errors += 1;
                    // Said once, and not for as long as it lasts.
                    if !std::mem::replace(&mut self.is_short, true) {
                        tracing::warn!(%error, "no connection could be accepted; trying again until one can");
                    }
                    self.rest = Some(Box::pin(tokio::time::sleep(REST)));
                    is_pending(&mut self.rest, cx);
                    return None;
                }
            }
        }
    }

    /// How often the kernel did not hand a connection over.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Lets nobody in any more. Whoever waits is turned away, or left to the next broker.
    pub fn close(&mut self) {
        self.is_closed = true;
        if self.share.is_some() {
            return;
        }
        let _ = socket2::SockRef::from(&self.listener).shutdown(Shutdown::Both);
    }
}

/// Whether what is waited for has not come yet; what has come is forgotten.
fn is_pending<F: Future + Unpin>(waiting: &mut Option<F>, cx: &mut Context<'_>) -> bool {
    match waiting.as_mut().map(|future| Pin::new(future).poll(cx)) {
        None => false,
        Some(Poll::Pending) => true,
        Some(Poll::Ready(_)) => {
            *waiting = None;
            false
        }
    }
}
