//! A line on standard error while a run goes on.
//!
//! Always true: it is written to a terminal only, where it can write over itself.
//!
//! Read first: nothing.

use std::io::{IsTerminal, Write};

use crate::clock::{Nanos, SECOND};
use crate::fleet::Fleet;
use crate::flow::Flow;

/// The line.
pub struct Progress {
    what: String,
    is_shown: bool,
    next: Nanos,
    ends: Nanos,
}

impl Progress {
    /// A line about `what`, which ends at a time.
    pub fn new(what: impl Into<String>, ends: Nanos) -> Progress {
        Progress { what: what.into(), is_shown: std::io::stderr().is_terminal(), next: 0, ends }
    }

    /// Writes it, if it is time to.
    pub fn tick(&mut self, fleet: &Fleet, flows: &[Flow]) {
        if !self.is_shown {
            return;
        }
        let now = fleet.clock.now();
        if now < self.next {
            return;
        }
        self.next = now + SECOND / 2;
        let deliveries: u64 = flows.iter().map(|flow| flow.audience.deliveries).sum();
        let answers: u64 = flows.iter().map(|flow| flow.answered.count()).sum();
        let errors: u64 = fleet.errors.values().sum();
        eprint!(
            "\r\x1b[K{}: {} s to go, {} viewers, {answers} answers, {deliveries} deliveries, {errors} errors",
            self.what,
            self.ends.saturating_sub(now).div_ceil(SECOND),
            fleet.live(),
        );
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown && self.next > 0 {
            eprint!("\r\x1b[K");
        }
    }
}
