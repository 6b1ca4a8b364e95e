//! Everybody reconnects at once, while a control group measures what the others notice.
//!
//! Always true: the control group has a thread of its own, and the storm's thread gives way to it, so that
//! the figures are the broker's delays rather than the generator's.
//!
//! Read first: `scenario/mod.rs`.

use std::sync::mpsc;
use std::thread;

use clap::Args;

use crate::audience::Watching;
use crate::clock::{Clock, MILLISECOND, Nanos};
use crate::drive::{drive, settle};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::fleet::load::Load;
use crate::flow::{Flow, Plan, Verb};
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Meter, fresh_tag};
use crate::target::Target;

/// Options of `churn`.
#[derive(Args, Clone, Debug)]
pub struct Churn {
    /// Viewers that reconnect
    #[arg(long, default_value_t = 10_000)]
    pub viewers: usize,
    /// Viewers that stay and measure
    #[arg(long, default_value_t = 100)]
    pub control: usize,
    /// Updates a second for those who stay
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Seconds to measure before and after the storm
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Connections the storm has under way at a time; without it, all at once
    #[arg(long)]
    pub opening: Option<usize>,
}

/// How much the storm's thread gives way, as `nice` counts.
const STORM_NICENESS: i32 = 12;

/// What the storm's thread says.
enum News {
    Ready,
    Over { seconds: f64, live: usize, errors: Vec<(String, u64)> },
    Failed(Failure),
}

/// Runs it.
///
/// # Errors
/// The broker is not there or refuses the first state.
pub fn run(options: &Churn, target: &Target) -> Result<Report, Failure> {
    let clock = Clock::start();
    let (say, hear) = mpsc::channel();
    let (go, wait_for_go) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(failure) = storm(options, target, clock, &say, &wait_for_go) {
                let _ = say.send(News::Failed(failure));
            }
        });
        // `go` is dropped with this closure's end, which ends the storm's thread, whatever happened here.
        control(options, target, clock, &hear, go)
    })
}

fn storm(
    options: &Churn,
    target: &Target,
    clock: Clock,
    say: &mpsc::Sender<News>,
    go: &mpsc::Receiver<()>,
) -> Result<(), Failure> {
    // If it may not be nicer, the figures are a little worse; that is all.
    let _ = rustix::process::nice(STORM_NICENESS);
    let mut fleet = Fleet::new(target, clock, false)?;
    fleet.gives_way = true;
    let greeting = Some(target.watch(&format!("load-{}-storm", fresh_tag().as_str()))?);
    let greetings = || std::iter::repeat_n(greeting.clone(), options.viewers);
    fleet.open_viewers(greetings(), 256, 60.0, &mut |_| {})?;
    let _ = say.send(News::Ready);
    if go.recv().is_err() {
        return Ok(());
    }
    let began = clock.now();
    fleet.drop_viewers();
    fleet.open_viewers(greetings(), options.opening.unwrap_or(options.viewers), 60.0, &mut |_| {})?;
    let seconds = (clock.now() - began) as f64 / 1e9;
    let errors = std::mem::take(&mut fleet.errors).into_iter().collect();
    let _ = say.send(News::Over { seconds, live: fleet.live(), errors });
    // The viewers stay until the control group is done.
    let _ = go.recv();
    Ok(())
}

