//! A realistic day on one broker: dashboards, devices on wall screens, settings that people patch, and
//! readers that come by.
//!
//! Always true: everything runs at fixed rates, so the same day is put to every broker.
//!
//! Read first: `scenario/mod.rs`.

use clap::Args;

use crate::audience::Watching;
use crate::failure::Failure;
use crate::flow::{Plan, Verb};
use crate::report::Report;
use crate::scenario::{Course, run_plans};
use crate::target::Target;

/// Options of `mixed`.
#[derive(Args, Clone, Debug)]
pub struct Mixed {
    /// How much of everything: viewers and rates are multiplied by it
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// How long
    #[command(flatten)]
    pub course: Course,
}

/// Runs it.
///
/// # Errors
/// The broker is not there or refuses the first states.
pub fn run(options: &Mixed, target: &Target) -> Result<Report, Failure> {
    let mut report = run_plans("mixed", &plans(options.scale.max(0.01)), target, &options.course)?;
    report.ask("scale", options.scale);
    Ok(report)
}

fn plans(scale: f64) -> [Plan; 4] {
    let viewers = |count: f64| (count * scale).ceil() as usize;
    let plan = |name, verb, keys, producers, bytes, rate: f64| Plan {
        name,
        verb,
        keys,
        producers,
        viewers: 0,
        watching: Watching::OneKey,
        bytes,
        rate: Some(rate * scale),
        burst: 1,
        pipeline: 8,
        opening: 256,
    };
    [
        Plan { viewers: viewers(600.0), ..plan("dashboards", Verb::Put, 20, 5, 2048, 60.0) },
        Plan {
            viewers: viewers(10.0),
            watching: Watching::Prefix,
            ..plan("devices", Verb::Put, 500, 20, 200, 500.0)
        },
        Plan { viewers: viewers(100.0), ..plan("settings", Verb::Patch, 20, 4, 400, 20.0) },
        plan("readers", Verb::Get, 20, 10, 1024, 100.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_scales_in_viewers_and_rates() {
        let viewers = |scale| plans(scale).iter().map(|plan| plan.viewers).sum::<usize>();
        assert_eq!((viewers(1.0), viewers(2.0)), (710, 1420));
        assert_eq!(plans(0.5)[1].rate, Some(250.0));
    }
}
