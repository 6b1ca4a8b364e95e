//! How cores share one listening socket.
//!
//! Always true: a core that has more connections than the emptiest leaves newcomers to the others. The
//! emptiest never does, so somebody always takes them.
//!
//! Read first: `runtime/door.rs`, `runtime/mesh.rs` (bells).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ids::ShardId;
use crate::runtime::mesh::Bells;

/// So many connections more than the emptiest core has, and a core takes no more.
const AHEAD_MAX: usize = 32;

/// One core's part in a socket that all of them accept from.
pub struct Share {
    /// How many connections each core has.
    connections: Arc<[AtomicUsize]>,
    shard: ShardId,
    bells: Bells,
    is_ahead: bool,
}

/// A part for each core, none of which has a connection.
pub fn among(cores: usize, bells: &Bells) -> Vec<Share> {
    let connections: Arc<[AtomicUsize]> = (0..cores).map(|_| AtomicUsize::new(0)).collect();
    let share = |shard| Share {
        connections: connections.clone(),
        shard: ShardId(shard),
        bells: bells.clone(),
        is_ahead: false,
    };
    (0..cores as u16).map(share).collect()
}

impl Share {
    /// Whether a core that has so many connections may take one more.
    pub fn may_take(&mut self, connections: usize) -> bool {
        self.tell(connections);
        let is_ahead = connections > self.least() + AHEAD_MAX;
        let was_ahead = std::mem::replace(&mut self.is_ahead, is_ahead);
        if is_ahead && !was_ahead {
            // The emptiest core may sleep, and may have thought itself ahead when it fell asleep.
            self.bells.ring_all();
        }
        !is_ahead
    }

    /// Written only where it changes, so that the cores may read it for nothing.
    fn tell(&self, connections: usize) {
        let told = &self.connections[self.shard.index()];
        if told.load(Ordering::Relaxed) != connections {
            told.store(connections, Ordering::Relaxed);
        }
    }

    fn least(&self) -> usize {
        self.connections.iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::mesh;

    #[test]
    fn only_a_core_that_is_ahead_leaves_newcomers_to_others() {
        let (desk, _ports) = mesh::build(3);
        let mut shares = among(3, desk.bells());
        let mut may_take = |at: usize, connections| shares[at].may_take(connections);
        assert!(may_take(0, AHEAD_MAX), "as far as it may go");
        assert!(!may_take(0, AHEAD_MAX + 1));
        assert!(!may_take(1, AHEAD_MAX + 1));
        assert!(may_take(2, 0), "the emptiest always may");
        assert!(may_take(2, 1));
        assert!(may_take(0, AHEAD_MAX + 1), "the others have caught up");
    }
}
