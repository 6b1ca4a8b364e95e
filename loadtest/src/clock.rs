//! One clock for a whole run.
//!
//! Always true: times are nanoseconds since the run began and never 0, so 0 can mean "never".
//!
//! Read first: nothing.

use std::time::{Duration, Instant};

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// A second.
pub const SECOND: Nanos = 1_000_000_000;
/// A thousandth of it.
pub const MILLISECOND: Nanos = 1_000_000;

/// Reads the monotonic clock; copies of it share their beginning.
#[derive(Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Begins a run.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        self.0.elapsed().as_nanos() as Nanos + 1
    }

    /// So many seconds from now.
    pub fn after(&self, seconds: f64) -> Nanos {
        self.now() + Duration::from_secs_f64(seconds.max(0.0)).as_nanos() as Nanos
    }
}
