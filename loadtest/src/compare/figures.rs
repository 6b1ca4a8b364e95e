//! What the rounds amount to: ratios within a round, their median and spread.
//!
//! Always true: a figure is taken from each round on its own; a round without one of its two sides gives
//! none.
//!
//! Read first: `compare/cases.rs`.

use serde::Serialize;

use crate::compare::cases::{MANY_KEYS, MANY_KEYS_FEW_WRITERS, Measured};
use crate::compare::peer::Peer;
use crate::compare::server::Contender::{self, Accept, Echo, Lux, LuxOnTwo, Send};
use crate::report::Report;

/// One figure, over all rounds.
#[derive(Serialize)]
pub struct Figure {
    /// What it says.
    pub name: &'static str,
    /// The case it is mostly about.
    pub case: &'static str,
    /// What it should be at most.
    pub mark: Option<f64>,
    /// Lux's.
    pub values: Values,
    /// The peers', in their order.
    pub peers: Vec<Values>,
}

/// One value a round.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Values(pub Vec<f64>);

impl Values {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            len if len % 2 == 1 => sorted[len / 2],
            len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
        }
    }

    /// The smallest and the largest.
    pub fn spread(&self) -> (f64, f64) {
        self.0.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
    }
}

/// One round, to be asked.
struct Round<'a>(&'a [Measured]);

impl Round<'_> {
    fn report(&self, case: &str, who: Contender) -> Option<&Report> {
        self.0.iter().find(|measured| measured.case == case && measured.contender == who).map(|m| &m.report)
    }

    fn get(&self, case: &str, who: Contender, name: &str) -> Option<f64> {
        self.report(case, who)?.get(name)
    }

    fn p50(&self, case: &str, who: Contender, name: &str) -> Option<f64> {
        Some(self.report(case, who)?.latency(name)?.p50)
    }

    /// Measurements of this one, if there are any; the ceilings' count as Lux's.
    fn of(&self, who: Contender) -> Option<impl Iterator<Item = &Report>> {
        let is_own = move |measured: &&Measured| match who {
            Lux => Peer::of(measured.contender).is_none(),
            peer => measured.contender == peer,
        };
        let mut own = self.0.iter().filter(is_own).map(|measured| &measured.report).peekable();
        own.peek().is_some().then_some(own)
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

/// How a figure is taken from a round: for Lux or for a peer.
type Pick = fn(&Round<'_>, Contender) -> Option<f64>;

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other.filter(|other| *other > 0.0)?)
}

/// Processor time per delivery or answer, by a ceiling's.
fn cost(round: &Round<'_>, case: &str, who: Contender, ceiling: Contender, name: &str) -> Option<f64> {
    ratio(round.get(case, who, name), round.get(case, ceiling, name))
}

fn milliseconds(micros: Option<f64>) -> Option<f64> {
    Some(micros? / 1000.0)
}

/// Something of a ceiling's own: for nobody but beside Lux.
fn beside(who: Contender, value: Option<f64>) -> Option<f64> {
    value.filter(|_| who == Lux)
}

