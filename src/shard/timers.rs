//! When which connection wants to be looked at.
//!
//! Always true: a connection that has something due is looked at no later than that. Moving a deadline
//! further away costs nothing: the old look finds that it came early, and a new one is armed.
//!
//! Read first: `time.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::ConnId;
use crate::time::{Deadline, Now};

/// The looks that are armed, soonest first.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Deadline, ConnId)>>,
}

impl Timers {
    /// Arms a look at a connection.
    pub fn arm(&mut self, at: Deadline, conn: ConnId) {
        self.heap.push(Reverse((at, conn)));
    }

    /// The next look whose time has come, and the time it was armed for.
    pub fn next_due(&mut self, now: Now) -> Option<(Deadline, ConnId)> {
        let Reverse(look) = *self.heap.peek()?;
        now.reached(look.0).then(|| {
            self.heap.pop();
            look
        })
    }

    /// How many looks are armed, outdated ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// When the soonest look is.
    pub fn soonest(&self) -> Deadline {
        self.heap.peek().map_or(Deadline::NEVER, |Reverse((at, _))| *at)
    }
}
