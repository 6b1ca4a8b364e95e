//! How fast, and at what cost, a written state is on every screen.
//!
//! Always true: without a rate, the next states are written when every viewer has the former.
//!
//! Read first: `scenario/mod.rs`.

use clap::Args;

use crate::audience::Watching;
use crate::failure::Failure;
use crate::flow::{Plan, Verb};
use crate::report::Report;
use crate::scenario::{Course, run_plans};
use crate::target::Target;

/// Options of `fanout`.
#[derive(Args, Clone, Debug)]
pub struct Fanout {
    /// Viewers in all
    #[arg(long, default_value_t = 1000)]
    pub viewers: usize,
    /// Keys; viewers are spread over them
    #[arg(long, default_value_t = 1)]
    pub keys: usize,
    /// Let every viewer watch all keys, by their common prefix
    #[arg(long)]
    pub prefix: bool,
    /// Size of a state, bytes
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
    /// Producers, each with its own connection and share of the keys
    #[arg(long, default_value_t = 1)]
    pub producers: usize,
    /// Writes a second of all producers together; without it, each waits for all viewers and goes on
    #[arg(long)]
    pub rate: Option<f64>,
    /// Writes of different keys that a producer sends together, where there is no rate
    #[arg(long, default_value_t = 1)]
    pub burst: usize,
    /// Unanswered requests of one producer at most, where there is a rate
    #[arg(long, default_value_t = 64)]
    pub pipeline: usize,
    /// How long
    #[command(flatten)]
    pub course: Course,
}

/// Runs it.
///
/// # Errors
/// The broker is not there or refuses the first states.
pub fn run(options: &Fanout, target: &Target) -> Result<Report, Failure> {
    let keys = options.keys.max(1);
    let producers = options.producers.clamp(1, keys);
    let plan = Plan {
        name: "fanout",
        verb: Verb::Put,
        keys,
        producers,
        viewers: options.viewers,
        watching: if options.prefix { Watching::Prefix } else { Watching::OneKey },
        bytes: options.bytes,
        rate: options.rate,
        // A key twice in one burst could be delivered once, and the round would never end.
        burst: options.burst.clamp(1, keys / producers),
        pipeline: options.pipeline.max(1),
        opening: 512,
    };
    let mut report = run_plans("fanout", std::slice::from_ref(&plan), target, &options.course)?;
    report.ask("viewers", plan.viewers);
    report.ask("bytes", plan.bytes);
    report.ask("keys", plan.keys);
    report.ask("prefix", options.prefix);
    match plan.rate {
        Some(rate) => report.ask("rate", rate),
        None => report.ask("burst", plan.burst),
    }
    Ok(report)
}