fn control(
    options: &Churn,
    target: &Target,
    clock: Clock,
    news: &mpsc::Receiver<News>,
    go: mpsc::Sender<()>,
) -> Result<Report, Failure> {
    let mut fleet = Fleet::new(target, clock, false)?;
    let mut flows = [Flow::open(plan(options), target, fresh_tag(), &mut fleet)?];
    if let News::Failed(failure) = await_storm(&mut fleet, &mut flows, news)? {
        return Err(failure);
    }
    let mut report = Report::new("churn", &target.name);
    let began = clock.now();
    flows[0].pause(false, began);
    phase(&mut fleet, &mut flows, clock.after(options.seconds), "before", &mut report, |_| false)?;

    let meter = Meter::begin(target, clock)?;
    let _ = go.send(());
    let mut outcome = None;
    phase(&mut fleet, &mut flows, clock.after(60.0), "during the storm", &mut report, |_| {
        outcome = news.try_recv().ok();
        outcome.is_some()
    })?;
    let storm_times = meter.times()?;
    phase(&mut fleet, &mut flows, clock.after(options.seconds), "after", &mut report, |_| false)?;
    let missed = settle(&mut fleet, &mut flows, 5.0)?;

    report.seconds = (clock.now() - began) as f64 / 1e9;
    report.errors = fleet.errors.iter().map(|(why, count)| (why.clone(), (*count).into())).collect();
    match outcome {
        Some(News::Over { seconds, live, errors }) => {
            report.figure("storm, seconds", seconds);
            report.figure("reconnected a second", live as f64 / seconds);
            report.count("reconnected", live as u64);
            report.count("failed handshakes", (options.viewers - live) as u64);
            report
                .errors
                .extend(errors.into_iter().map(|(why, count)| (format!("storm: {why}"), count.into())));
        }
        Some(News::Failed(failure)) => return Err(failure),
        Some(News::Ready) | None => return Err(Failure::new("the storm was not over in 60 s")),
    }
    if let Some(times) = storm_times {
        report.figure(
            "broker processor per reconnect, µs",
            times.running as f64 / 1000.0 / options.viewers.max(1) as f64,
        );
    }
    report.count("missed last revisions", missed);
    report.ask("viewers", options.viewers);
    report.ask("control", options.control);
    report.ask("rate", options.rate);
    Ok(report)
}

/// Drives the control group until the storm's thread says something: whoever waits answers pings.
fn await_storm(fleet: &mut Fleet, flows: &mut [Flow], news: &mpsc::Receiver<News>) -> Result<News, Failure> {
    let mut progress = Progress::new("churn, opening", fleet.clock.after(60.0));
    loop {
        let slice = fleet.clock.now() + 20 * MILLISECOND;
        drive(fleet, flows, slice, &mut progress, |_, _, _| slice)?;
        match news.try_recv() {
            Ok(news) => return Ok(news),
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => {
                return Err(Failure::new("the storm's thread has ended"));
            }
        }
    }
}

/// One part of the run, until a time or until `is_over`.
fn phase(
    fleet: &mut Fleet,
    flows: &mut [Flow],
    until: Nanos,
    name: &str,
    report: &mut Report,
    mut is_over: impl FnMut(Nanos) -> bool,
) -> Result<(), Failure> {
    flows[0].measure(true);
    fleet.load = Load::begin(fleet.clock);
    let mut progress = Progress::new(format!("churn, {name}"), until);
    loop {
        let slice = (fleet.clock.now() + 20 * MILLISECOND).min(until);
        drive(fleet, flows, slice, &mut progress, |_, _, now| now + crate::clock::SECOND)?;
        if slice == until || is_over(slice) {
            break;
        }
    }
    report.times(&format!("{name}: acknowledged"), &flows[0].answered);
    report.times(&format!("{name}: seen by a viewer"), &flows[0].audience.seen);
    report.count(&format!("{name}: skipped revisions"), flows[0].audience.skipped);
    let load = fleet.load.summary(fleet.clock);
    report.figure(&format!("{name}: generator's own delay p99, µs"), load.batch_p99_micros);
    report.generator = Some(load);
    Ok(())
}

fn plan(options: &Churn) -> Plan {
    Plan {
        name: "control",
        verb: Verb::Put,
        keys: 1,
        producers: 1,
        viewers: options.control,
        watching: Watching::OneKey,
        bytes: 200,
        rate: Some(options.rate),
        burst: 1,
        pipeline: 64,
        opening: 512,
    }
}
