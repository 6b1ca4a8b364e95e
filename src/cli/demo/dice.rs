//! The randomness of the made-up producers: the same seed, the same story.
//!
//! Always true: one stream per producer, so that adding a draw to one leaves the others as they were.
//!
//! Read first: nothing. (SplitMix64, after Steele, Lea and Flood.)

/// A stream of random numbers.
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of this seed for the producer of this number.
    pub fn new(seed: u64, producer: u64) -> Dice {
        Dice { state: seed ^ producer.wrapping_mul(0xA24B_AED4_963E_E407) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, 1 not included.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between two numbers.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// Whether something that happens once in `times` happens now.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times.max(1))
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let at = self.next() % choices.len().max(1) as u64;
        &choices[at as usize]
    }

    /// A step of a walk that is drawn back to `middle` and stays within `reach` of it.
    pub fn walk(&mut self, from: f64, middle: f64, reach: f64) -> f64 {
        let step = self.between(-0.2, 0.2) * reach + (middle - from) * 0.08;
        (from + step).clamp(middle - reach, middle + reach)
    }
}

/// A number with so many digits behind the point, as a producer would send it.
pub fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let story = |seed, producer| {
            let mut dice = Dice::new(seed, producer);
            (0..8).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(story(1, 1), story(1, 1));
        assert_ne!(story(1, 1), story(1, 2));
        assert_ne!(story(1, 1), story(2, 1));
    }

    #[test]
    fn a_walk_stays_within_reach_and_does_not_stand_still() {
        let (mut dice, mut at) = (Dice::new(7, 0), 40.0);
        let mut seen = Vec::new();
        for _ in 0..10_000 {
            at = dice.walk(at, 42.0, 5.0);
            assert!((37.0..=47.0).contains(&at));
            seen.push(at);
        }
        let spread = seen.iter().fold(0.0f64, |most, at| most.max((at - 42.0).abs()));
        assert!(spread > 2.0, "{spread}");
    }
}
