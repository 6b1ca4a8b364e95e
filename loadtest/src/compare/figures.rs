//! What the rounds amount to: ratios within a round, their median and spread.
//!
//! Always true: a figure is taken from each round on its own; a round without one of its two sides gives
//! none.
//!
//! Read first: `compare/cases.rs`.

use serde::Serialize;

use crate::compare::cases::Measured;
use crate::compare::server::Contender::{self, Accept, Echo, Lux, Send};

/// One figure, over all rounds.
#[derive(Serialize)]
pub struct Figure {
    /// What it says.
    pub name: &'static str,
    /// What it should be at most.
    pub mark: Option<f64>,
    /// One value a round.
    pub values: Vec<f64>,
}

impl Figure {
    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            len if len % 2 == 1 => sorted[len / 2],
            len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
        }
    }

    /// The smallest and the largest.
    pub fn spread(&self) -> (f64, f64) {
        self.values
            .iter()
            .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
    }
}

/// One round, to be asked.
struct Round<'a>(&'a [Measured]);

impl Round<'_> {
    fn report(&self, case: &str, who: Contender) -> Option<&crate::report::Report> {
        self.0.iter().find(|measured| measured.case == case && measured.contender == who).map(|m| &m.report)
    }

    fn get(&self, case: &str, who: Contender, name: &str) -> Option<f64> {
        self.report(case, who)?.get(name)
    }

    fn p50(&self, case: &str, who: Contender, name: &str) -> Option<f64> {
        Some(self.report(case, who)?.latency(name)?.p50)
    }

    fn p99(&self, case: &str, who: Contender, name: &str) -> Option<f64> {
        Some(self.report(case, who)?.latency(name)?.p99)
    }
}

const ACKNOWLEDGED: &str = "acknowledged";
const SEEN: &str = "seen by a viewer";
const STALENESS: &str = "staleness of healthy viewers";
const PER_ANSWER: &str = "broker processor per answer, µs";
const PER_DELIVERY: &str = "broker processor per delivery, µs";
const PER_OPENING: &str = "broker processor per opening, µs";
const PER_VIEWER: &str = "broker memory per viewer, bytes";

type Pick = fn(&Round<'_>) -> Option<f64>;

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other.filter(|other| *other > 0.0)?)
}

