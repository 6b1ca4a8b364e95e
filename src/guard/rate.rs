//! How often something may happen: so many a second, and a second's worth at once.
//!
//! Always true: a bucket is one number, the moment at which it is full again. Whoever stays below the rate is
//! never refused; whoever does not gets the rate and no more; nothing is taken by what is refused.
//!
//! Read first: `time.rs`.

use crate::time::Now;

const SECOND_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;

/// So many a second; 0 for as many as there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate(usize);

/// What is left of a rate: when it will be whole again, in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Bucket {
    full_at_ns: u64,
}

impl Rate {
    /// So many a second; 0 for as many as there are.
    pub const fn new(per_second: usize) -> Rate {
        Rate(per_second)
    }

    /// Whether nothing is ever too fast.
    pub fn is_unbounded(self) -> bool {
        self.0 == 0
    }

    /// How many a second; 0 for as many as there are.
    pub fn per_second(self) -> usize {
        self.0
    }

    /// Whether one more is allowed now.
    pub fn allows(self, bucket: Bucket, now: Now) -> bool {
        self.is_unbounded() || bucket.missing_ns(now) + self.cost_ns() <= SECOND_NS
    }

    /// Takes one, if that is allowed; whether it was.
    pub fn take(self, bucket: &mut Bucket, now: Now) -> bool {
        let allowed = self.allows(*bucket, now);
        if allowed && !self.is_unbounded() {
            bucket.full_at_ns = now_ns(now) + bucket.missing_ns(now) + self.cost_ns();
        }
        allowed
    }

    fn cost_ns(self) -> u64 {
        SECOND_NS / (self.0 as u64).clamp(1, SECOND_NS)
    }
}

impl Bucket {
    /// Whether all of it is there: a bucket to forget, as a new one is like it.
    pub fn is_full(self, now: Now) -> bool {
        self.missing_ns(now) == 0
    }

    fn missing_ns(self, now: Now) -> u64 {
        self.full_at_ns.saturating_sub(now_ns(now))
    }
}

fn now_ns(now: Now) -> u64 {
    now.monotonic_ms.saturating_mul(MS_NS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, wall_ms: 0 }
    }

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_the_rate() {
        let (rate, mut bucket) = (Rate::new(4), Bucket::default());
        let taken = |bucket: &mut Bucket, ms| (0..100).filter(|_| rate.take(bucket, at(ms))).count();
        assert_eq!(taken(&mut bucket, 1_000), 4);
        assert_eq!(taken(&mut bucket, 1_249), 0);
        assert_eq!(taken(&mut bucket, 1_250), 1);
        assert_eq!(taken(&mut bucket, 1_750), 2);
        assert!(!bucket.is_full(at(2_749)) && bucket.is_full(at(2_750)));
        assert_eq!(taken(&mut bucket, 60_000), 4, "what was not used for long is not kept");
    }

    #[test]
    fn without_a_rate_all_is_allowed_and_nothing_kept() {
        let mut bucket = Bucket::default();
        assert!((0..1_000).all(|_| Rate::new(0).take(&mut bucket, at(5))));
        assert_eq!(bucket, Bucket::default());
    }

    proptest! {
        /// Against a list of everything that was taken: never more than the rate and one second's worth, and
        /// never refused to who has had less than the rate in the last second.
        #[test]
        fn it_is_the_rate_and_neither_more_nor_less(
            per_second in 1usize..50,
            steps in prop::collection::vec(0u64..400, 1..300),
        ) {
            let (rate, mut bucket, mut now) = (Rate::new(per_second), Bucket::default(), 10_000);
            let mut taken: Vec<u64> = Vec::new();
            for step in steps {
                now += step;
                let recent = taken.iter().filter(|then| **then + 1_000 > now).count();
                if rate.take(&mut bucket, at(now)) {
                    taken.push(now);
                } else {
                    prop_assert!(recent + 1 >= per_second.max(2), "{recent} in a second");
                }
                for first in &taken {
                    let span = now - first;
                    let most = per_second as u64 + span * per_second as u64 / 1_000 + 1;
                    let within = taken.iter().filter(|then| *then >= first).count() as u64;
                    prop_assert!(within <= most, "{within} in {span} ms");
                }
            }
        }
    }
}
