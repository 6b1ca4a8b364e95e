//! Where connections come in: how many accepts a core keeps waiting, and how it stops.
//!
//! Always true: on a socket of its own, a core takes whom the kernel sends there. On one that all cores share,
//! a core that has more connections than the emptiest leaves newcomers to the others, so nobody is left out
//! and one of them always takes. A socket that was handed over outlives the broker: it is never shut down,
//! only the accepts on it are called back.
//!
//! Read first: `runtime/worker.rs`, `runtime/inherited.rs`.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_uring::net::TcpListener;

use crate::ids::ShardId;
use crate::runtime::flights::Flights;
use crate::runtime::mesh::Bells;

/// Accepts that wait at once: a storm of connections is taken so many per turn.
const ACCEPTS: usize = 8;
/// So many connections more than the emptiest core has, and a core takes no more from a shared socket.
const AHEAD_MAX: usize = 32;

/// How many connections each core has, where they share one socket.
#[derive(Clone)]
pub struct Share {
    connections: Arc<[AtomicUsize]>,
    bells: Bells,
}

/// One core's way in.
pub struct Door {
    listener: Rc<TcpListener>,
    /// The same socket, to be shut down when the broker stops.
    socket: std::net::TcpListener,
    shard: ShardId,
    share: Option<Share>,
    is_ahead: bool,
}

impl Share {
    /// For so many cores, none of which has a connection.
    pub fn new(cores: usize, bells: Bells) -> Share {
        Share { connections: (0..cores).map(|_| AtomicUsize::new(0)).collect(), bells }
    }

    /// Written only where it changes, so that the cores may read it for nothing.
    fn tell(&self, shard: ShardId, connections: usize) {
        let told = &self.connections[shard.index()];
        if told.load(Ordering::Relaxed) != connections {
            told.store(connections, Ordering::Relaxed);
        }
    }

    fn is_ahead(&self, shard: ShardId) -> bool {
        let count = |at: &AtomicUsize| at.load(Ordering::Relaxed);
        let least = self.connections.iter().map(count).min().unwrap_or(0);
        count(&self.connections[shard.index()]) > least + AHEAD_MAX
    }
}

impl Door {
    /// A core's way in, by a socket of its own, or by one that it shares. To be called inside its runtime.
    ///
    /// # Errors
    /// The listening socket could not be doubled.
    pub fn new(listener: std::net::TcpListener, shard: ShardId, share: Option<Share>) -> io::Result<Door> {
        let socket = listener.try_clone()?;
        Ok(Door { listener: Rc::new(TcpListener::from_std(listener)), socket, shard, share, is_ahead: false })
    }

    /// The socket to accept from.
    pub fn listener(&self) -> Rc<TcpListener> {
        self.listener.clone()
    }

    /// How many accepts should wait now, on a core with so many connections and room for so many more.
    pub fn accepts_wanted(&mut self, connections: usize, room: usize) -> usize {
        let wanted = room.min(ACCEPTS);
        let Some(share) = &self.share else { return wanted };
        share.tell(self.shard, connections);
        let was_ahead = std::mem::replace(&mut self.is_ahead, share.is_ahead(self.shard));
        if self.is_ahead && !was_ahead {
            // The emptiest core may sleep, and may have thought itself ahead when it fell asleep.
            share.bells.ring_all();
        }
        if self.is_ahead { 0 } else { wanted }
    }

    /// The broker stops: wakes the accepts that wait. Whoever has connected and was not accepted is turned
    /// away, or, on a socket that was handed over, waits for the next broker.
    pub fn close(&self, flights: &mut Flights) {
        match self.share {
            Some(_) => flights.call_accepts_back(&self.listener),
            None => drop(socket2::SockRef::from(&self.socket).shutdown(Shutdown::Both)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::mesh;

    #[test]
    fn only_a_core_that_is_ahead_leaves_newcomers_to_others() {
        let (_desk, ports) = mesh::build(3);
        let share = Share::new(3, ports[0].bells().clone());
        let set = |at: usize, count| share.connections[at].store(count, Ordering::Relaxed);
        let ahead = || [0, 1, 2].map(|at| share.is_ahead(ShardId(at)));
        assert_eq!(ahead(), [false; 3]);
        set(0, AHEAD_MAX);
        assert_eq!(ahead(), [false; 3]);
        set(0, AHEAD_MAX + 1);
        assert_eq!(ahead(), [true, false, false]);
        set(1, AHEAD_MAX + 1);
        assert_eq!(ahead(), [true, true, false], "the emptiest is never ahead");
        set(2, 1);
        assert_eq!(ahead(), [false; 3]);
    }
}