/// Name, mark, and how it is taken from a round.
const FIGURES: &[(&str, Option<f64>, Pick)] = &[
    ("1,000 viewers, closed loop: processor per delivery ÷ ceiling", Some(1.05), |round| {
        ratio(round.get("fanout-1000", Lux, PER_DELIVERY), round.get("fanout-1000", Send, PER_DELIVERY))
    }),
    ("… processor per delivery, µs", None, |round| round.get("fanout-1000", Lux, PER_DELIVERY)),
    ("… the ceiling's, µs", None, |round| round.get("fanout-1000", Send, PER_DELIVERY)),
    ("1,000 viewers at 50/s: p99 of PUT → viewer ÷ ceiling", Some(1.05), |round| {
        ratio(round.p99("fanout-1000-at-50", Lux, SEEN), round.p99("fanout-1000-at-50", Send, SEEN))
    }),
    ("… p50 of PUT → viewer ÷ ceiling", None, |round| {
        ratio(round.p50("fanout-1000-at-50", Lux, SEEN), round.p50("fanout-1000-at-50", Send, SEEN))
    }),
    ("… p99 of PUT → viewer, ms", None, |round| {
        Some(round.p99("fanout-1000-at-50", Lux, SEEN)? / 1000.0)
    }),
    ("… processor per delivery ÷ ceiling", None, |round| {
        ratio(
            round.get("fanout-1000-at-50", Lux, PER_DELIVERY),
            round.get("fanout-1000-at-50", Send, PER_DELIVERY),
        )
    }),
    ("32 producers: processor per acknowledgement ÷ echo", Some(1.10), |round| {
        ratio(round.get("ack-32", Lux, PER_ANSWER), round.get("ack-32", Echo, PER_ANSWER))
    }),
    ("… processor per acknowledgement, µs", None, |round| round.get("ack-32", Lux, PER_ANSWER)),
    ("… the echo's, µs", None, |round| round.get("ack-32", Echo, PER_ANSWER)),
    ("1 producer, 1,000 viewers, 50/s: p50 of the acknowledgement ÷ echo at 50/s", Some(1.3), |round| {
        ratio(round.p50("fanout-1000-at-50", Lux, ACKNOWLEDGED), round.p50("ack-1-at-50", Echo, ACKNOWLEDGED))
    }),
    ("1 producer, nobody watching: p50 of the acknowledgement ÷ echo", None, |round| {
        ratio(round.p50("ack-1", Lux, ACKNOWLEDGED), round.p50("ack-1", Echo, ACKNOWLEDGED))
    }),
    ("… processor per acknowledgement ÷ echo", None, |round| {
        ratio(round.get("ack-1", Lux, PER_ANSWER), round.get("ack-1", Echo, PER_ANSWER))
    }),
    ("… p50, µs", None, |round| round.p50("ack-1", Lux, ACKNOWLEDGED)),
    ("PUT → one viewer: p50 ÷ the echo's round trip", Some(1.25), |round| {
        ratio(round.p50("one-viewer", Lux, SEEN), round.p50("ack-1", Echo, ACKNOWLEDGED))
    }),
    ("… p50 ÷ ceiling send", None, |round| {
        ratio(round.p50("one-viewer", Lux, SEEN), round.p50("one-viewer", Send, SEEN))
    }),
    ("10,000 idle viewers: resident memory each, bytes", Some(512.0), |round| {
        round.get("idle-10000", Lux, PER_VIEWER)
    }),
    ("opening 10,000 viewers: processor per opening ÷ accept alone", Some(1.5), |round| {
        ratio(round.get("idle-10000", Lux, PER_OPENING), round.get("idle-10000", Accept, PER_OPENING))
    }),
    ("… ÷ accept and handshake", None, |round| {
        ratio(round.get("idle-10000", Lux, PER_OPENING), round.get("idle-10000", Send, PER_OPENING))
    }),
    ("… processor per opening, µs", None, |round| round.get("idle-10000", Lux, PER_OPENING)),
    ("overload: staleness p50, ms", Some(5.0), |round| Some(round.p50("overload", Lux, STALENESS)? / 1000.0)),
    ("overload: staleness p99, ms", Some(10.0), |round| {
        Some(round.p99("overload", Lux, STALENESS)? / 1000.0)
    }),
    ("overload: memory growth after warm-up, KiB", None, |round| {
        round.get("overload", Lux, "broker memory growth after warm-up, KiB")
    }),
    ("overload: viewers that missed the last state", Some(0.0), |round| {
        round.get("overload", Lux, "missed last revisions")
    }),
    ("200 viewers of 500 keys: processor per record, all at once ÷ one by one", Some(0.3), |round| {
        ratio(
            round.get("prefix-all-at-once", Lux, PER_DELIVERY),
            round.get("prefix-one-by-one", Lux, PER_DELIVERY),
        )
    }),
    ("10,000 reconnect at once: failed handshakes", Some(0.0), |round| {
        round.get("churn-10000", Lux, "failed handshakes")
    }),
    ("… p99 of the others, during ÷ before", Some(3.0), |round| {
        ratio(
            round.p99("churn-10000", Lux, "during the storm: seen by a viewer"),
            round.p99("churn-10000", Lux, "before: seen by a viewer"),
        )
    }),
    ("all measurements: errors", Some(0.0), |round| {
        Some(round.0.iter().map(|measured| measured.report.error_count()).sum::<u64>() as f64)
    }),
    ("all measurements: longest a server waited for its core, %", None, |round| {
        let waits =
            round.0.iter().filter_map(|measured| measured.report.get("broker waited for its core, %"));
        Some(waits.fold(0.0, f64::max))
    }),
];

/// All figures that the rounds bear.
pub fn all(rounds: &[Vec<Measured>]) -> Vec<Figure> {
    let values = |pick: Pick| rounds.iter().filter_map(|round| pick(&Round(round))).collect();
    FIGURES
        .iter()
        .map(|(name, mark, pick)| Figure { name, mark: *mark, values: values(*pick) })
        .filter(|figure| !figure.values.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn measured(contender: Contender, micros: f64) -> Measured {
        let mut report = Report::new("ack", "test");
        report.figure(PER_ANSWER, micros);
        Measured { case: "ack-32", contender, report }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let rounds = [
            vec![measured(Lux, 10.0), measured(Echo, 5.0)],
            vec![measured(Lux, 30.0), measured(Echo, 10.0)],
            vec![measured(Lux, 4.0), measured(Echo, 4.0)],
            vec![measured(Lux, 4.0)],
        ];
        let figures = all(&rounds);
        let figure = figures.iter().find(|figure| figure.mark == Some(1.10)).expect("it is there");
        assert_eq!(figure.values, [2.0, 3.0, 1.0]);
        assert_eq!(figure.median(), 2.0);
        assert_eq!(figure.spread(), (1.0, 3.0));
        assert!(!figures.iter().any(|figure| figure.name.starts_with("overload")));
    }
}
