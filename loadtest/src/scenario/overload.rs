//! Far more updates than can be delivered, and some viewers that hardly read: how old is what a healthy
//! viewer holds, and does the broker's memory grow?
//!
//! Always true: staleness is sampled for every healthy viewer every 10 ms, whether it got anything or not.
//! When writing stops, slow viewers read on, and everybody has to end on the last state.
//!
//! Read first: `scenario/mod.rs`.

use clap::Args;

use crate::audience::Watching;
use crate::clock::{Clock, MILLISECOND, Nanos};
use crate::drive::{drive, settle};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::fleet::load::Load;
use crate::flow::{Flow, Plan, Verb};
use crate::latency::Latencies;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Course, Meter, fresh_tag, note_flow};
use crate::target::Target;

/// Options of `overload`.
#[derive(Args, Clone, Debug)]
pub struct Overload {
    /// Viewers of one key
    #[arg(long, default_value_t = 1000)]
    pub viewers: usize,
    /// Of a hundred of them, how many read slowly
    #[arg(long, default_value_t = 10)]
    pub slow_percent: usize,
    /// Bytes a slow viewer reads in a second
    #[arg(long, default_value_t = 1024)]
    pub slow_bytes: usize,
    /// Writes a second
    #[arg(long, default_value_t = 2000.0)]
    pub rate: f64,
    /// Unanswered writes at most
    #[arg(long, default_value_t = 64)]
    pub pipeline: usize,
    /// Size of a state, bytes
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
    /// How long
    #[command(flatten)]
    pub course: Course,
}

/// Between two samples of what viewers hold, and two looks at whose turn to read slowly it is.
const SAMPLE: Nanos = 10 * MILLISECOND;
/// Samples in a second.
const SAMPLES_PER_SECOND: usize = 100;

/// What is looked at while it goes on.
struct Watch {
    slow: Vec<usize>,
    healthy: Vec<usize>,
    slow_bytes: usize,
    sample: usize,
    next: Nanos,
    staleness: Latencies,
    resident_most: u64,
}

impl Watch {
    fn tend(&mut self, fleet: &mut Fleet, flow: &mut Flow, now: Nanos) -> Nanos {
        if now < self.next {
            return self.next;
        }
        self.next = now + SAMPLE;
        self.sample += 1;
        let phase = self.sample % SAMPLES_PER_SECOND;
        for (_, viewer) in self.slow.iter().enumerate().filter(|(at, _)| at % SAMPLES_PER_SECOND == phase) {
            fleet.read_slowly(flow.first_viewer() + viewer, self.slow_bytes, &mut |seen| flow.saw(&seen));
        }
        let held = |viewer: &usize| flow.audience.held_since(&flow.ledger, *viewer, 0);
        for since in self.healthy.iter().filter_map(held) {
            self.staleness.record(now.saturating_sub(since));
        }
        self.next
    }
}

/// Runs it.
///
/// # Errors
/// The broker is not there or refuses the first state.
pub fn run(options: &Overload, target: &Target) -> Result<Report, Failure> {
    let clock = Clock::start();
    let mut fleet = Fleet::new(target, clock, options.course.spin)?;
    let mut flows = [Flow::open(plan(options), target, fresh_tag(), &mut fleet)?];
    let is_slow = |viewer: &usize| viewer % 100 < options.slow_percent;
    let (slow, healthy): (Vec<usize>, Vec<usize>) = (0..options.viewers).partition(is_slow);
    slow.iter().for_each(|viewer| fleet.slow_down(flows[0].first_viewer() + viewer));
    let mut watch = Watch {
        slow,
        healthy,
        slow_bytes: options.slow_bytes,
        sample: 0,
        next: 0,
        staleness: Latencies::new(),
        resident_most: 0,
    };
    let resident = || target.process.map(|process| process.resident_bytes()).transpose();
    let before = resident()?;

    let warm = clock.after(options.course.warmup);
    run_until(&mut fleet, &mut flows, warm, "overload, warming up", &mut watch, target)?;
    let warm_resident = resident()?;
    watch.staleness.clear();
    flows[0].measure(true);
    fleet.load = Load::begin(clock);
    let (meter, began, ends) =
        (Meter::begin(target, clock)?, clock.now(), clock.after(options.course.seconds));
    run_until(&mut fleet, &mut flows, ends, "overload", &mut watch, target)?;
    let mut report = Report::new("overload", &target.name);
    report.seconds = (clock.now() - began) as f64 / 1e9;
    meter.note(&mut report, flows[0].answered.count(), flows[0].audience.deliveries)?;
    report.generator = Some(fleet.load.summary(clock));
    report.times("staleness of healthy viewers", &watch.staleness);
    note_flow(&mut report, &flows[0], &fleet, false);
    flows[0].measure(false);

    watch.slow.iter().for_each(|viewer| fleet.speed_up(flows[0].first_viewer() + viewer));
    let settling = clock.now();
    let missed = settle(&mut fleet, &mut flows, 20.0)?;
    report.figure("until all held the last state, ms", (clock.now() - settling) as f64 / 1e6);
    report.count("missed last revisions", missed);
    if let (Some(before), Some(warm), Some(after)) = (before, warm_resident, resident()?) {
        let growth = |to: u64, from: u64| (to as f64 - from as f64) / 1024.0;
        report.figure("broker memory before, KiB", before as f64 / 1024.0);
        report.figure("broker memory growth by warm-up, KiB", growth(warm, before));
        report
            .figure("broker memory growth after warm-up, KiB", growth(watch.resident_most.max(after), warm));
    }
    report.errors = fleet.errors.iter().map(|(why, count)| (why.clone(), (*count).into())).collect();
    report.ask("viewers", options.viewers);
    report.ask("slow", watch.slow.len());
    report.ask("rate", options.rate);
    report.ask("bytes", options.bytes);
    Ok(report)
}

fn plan(options: &Overload) -> Plan {
    Plan {
        name: "overload",
        verb: Verb::Put,
        keys: 1,
        producers: 1,
        viewers: options.viewers,
        watching: Watching::OneKey,
        bytes: options.bytes,
        rate: Some(options.rate),
        burst: 1,
        pipeline: options.pipeline.max(1),
        opening: 512,
    }
}

fn run_until(
    fleet: &mut Fleet,
    flows: &mut [Flow],
    until: Nanos,
    what: &str,
    watch: &mut Watch,
    target: &Target,
) -> Result<(), Failure> {
    let mut progress = Progress::new(what, until);
    drive(fleet, flows, until, &mut progress, |fleet, flows, now| {
        let next = watch.tend(fleet, &mut flows[0], now);
        // Every half second, as reading it is not free.
        if watch.sample % 50 == 1
            && let Some(process) = target.process
        {
            watch.sample += 1;
            watch.resident_most = watch.resident_most.max(process.resident_bytes().unwrap_or_default());
        }
        next
    })
}
