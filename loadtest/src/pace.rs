//! When requests should go out: an open loop does not wait for answers.
//!
//! Always true: the schedule is drawn up in advance and never slips; a request that goes out late is late by
//! the schedule's count.
//!
//! Read first: `clock.rs`.

use crate::clock::{Nanos, SECOND};

/// A steady schedule.
pub struct Pace {
    began: Nanos,
    per_second: f64,
    gone: u64,
}

impl Pace {
    /// So many a second, from `began` on.
    pub fn new(per_second: f64, began: Nanos) -> Pace {
        Pace { began, per_second, gone: 0 }
    }

    /// When the next one should go out.
    pub fn due(&self) -> Nanos {
        self.began + (self.gone as f64 * SECOND as f64 / self.per_second) as Nanos
    }

    /// The next one is gone.
    pub fn advance(&mut self) {
        self.gone += 1;
    }

    /// Begins anew at `now`, for a schedule that was suspended.
    pub fn restart(&mut self, now: Nanos) {
        (self.began, self.gone) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_does_not_slip() {
        let mut pace = Pace::new(50.0, 7);
        (0..50).for_each(|_| pace.advance());
        assert_eq!(pace.due(), SECOND + 7);
        pace.restart(9);
        assert_eq!(pace.due(), 9);
    }
}
