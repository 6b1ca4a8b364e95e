//! The work that is put to everybody, case by case.
//!
//! Always true: a case starts a fresh server, runs one scenario against it, and ends it.
//!
//! Read first: `scenario/mod.rs`.

use serde::Serialize;

use crate::compare::server::{Bench, Contender};
use crate::failure::Failure;
use crate::report::Report;
use crate::scenario::Course;
use crate::scenario::ack::{self, Ack};
use crate::scenario::churn::{self, Churn};
use crate::scenario::fanout::{self, Fanout};
use crate::scenario::idle::{self, Idle};
use crate::scenario::overload::{self, Overload};

/// Size of the states, bytes.
pub const STATE_BYTES: usize = 200;

/// How long measurements take.
#[derive(Clone, Copy)]
pub struct Length {
    seconds: f64,
    warmup: f64,
}

impl Length {
    /// For a first look.
    pub const QUICK: Length = Length { seconds: 1.5, warmup: 0.4 };
    /// For figures that are kept.
    pub const FULL: Length = Length { seconds: 2.5, warmup: 0.6 };

    fn course(self) -> Course {
        Course { seconds: self.seconds, warmup: self.warmup, spin: false }
    }
}

/// One kind of work.
pub struct Case {
    /// As figures call it.
    pub name: &'static str,
    /// Who takes part; but for those about two cores, the peers do as well.
    pub contenders: &'static [Contender],
    /// Runs it against one of them.
    pub run: fn(&mut Bench, Contender, Length) -> Result<Report, Failure>,
}

impl Case {
    /// Whether peers take part: they have one core.
    pub fn is_for_peers(&self) -> bool {
        !self.contenders.contains(&Contender::LuxOnTwo)
    }
}

/// What came of it.
#[derive(Serialize)]
pub struct Measured {
    /// The case.
    pub case: &'static str,
    /// Who.
    pub contender: Contender,
    /// What was found.
    pub report: Report,
}

/// The case about two cores.
pub const MANY_KEYS: &str = "many-keys";
/// The same, asked for so little at a time that neither core is kept busy.
pub const MANY_KEYS_FEW_WRITERS: &str = "many-keys-few-writers";

/// All of them, in the order they are run.
pub const CASES: &[Case] = &[
    Case {
        name: "ack-1",
        contenders: &[Contender::Lux, Contender::Echo],
        run: |bench, who, length| ack(bench, who, length, 1, None),
    },
    Case {
        name: "ack-1-at-50",
        contenders: &[Contender::Lux, Contender::Echo],
        run: |bench, who, length| ack(bench, who, length, 1, Some(50.0)),
    },
    Case {
        name: "ack-32",
        contenders: &[Contender::Lux, Contender::Echo],
        run: |bench, who, length| ack(bench, who, length, 32, None),
    },
    Case {
        name: "one-viewer",
        contenders: &[Contender::Lux, Contender::Send],
        run: |bench, who, length| fanout(bench, who, length, Shape { viewers: 1, ..THOUSAND }),
    },
    Case {
        name: "fanout-1000",
        contenders: &[Contender::Lux, Contender::Send],
        run: |bench, who, length| fanout(bench, who, length, THOUSAND),
    },
    Case {
        name: "fanout-1000-at-50",
        contenders: &[Contender::Lux, Contender::Send],
        run: |bench, who, length| fanout(bench, who, length, Shape { rate: Some(50.0), ..THOUSAND }),
    },
    Case {
        name: "prefix-one-by-one",
        contenders: &[Contender::Lux],
        run: |bench, who, length| fanout(bench, who, length, PREFIX),
    },
    Case {
        name: "prefix-all-at-once",
        contenders: &[Contender::Lux],
        run: |bench, who, length| fanout(bench, who, length, Shape { burst: 500, ..PREFIX }),
    },
    Case {
        name: MANY_KEYS,
        contenders: &[Contender::Lux, Contender::LuxOnTwo],
        run: |bench, who, length| fanout(bench, who, length, Shape { keys: 100, producers: 100, ..THOUSAND }),
    },
    Case {
        name: MANY_KEYS_FEW_WRITERS,
        contenders: &[Contender::Lux, Contender::LuxOnTwo],
        run: |bench, who, length| fanout(bench, who, length, Shape { keys: 100, producers: 10, ..THOUSAND }),
    },
    Case {
        name: "idle-10000",
        contenders: &[Contender::Lux, Contender::Send, Contender::Accept],
        run: |bench, who, _| {
            let running = bench.start(who)?;
            let bare = who == Contender::Accept;
            idle::run(&Idle { viewers: 10_000, opening: 256, bare, stay: 0.5 }, &running.target)
        },
    },
    Case {
        name: "overload",
        contenders: &[Contender::Lux],
        run: |bench, who, length| {
            let running = bench.start(who)?;
            let options = Overload {
                viewers: 1000,
                slow_percent: 10,
                slow_bytes: 1024,
                rate: 2000.0,
                pipeline: 64,
                bytes: STATE_BYTES,
                course: length.course(),
            };
            overload::run(&options, &running.target)
        },
    },
    Case {
        name: "churn-10000",
        contenders: &[Contender::Lux],
        run: |bench, who, length| {
            let running = bench.start(who)?;
            let seconds = length.seconds;
            churn::run(
                &Churn { viewers: 10_000, control: 100, rate: 50.0, seconds, opening: None },
                &running.target,
            )
        },
    },
];

/// A fan-out's shape.
#[derive(Clone, Copy)]
struct Shape {
    viewers: usize,
    keys: usize,
    prefix: bool,
    producers: usize,
    rate: Option<f64>,
    burst: usize,
}

const THOUSAND: Shape = Shape { viewers: 1000, keys: 1, prefix: false, producers: 1, rate: None, burst: 1 };
const PREFIX: Shape = Shape { viewers: 200, keys: 500, prefix: true, producers: 1, rate: None, burst: 1 };

fn ack(
    bench: &mut Bench,
    who: Contender,
    length: Length,
    producers: usize,
    rate: Option<f64>,
) -> Result<Report, Failure> {
    let running = bench.start(who)?;
    let options = Ack { producers, bytes: STATE_BYTES, rate, pipeline: 1, course: length.course() };
    ack::run(&options, &running.target)
}

fn fanout(bench: &mut Bench, who: Contender, length: Length, shape: Shape) -> Result<Report, Failure> {
    let running = bench.start(who)?;
    let options = Fanout {
        viewers: shape.viewers,
        keys: shape.keys,
        prefix: shape.prefix,
        bytes: STATE_BYTES,
        producers: shape.producers,
        rate: shape.rate,
        burst: shape.burst,
        pipeline: 64,
        course: length.course(),
    };
    fanout::run(&options, &running.target)
}

/// A measurement that somebody could not take part in.
#[derive(Serialize)]
pub struct Absence {
    /// Which case.
    pub case: &'static str,
    /// Who.
    pub contender: Contender,
    /// Why not.
    pub why: String,
}
