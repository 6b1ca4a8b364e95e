//! How long to wait before the next attempt to connect.
//!
//! Always true: delays grow from a quarter of a second to fifteen seconds, and each is drawn from its upper
//! half, so that a thousand viewers of one broker do not come back in one moment.
//!
//! Read first: nothing. Randomness comes in as an argument.

use std::time::Duration;

const FIRST_MS: u64 = 250;
const LAST_MS: u64 = 15_000;

/// Counts the attempts since the last success.
#[derive(Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The delay before the next attempt.
    pub fn next(&mut self, random: u64) -> Duration {
        let whole = FIRST_MS.saturating_mul(1 << self.attempts.min(16)).min(LAST_MS);
        self.attempts = self.attempts.saturating_add(1);
        Duration::from_millis(whole / 2 + random % (whole / 2 + 1))
    }

    /// It worked: the next delay is a short one again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_start_over() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..9).map(|_| backoff.next(u64::MAX / 2).as_millis()).collect();
        assert!(longest[0] <= 250 && longest[8] <= 15_000);
        let mut full = Backoff::default();
        let spans: Vec<_> = (0..40).map(|_| full.next(0).as_millis()).collect();
        assert_eq!(spans[..4], [125, 250, 500, 1_000]);
        assert_eq!(spans[39], 7_500);
        full.reset();
        assert_eq!(full.next(0).as_millis(), 125);
    }

    #[test]
    fn two_viewers_do_not_wait_alike() {
        let delay = |random| Backoff::default().next(random);
        assert_ne!(delay(1), delay(77));
    }
}
