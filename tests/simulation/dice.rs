//! Chance, from a seed.
//!
//! Always true: the same seed and concern give the same throws on every machine; each concern has dice of its
//! own, so that one more throw in one of them leaves all the others as they were.
//!
//! Read first: nothing.

/// One stream of throws (SplitMix64).
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of one concern of one seed.
    pub fn new(seed: u64, concern: &str) -> Dice {
        let mixed = concern.bytes().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
        });
        let mut dice = Dice(mixed);
        dice.throw();
        dice
    }

    /// Sixty-four bits.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.throw()) * end as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True once in `times` throws.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// Small numbers often, large ones seldom: 1 up to `high`, each power of two as likely as the next.
    pub fn skewed(&mut self, high: usize) -> usize {
        let bits = usize::BITS - high.leading_zeros();
        let cap = 1usize << self.between(0, bits as usize);
        1 + self.below(cap.min(high))
    }
}