/// Name, case, mark, and how it is taken from a round. A name that begins with `…` goes on with the one above it.
const FIGURES: &[(&str, &str, Option<f64>, Pick)] = &[
    (
        "1,000 viewers, closed loop: processor per delivery ÷ ceiling",
        "fanout-1000",
        Some(1.05),
        |round, who| cost(round, "fanout-1000", who, Send, PER_DELIVERY),
    ),
    ("… processor per delivery, µs", "fanout-1000", None, |round, who| {
        round.get("fanout-1000", who, PER_DELIVERY)
    }),
    ("… the ceiling's, µs", "fanout-1000", None, |round, who| {
        beside(who, round.get("fanout-1000", Send, PER_DELIVERY))
    }),
    (
        "1,000 viewers at 50/s: p99 of PUT → viewer ÷ ceiling",
        "fanout-1000-at-50",
        Some(1.05),
        |round, who| {
            ratio(round.p99("fanout-1000-at-50", who, SEEN), round.p99("fanout-1000-at-50", Send, SEEN))
        },
    ),
    ("… p50 of PUT → viewer ÷ ceiling", "fanout-1000-at-50", None, |round, who| {
        ratio(round.p50("fanout-1000-at-50", who, SEEN), round.p50("fanout-1000-at-50", Send, SEEN))
    }),
    ("… p99 of PUT → viewer, ms", "fanout-1000-at-50", None, |round, who| {
        milliseconds(round.p99("fanout-1000-at-50", who, SEEN))
    }),
    ("… processor per delivery ÷ ceiling", "fanout-1000-at-50", None, |round, who| {
        cost(round, "fanout-1000-at-50", who, Send, PER_DELIVERY)
    }),
    ("32 producers: processor per acknowledgement ÷ echo", "ack-32", Some(1.10), |round, who| {
        cost(round, "ack-32", who, Echo, PER_ANSWER)
    }),
    ("… processor per acknowledgement, µs", "ack-32", None, |round, who| {
        round.get("ack-32", who, PER_ANSWER)
    }),
    ("… the echo's, µs", "ack-32", None, |round, who| beside(who, round.get("ack-32", Echo, PER_ANSWER))),
    (
        "1 producer, 1,000 viewers, 50/s: p50 of the acknowledgement ÷ echo at 50/s",
        "fanout-1000-at-50",
        Some(1.3),
        |round, who| {
            let echo = round.p50("ack-1-at-50", Echo, ACKNOWLEDGED);
            ratio(round.p50("fanout-1000-at-50", who, ACKNOWLEDGED), echo)
        },
    ),
    ("1 producer, nobody watching: p50 of the acknowledgement ÷ echo", "ack-1", None, |round, who| {
        ratio(round.p50("ack-1", who, ACKNOWLEDGED), round.p50("ack-1", Echo, ACKNOWLEDGED))
    }),
    ("… processor per acknowledgement ÷ echo", "ack-1", None, |round, who| {
        cost(round, "ack-1", who, Echo, PER_ANSWER)
    }),
    ("… p50, µs", "ack-1", None, |round, who| round.p50("ack-1", who, ACKNOWLEDGED)),
    ("PUT → one viewer: p50 ÷ the echo's round trip", "one-viewer", Some(1.25), |round, who| {
        ratio(round.p50("one-viewer", who, SEEN), round.p50("ack-1", Echo, ACKNOWLEDGED))
    }),
    ("… p50 ÷ ceiling send", "one-viewer", None, |round, who| {
        ratio(round.p50("one-viewer", who, SEEN), round.p50("one-viewer", Send, SEEN))
    }),
    ("10,000 idle viewers: resident memory each, bytes", "idle-10000", Some(512.0), |round, who| {
        round.get("idle-10000", who, PER_VIEWER)
    }),
    (
        "opening 10,000 viewers: processor per opening ÷ accept alone",
        "idle-10000",
        Some(1.5),
        |round, who| cost(round, "idle-10000", who, Accept, PER_OPENING),
    ),
    ("… ÷ accept and handshake", "idle-10000", None, |round, who| {
        cost(round, "idle-10000", who, Send, PER_OPENING)
    }),
    ("… processor per opening, µs", "idle-10000", None, |round, who| {
        round.get("idle-10000", who, PER_OPENING)
    }),
    ("overload: staleness p50, ms", "overload", Some(5.0), |round, who| {
        milliseconds(round.p50("overload", who, STALENESS))
    }),
    ("overload: staleness p99, ms", "overload", Some(10.0), |round, who| {
        milliseconds(round.p99("overload", who, STALENESS))
    }),
    ("overload: memory growth after warm-up, KiB", "overload", None, |round, who| {
        round.get("overload", who, "broker memory growth after warm-up, KiB")
    }),
    ("overload: viewers that missed the last state", "overload", Some(0.0), |round, who| {
        round.get("overload", who, "missed last revisions")
    }),
    (
        "200 viewers of 500 keys: processor per record, all at once ÷ one by one",
        "prefix-all-at-once",
        Some(0.3),
        |round, who| {
            let one_by_one = round.get("prefix-one-by-one", who, PER_DELIVERY);
            ratio(round.get("prefix-all-at-once", who, PER_DELIVERY), one_by_one)
        },
    ),
    (
        "100 keys, 100 producers, 1,000 viewers: processor per delivery, two cores ÷ one",
        MANY_KEYS,
        Some(1.15),
        |round, who| beside(who, cost(round, MANY_KEYS, LuxOnTwo, Lux, PER_DELIVERY)),
    ),
    ("… with 10 producers, who keep neither core busy", MANY_KEYS_FEW_WRITERS, None, |round, who| {
        beside(who, cost(round, MANY_KEYS_FEW_WRITERS, LuxOnTwo, Lux, PER_DELIVERY))
    }),
    ("10,000 reconnect at once: failed handshakes", "churn-10000", Some(0.0), |round, who| {
        round.get("churn-10000", who, "failed handshakes")
    }),
    ("… p99 of the others, during ÷ before", "churn-10000", Some(3.0), |round, who| {
        ratio(
            round.p99("churn-10000", who, "during the storm: seen by a viewer"),
            round.p99("churn-10000", who, "before: seen by a viewer"),
        )
    }),
    ("all measurements: errors", ALL, Some(0.0), |round, who| {
        let errors: u64 = round.of(who)?.map(|report| report.error_count()).sum();
        Some(errors as f64)
    }),
    ("all measurements: longest a server waited for its core, %", ALL, None, |round, who| {
        let waits = round.of(who)?.filter_map(|report| report.get("broker waited for its core, %"));
        Some(waits.fold(0.0, f64::max))
    }),
    ("all measurements: those in which the generator was the bottleneck", ALL, None, |round, who| {
        let is_bottleneck =
            |report: &&Report| report.generator.as_ref().is_some_and(|load| load.bottleneck.is_some());
        Some(round.of(who)?.filter(is_bottleneck).count() as f64)
    }),
];

/// Figures over all cases.
const ALL: &str = "";

/// All figures that the rounds bear.
pub fn all(rounds: &[Vec<Measured>], peers: &[Contender]) -> Vec<Figure> {
    let values =
        |pick: Pick, who| Values(rounds.iter().filter_map(|round| pick(&Round(round), who)).collect());
    let figure = |(name, case, mark, pick): &(&'static str, &'static str, Option<f64>, Pick)| Figure {
        name,
        case,
        mark: *mark,
        values: values(*pick, Lux),
        peers: peers.iter().map(|peer| values(*pick, *peer)).collect(),
    };
    FIGURES.iter().map(figure).filter(|figure| !figure.values.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::server::Contender::Nchan;

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
            vec![measured(Nchan, 16.0), measured(Lux, 4.0), measured(Echo, 4.0)],
            vec![measured(Lux, 4.0), measured(Nchan, 5.0)],
        ];
        let figures = all(&rounds, &[Nchan]);
        let figure = figures.iter().find(|figure| figure.mark == Some(1.10)).expect("it is there");
        assert_eq!(figure.values, Values(vec![2.0, 3.0, 1.0]));
        assert_eq!(figure.values.median(), 2.0);
        assert_eq!(figure.values.spread(), (1.0, 3.0));
        assert_eq!(figure.peers, [Values(vec![4.0])]);
        assert!(!figures.iter().any(|figure| figure.name.starts_with("overload")));
    }
}
