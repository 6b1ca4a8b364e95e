//! The kinds of work a broker is put to. One file each.
//!
//! Always true: a scenario warms up, measures, settles, and gives one [`Report`]; it ends by itself.
//!
//! Read first: `flow.rs`.

pub mod ack;
pub mod churn;
pub mod fanout;
pub mod idle;
pub mod mixed;
pub mod overload;

use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::clock::{Clock, Nanos, SECOND};
use crate::drive::{drive, settle};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::fleet::load::Load;
use crate::flow::{Flow, Plan};
use crate::mark::Tag;
use crate::process::Times;
use crate::progress::Progress;
use crate::report::Report;
use crate::target::Target;

/// How long, and how the generator waits.
#[derive(Args, Clone, Debug)]
pub struct Course {
    /// Seconds to measure
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Seconds of the same work before that, which are not counted
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Never sleep while waiting for answers: lower latencies for a whole processor
    #[arg(long)]
    pub spin: bool,
}

/// A tag that no other run has.
pub fn fresh_tag() -> Tag {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Tag::from_seed(u64::from(process::id()) << 32 ^ time.as_nanos() as u64)
}

/// What a broker's process had used when measuring began.
pub struct Meter {
    target: Target,
    times: Times,
    clock: Clock,
    began: Nanos,
}

impl Meter {
    /// Begins.
    ///
    /// # Errors
    /// The process is not there.
    pub fn begin(target: &Target, clock: Clock) -> Result<Meter, Failure> {
        let times = target.process.map(|process| process.times()).transpose()?.unwrap_or_default();
        Ok(Meter { target: target.clone(), times, clock, began: clock.now() })
    }

    /// Its time since then, if the process is known.
    ///
    /// # Errors
    /// The process is no longer there.
    pub fn times(&self) -> Result<Option<Times>, Failure> {
        let Some(process) = self.target.process else { return Ok(None) };
        Ok(Some(process.times()?.since(self.times)))
    }

    /// Notes what the broker used in all, for each answer and for each delivery.
    ///
    /// # Errors
    /// The process is no longer there.
    pub fn note(&self, report: &mut Report, answers: u64, deliveries: u64) -> Result<(), Failure> {
        let Some(times) = self.times()? else { return Ok(()) };
        let wall = (self.clock.now() - self.began) as f64;
        report.figure("broker processor, % of one", times.running as f64 * 100.0 / wall);
        report.figure("broker waited for its core, %", times.waiting as f64 * 100.0 / wall);
        if answers > 0 {
            report.figure("broker processor per answer, µs", times.running as f64 / 1000.0 / answers as f64);
        }
        if deliveries > 0 {
            report.figure(
                "broker processor per delivery, µs",
                times.running as f64 / 1000.0 / deliveries as f64,
            );
        }
        Ok(())
    }
}

/// Runs plans side by side: warm up, measure, settle. The answers' and deliveries' figures are the sums.
///
/// # Errors
/// The broker is not there or refuses the first states.
pub fn run_plans(
    scenario: &str,
    plans: &[Plan],
    target: &Target,
    course: &Course,
) -> Result<Report, Failure> {
    let clock = Clock::start();
    let mut fleet = Fleet::new(target, clock, course.spin)?;
    let mut flows = Vec::new();
    for plan in plans {
        flows.push(Flow::open(plan.clone(), target, fresh_tag(), &mut fleet)?);
    }
    let idle = |_: &mut Fleet, _: &mut [Flow], now| now + SECOND;
    let warm = clock.after(course.warmup);
    let mut progress = Progress::new(format!("{scenario}, warming up"), warm);
    drive(&mut fleet, &mut flows, warm, &mut progress, idle)?;
    flows.iter_mut().for_each(|flow| flow.measure(true));
    fleet.load = Load::begin(clock);
    let (meter, began, ends) = (Meter::begin(target, clock)?, clock.now(), clock.after(course.seconds));
    let mut progress = Progress::new(scenario, ends);
    drive(&mut fleet, &mut flows, ends, &mut progress, idle)?;
    let mut report = Report::new(scenario, &target.name);
    report.seconds = (clock.now() - began) as f64 / 1e9;
    let answers = flows.iter().map(|flow| flow.answered.count()).sum();
    let deliveries = flows.iter().map(|flow| flow.audience.deliveries).sum();
    meter.note(&mut report, answers, deliveries)?;
    report.generator = Some(fleet.load.summary(clock));
    let missed = settle(&mut fleet, &mut flows, 5.0)?;
    flows.iter().for_each(|flow| note_flow(&mut report, flow, &fleet, plans.len() > 1));
    report.count("missed last revisions", missed);
    report.errors = fleet.errors.iter().map(|(why, count)| (why.clone(), (*count).into())).collect();
    Ok(report)
}

/// Latencies and counts of one flow.
pub fn note_flow(report: &mut Report, flow: &Flow, fleet: &Fleet, is_named: bool) {
    let named = |what: &str| if is_named { format!("{}: {what}", flow.plan.name) } else { what.to_owned() };
    report.times(&named("acknowledged"), &flow.answered);
    report.times(&named("seen by a viewer"), &flow.audience.seen);
    report.times(&named("seen by the last viewer"), &flow.everywhere);
    report.count(&named("answers"), flow.answered.count());
    report.count(&named("refused requests"), flow.refused);
    if flow.plan.viewers > 0 {
        report.count(&named("deliveries"), flow.audience.deliveries);
        report.count(&named("skipped revisions"), flow.audience.skipped);
        report.count(&named("out of order"), flow.audience.out_of_order);
        report.count(&named("message bytes"), flow.audience.message_bytes as u64);
    }
    if let Some(producer) = fleet.producers.get(flow.first_producer()) {
        report.count(&named("answer bytes"), producer.answer_bytes as u64);
    }
    report.figure(&named("answers a second"), flow.answered.count() as f64 / report.seconds);
    if flow.audience.deliveries > 0 {
        report.figure(&named("deliveries a second"), flow.audience.deliveries as f64 / report.seconds);
    }
}
