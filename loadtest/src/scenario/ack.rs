//! How fast writes are acknowledged, with nobody watching.
//!
//! Always true: each producer has its own connection and its own key.
//!
//! Read first: `scenario/mod.rs`.

use clap::Args;

use crate::audience::Watching;
use crate::failure::Failure;
use crate::flow::{Plan, Verb};
use crate::report::Report;
use crate::scenario::{Course, run_plans};
use crate::target::Target;

/// Options of `ack`.
#[derive(Args, Clone, Debug)]
pub struct Ack {
    /// Producers, each with its own connection and key
    #[arg(long, default_value_t = 1)]
    pub producers: usize,
    /// Size of a state, bytes
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
    /// Writes a second of all producers together; without it, each waits for its answer and goes on
    #[arg(long)]
    pub rate: Option<f64>,
    /// Unanswered requests of one producer at most, where there is a rate
    #[arg(long, default_value_t = 1)]
    pub pipeline: usize,
    /// How long
    #[command(flatten)]
    pub course: Course,
}

/// Runs it.
///
/// # Errors
/// The broker is not there or refuses the first states.
pub fn run(options: &Ack, target: &Target) -> Result<Report, Failure> {
    let plan = Plan {
        name: "ack",
        verb: Verb::Put,
        keys: options.producers,
        producers: options.producers.max(1),
        viewers: 0,
        watching: Watching::OneKey,
        bytes: options.bytes,
        rate: options.rate,
        burst: 1,
        pipeline: options.pipeline.max(1),
        opening: 1,
    };
    let mut report = run_plans("ack", &[plan], target, &options.course)?;
    report.ask("producers", options.producers);
    report.ask("bytes", options.bytes);
    if let Some(rate) = options.rate {
        report.ask("rate", rate);
    }
    Ok(report)
}
