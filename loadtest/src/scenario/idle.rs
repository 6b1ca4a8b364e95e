//! What a viewer costs that only waits: memory, and the processor time of its opening.
//!
//! Always true: memory is that of the broker's process; what the kernel keeps for a socket is not in it.
//!
//! Read first: `scenario/mod.rs`.

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::fleet::load::Load;
use crate::report::Report;
use crate::scenario::{Meter, fresh_tag};
use crate::speech::Greeting;
use crate::target::Target;

/// Options of `idle`.
#[derive(Args, Clone, Debug)]
pub struct Idle {
    /// Viewers
    #[arg(long, default_value_t = 10_000)]
    pub viewers: usize,
    /// Viewers that are being opened at a time
    #[arg(long, default_value_t = 256)]
    pub opening: usize,
    /// Connect only, without a handshake: what the kernel alone costs
    #[arg(long)]
    pub bare: bool,
    /// Seconds the viewers stay before memory is read
    #[arg(long, default_value_t = 1.0)]
    pub stay: f64,
}

/// Runs it.
///
/// # Errors
/// The broker is not there.
pub fn run(options: &Idle, target: &Target) -> Result<Report, Failure> {
    let clock = Clock::start();
    let mut fleet = Fleet::new(target, clock, false)?;
    let greeting: Option<Rc<Greeting>> =
        if options.bare { None } else { Some(target.watch(&format!("load-{}-idle", fresh_tag().as_str()))?) };
    // Memory for the first viewer is memory for the loop's own beginnings, too.
    fleet.open_viewers([greeting.clone()], 1, 10.0, &mut |_| {})?;
    settle();
    let resident = || target.process.map(|process| process.resident_bytes()).transpose();
    let (before, meter, began) = (resident()?, Meter::begin(target, clock)?, clock.now());
    fleet.load = Load::begin(clock);
    let greetings = std::iter::repeat_n(greeting, options.viewers);
    fleet.open_viewers(greetings, options.opening, 120.0, &mut |_| {})?;
    let seconds = (clock.now() - began) as f64 / 1e9;
    let generator = fleet.load.summary(clock);
    // The broker may still be busy with what it accepted.
    settle();
    let times = meter.times()?;
    thread::sleep(Duration::from_secs_f64(options.stay.max(0.0)));
    let after = resident()?;

    let mut report = Report::new("idle", &target.name);
    let opened = fleet.live().saturating_sub(1);
    report.seconds = seconds;
    report.ask("viewers", options.viewers);
    report.ask("opening", options.opening);
    report.count("viewers opened", opened as u64);
    report.figure("opened a second", opened as f64 / seconds);
    if let (Some(times), Some(before), Some(after)) = (times, before, after) {
        let each = opened.max(1) as f64;
        report.figure("broker waited for its core, %", times.waiting as f64 / 1e7 / seconds);
        report.figure("broker processor per opening, µs", times.running as f64 / 1000.0 / each);
        report.figure("broker memory before, KiB", before as f64 / 1024.0);
        report.figure("broker memory after, KiB", after as f64 / 1024.0);
        report.figure("broker memory per viewer, bytes", (after as f64 - before as f64) / each);
    }
    report.times("opening", &fleet.openings);
    report.generator = Some(generator);
    report.errors = fleet.errors.iter().map(|(why, count)| (why.clone(), (*count).into())).collect();
    Ok(report)
}

fn settle() {
    thread::sleep(Duration::from_millis(300));
}
