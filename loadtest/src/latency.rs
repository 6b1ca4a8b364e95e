//! Latencies, kept as HDR histograms and summed up as percentiles.
//!
//! Always true: nothing is averaged away; what is above the histogram's end counts at its end.
//!
//! Read first: `clock.rs`.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock::{Nanos, SECOND};

/// Times of one kind.
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet; three significant digits, up to two minutes.
    pub fn new() -> Latencies {
        // The bounds are constants that the histogram accepts.
        Latencies(Histogram::new_with_bounds(1, 120 * SECOND, 3).expect("good bounds"))
    }

    /// Counts one time.
    pub fn record(&mut self, nanos: Nanos) {
        self.0.saturating_record(nanos);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The time below which this share (0–100) of them lies, in microseconds.
    pub fn micros_at(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// Percentiles by name, and the curve.
    pub fn summary(&self, name: &str) -> Summary {
        Summary {
            name: name.to_owned(),
            count: self.count(),
            p50: self.micros_at(50.0),
            p90: self.micros_at(90.0),
            p99: self.micros_at(99.0),
            p999: self.micros_at(99.9),
            max: self.0.max() as f64 / 1000.0,
            curve: self.curve(),
        }
    }

    /// Percentile and microseconds, closer together towards the end, as far as the count bears it.
    fn curve(&self) -> Vec<(f64, f64)> {
        const STEPS_PER_TENFOLD: f64 = 16.0;
        let nines_max = (self.count().max(1) as f64).log10();
        let steps = (nines_max * STEPS_PER_TENFOLD) as usize;
        (0..=steps)
            .map(|step| 100.0 - 100.0 / 10f64.powf(step as f64 / STEPS_PER_TENFOLD))
            .map(|percentile| (percentile, self.micros_at(percentile)))
            .collect()
    }
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies::new()
    }
}

/// Times of one kind, summed up; microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was timed.
    pub name: String,
    /// How many times.
    pub count: u64,
    /// Half of them are below.
    pub p50: f64,
    /// Nine in ten are below.
    pub p90: f64,
    /// All but one in a hundred.
    pub p99: f64,
    /// All but one in a thousand.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// Percentile and microseconds.
    pub curve: Vec<(f64, f64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_times() {
        let mut times = Latencies::new();
        (1..=1000).for_each(|micros| times.record(micros * 1000));
        let summary = times.summary("t");
        let close = |is: f64, should: f64| (is - should).abs() <= should / 500.0;
        assert_eq!(summary.count, 1000);
        assert!(close(summary.p50, 500.0), "{}", summary.p50);
        assert!(close(summary.p90, 900.0), "{}", summary.p90);
        assert!(close(summary.p99, 990.0), "{}", summary.p99);
        assert!(close(summary.max, 1000.0), "{}", summary.max);
    }

    #[test]
    fn a_curve_rises_and_goes_as_far_as_the_count_bears() {
        let mut times = Latencies::new();
        (1..=1000).for_each(|micros| times.record(micros * 1000));
        let curve = times.summary("t").curve;
        assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert!((curve.last().expect("it has points").0 - 99.9).abs() < 0.01);
    }

    #[test]
    fn no_times_and_endless_times_are_summed_up_too() {
        let mut times = Latencies::new();
        assert_eq!(times.summary("none").p99, 0.0);
        times.record(u64::MAX);
        assert!(times.summary("endless").max >= 120e6);
    }
}
