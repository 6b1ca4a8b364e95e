//! The only clock of the broker.
//!
//! Always true: it is read once per turn of a core's loop; whoever needs the time within a turn is handed
//! that reading.
//!
//! Read first: `time.rs`.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::Now;

/// Reads the machine's clocks.
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// A clock whose monotonic half begins at 0.
    pub fn start() -> Clock {
        Clock { began: Instant::now() }
    }

    /// Both clocks, now.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_ms: self.began.elapsed().as_millis() as u64, wall_ms: wall.as_millis() as u64 }
    }

    /// Microseconds since it began, for the access log: how long something took within a turn.
    pub fn us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// The moment of a deadline, as the timer wants it.
    pub fn instant(&self, monotonic_ms: u64) -> Instant {
        self.began + std::time::Duration::from_millis(monotonic_ms)
    }
}
