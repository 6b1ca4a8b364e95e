//! The moment at which the demo ends, for everybody who waits for it.
//!
//! Always true: once it has come it stays; whoever waits is woken at once.
//!
//! Read first: nothing.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether the demo has ended.
#[derive(Default)]
pub struct Stop {
    has_come: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Ends the demo.
    pub fn set(&self) {
        *self.has_come.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for the end, but not longer than this; true if it has come.
    pub fn wait(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut has_come = self.has_come.lock().unwrap_or_else(PoisonError::into_inner);
        while !*has_come {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            has_come = self.changed.wait_timeout(has_come, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn whoever_waits_is_woken() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| stop.wait(Duration::from_secs(30)));
            stop.set();
            assert!(waiter.join().unwrap());
        });
        assert!(stop.wait(Duration::ZERO), "it stays");
    }
}
