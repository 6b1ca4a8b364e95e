//! Whether every core's loop still moves: what the watchdog is fed for.
//!
//! Always true: a core counts its turns in a place that nobody else writes, so counting costs no more than an
//! addition. A core that sleeps because there is nothing to do is rung before it is looked at.
//!
//! Read first: `runtime/mesh.rs` (bells).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::ids::ShardId;
use crate::runtime::mesh::Bells;

/// How many turns a core has begun, on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Turns(AtomicU64);

/// One core's own pulse.
pub struct Pulse {
    turns: Arc<[Turns]>,
    shard: ShardId,
}

/// The process's finger on all of them.
pub struct Pulses {
    turns: Arc<[Turns]>,
    bells: Bells,
    /// What each had counted when it was last seen to move.
    seen: Vec<u64>,
}

impl Pulse {
    /// A turn has begun.
    pub fn tick(&self) {
        let turns = &self.turns[self.shard.index()].0;
        turns.store(turns.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

impl Pulses {
    /// For so many cores, none of which has moved yet.
    pub fn new(cores: usize, bells: Bells) -> Pulses {
        Pulses { turns: (0..cores).map(|_| Turns::default()).collect(), bells, seen: vec![0; cores] }
    }

    /// What the core of this name is to tick.
    pub fn of(&self, shard: ShardId) -> Pulse {
        Pulse { turns: self.turns.clone(), shard }
    }

    /// The first core that has not moved since the look before, if there is one; rings all of them, so that
    /// the next look finds even those moved that have nothing to do.
    pub fn first_still(&mut self) -> Option<ShardId> {
        let mut still = None;
        for (at, (turns, seen)) in self.turns.iter().zip(&mut self.seen).enumerate() {
            let now = turns.0.load(Ordering::Relaxed);
            if now == *seen {
                still = still.or(Some(ShardId(at as u16)));
            }
            *seen = now;
        }
        self.bells.ring_all();
        still
    }

    /// Waits until every core has gone through a whole turn, and so has heard what it was told before; not
    /// longer than `patience`.
    pub fn wait_for_a_turn(&mut self, patience: Duration) {
        const PAUSE: Duration = Duration::from_micros(200);
        let until = Instant::now() + patience;
        // The turn under way may have looked at its commands already; the one after it has not.
        for _ in 0..2 {
            self.first_still();
            while self.has_still() && Instant::now() < until {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn has_still(&self) -> bool {
        self.turns.iter().zip(&self.seen).any(|(turns, seen)| turns.0.load(Ordering::Relaxed) == *seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::mesh;

    #[test]
    fn a_core_that_stands_still_is_named_until_it_moves() {
        let (_desk, ports) = mesh::build(3);
        let mut pulses = Pulses::new(3, ports[0].bells().clone());
        let all: Vec<Pulse> = (0..3).map(|at| pulses.of(ShardId(at))).collect();
        all.iter().for_each(Pulse::tick);
        assert_eq!(pulses.first_still(), None);
        all[0].tick();
        all[2].tick();
        assert_eq!(pulses.first_still(), Some(ShardId(1)));
        all[0].tick();
        all[2].tick();
        assert_eq!(pulses.first_still(), Some(ShardId(1)), "it still stands");
        all.iter().for_each(Pulse::tick);
        assert_eq!(pulses.first_still(), None);
    }

    #[test]
    fn waiting_for_a_turn_ends_with_patience() {
        let (_desk, ports) = mesh::build(1);
        let mut pulses = Pulses::new(1, ports[0].bells().clone());
        let began = Instant::now();
        pulses.wait_for_a_turn(Duration::from_millis(20));
        assert!(began.elapsed() >= Duration::from_millis(20), "nobody ticked");
    }
}
