//! How busy the generator itself was: a load generator that cannot keep up measures itself.
//!
//! Always true: time spent waiting for events is not counted as busy, also when waiting means spinning.
//!
//! Read first: `clock.rs`.

use serde::Serialize;

use crate::clock::{Clock, Nanos};
use crate::latency::Latencies;
use crate::process::{Times, own_times};

/// What the generator did since the measurement began.
pub struct Load {
    began: Nanos,
    times_began: Times,
    busy: Nanos,
    /// When events were last there, if nothing was waited for since.
    busy_since: Option<Nanos>,
    /// How long one batch of events took: an event may have waited so long for its turn.
    batches: Latencies,
}

/// The generator's own part in the figures.
#[derive(Clone, Debug, Serialize)]
pub struct LoadSummary {
    /// Processor time by wall time, 0–1. Spinning counts.
    pub cpu_share: f64,
    /// Time in which it was ready and something else had its processor, by wall time, 0–1.
    pub waited_share: f64,
    /// Time in handling events by wall time, 0–1.
    pub busy_share: f64,
    /// Microseconds within which 99 of 100 batches of events were handled.
    pub batch_p99_micros: f64,
    /// What to think of it, if the generator was the bottleneck.
    pub bottleneck: Option<String>,
}

impl Load {
    /// Begins to count.
    pub fn begin(clock: Clock) -> Load {
        Load {
            began: clock.now(),
            times_began: own_times(),
            busy: 0,
            busy_since: None,
            batches: Latencies::new(),
        }
    }

    /// Counts a batch of events; what follows it, such as sending the next requests, is work too.
    pub fn batch(&mut self, began: Nanos, ended: Nanos) {
        self.batches.record(ended - began);
        self.busy_since = Some(began);
    }

    /// The work is done, and the next events are waited for.
    pub fn wait_begins(&mut self, now: Nanos) {
        if let Some(since) = self.busy_since.take() {
            self.busy += now - since;
        }
    }

    /// What it amounts to.
    pub fn summary(&self, clock: Clock) -> LoadSummary {
        let wall = (clock.now() - self.began).max(1) as f64;
        let times = own_times().since(self.times_began);
        let mut summary = LoadSummary {
            cpu_share: times.running as f64 / wall,
            waited_share: times.waiting as f64 / wall,
            busy_share: self.busy as f64 / wall,
            batch_p99_micros: self.batches.micros_at(99.0),
            bottleneck: None,
        };
        summary.bottleneck = summary.judge();
        summary
    }
}

impl LoadSummary {
    /// What to think of it.
    fn judge(&self) -> Option<String> {
        if self.waited_share > WAITED_SHARE_MAX {
            return Some(format!(
                "something else had the generator's processor for {:.0} % of the time: latencies hold that, too",
                self.waited_share * 100.0
            ));
        }
        (self.busy_share > BUSY_SHARE_MAX).then(|| {
            format!(
                "the generator was busy {:.0} % of the time: latencies hold its own queue, and a faster one \
                 would have asked for more",
                self.busy_share * 100.0
            )
        })
    }
}

/// Above this the generator says that it was not alone.
const WAITED_SHARE_MAX: f64 = 0.1;
/// Above this the generator says that it was the bottleneck.
const BUSY_SHARE_MAX: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_says_when_it_was_the_bottleneck() {
        let load = |busy_share, waited_share| LoadSummary {
            cpu_share: 0.5,
            waited_share,
            busy_share,
            batch_p99_micros: 1.0,
            bottleneck: None,
        };
        assert!(load(0.5, 0.01).judge().is_none());
        assert!(load(0.95, 0.01).judge().is_some_and(|why| why.contains("busy 95 %")));
        assert!(load(0.5, 0.4).judge().is_some_and(|why| why.contains("40 % of the time")));
    }
}
