//! How the cores stop together.
//!
//! Always true: a core without connections goes on answering the others until none of them has any, or their
//! time is over.
//!
//! Read first: `runtime/worker.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::runtime::mesh::Bells;
use crate::time::{Deadline, Now};

/// One core's part in stopping.
pub struct Stopping {
    drain_ms: u64,
    until: Option<Deadline>,
    halted: bool,
    /// This core has said that it has no connections left.
    is_counted: bool,
    /// Cores that still have some.
    busy: Arc<AtomicUsize>,
    bells: Bells,
}

impl Stopping {
    /// A core that goes on; `busy` starts at the number of cores.
    pub fn new(drain_ms: u64, busy: Arc<AtomicUsize>, bells: Bells) -> Stopping {
        Stopping { drain_ms, until: None, halted: false, is_counted: false, busy, bells }
    }

    /// From here on a stop takes this long.
    pub fn reload(&mut self, drain_ms: u64) {
        self.drain_ms = drain_ms;
    }

    /// The broker stops.
    pub fn begin(&mut self, now: Now) {
        self.until.get_or_insert(now.after(self.drain_ms));
    }

    /// The broker ends at once.
    pub fn halt(&mut self) {
        self.halted = true;
    }

    /// When patience ends.
    pub fn deadline(&self) -> Deadline {
        self.until.unwrap_or(Deadline::NEVER)
    }

    /// Whether this core's loop may end.
    pub fn is_over(&mut self, is_deserted: bool, now: Now) -> bool {
        let Some(until) = self.until else { return self.halted };
        if is_deserted && !self.is_counted {
            self.is_counted = true;
            self.busy.fetch_sub(1, Ordering::AcqRel);
            self.bells.ring_all();
        }
        self.halted || now.reached(until) || self.busy.load(Ordering::Acquire) == 0
    }
}
