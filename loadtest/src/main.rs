//! `lux-loadtest`: puts load on a broker for current state and says how it fared.
//!
//! It shares no code with the broker: a client that makes the broker's own mistakes would not see them.
//!
//! | part | what |
//! |---|---|
//! | `target` | who is put to the test |
//! | `speech` | how one talks to each kind of broker |
//! | `fleet` | all connections of one thread, in one epoll loop |
//! | `flow` | producers that write keys and viewers that watch them |
//! | `scenario` | the kinds of work |
//! | `ceiling` | servers that do the least that could carry the same bytes |
//! | `compare` | all of it in interleaved rounds, each server on one core, the generator on another |
//!
//! Read first: `flow.rs`.

mod audience;
mod ceiling;
mod clock;
mod compare;
mod connect;
mod drive;
mod failure;
mod fleet;
mod flow;
mod http;
mod latency;
mod ledger;
mod mark;
mod options;
mod pace;
mod process;
mod progress;
mod report;
mod scenario;
mod speech;
mod state;
mod target;
mod websocket;

use std::process::ExitCode;

use clap::{Args, Parser};

use failure::Failure;
use options::{Against, Cli, Command, Job};
use report::svg::{self, Curve};
use report::{Report, table, write_file};
use target::Target;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("lux-loadtest: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Ack(job) => report(job, scenario::ack::run),
        Command::Fanout(job) => report(job, scenario::fanout::run),
        Command::Idle(job) => report(job, scenario::idle::run),
        Command::Churn(job) => report(job, scenario::churn::run),
        Command::Overload(job) => report(job, scenario::overload::run),
        Command::Mixed(job) => report(job, scenario::mixed::run),
        Command::Ceiling { kind } => ceiling::run(kind),
        Command::Compare(work) => compare::run(work),
    }
}

fn report<W: Args>(job: &Job<W>, run: fn(&W, &Target) -> Result<Report, Failure>) -> Result<(), Failure> {
    show(&job.against, &run(&job.work, &job.against.target()?)?)
}

/// Prints the table, and writes what was asked for.
fn show(against: &Against, report: &Report) -> Result<(), Failure> {
    print!("{}", table::render(report));
    if let Some(path) = &against.json {
        let json = serde_json::to_string_pretty(report).map_err(Failure::of("writing JSON"))?;
        write_file(path, &json)?;
    }
    if let Some(path) = &against.svg {
        let curves: Vec<Curve<'_>> =
            report.latencies.iter().map(|summary| Curve { label: summary.name.clone(), summary }).collect();
        write_file(path, &svg::render(&format!("{} · {}", report.target, report.scenario), &curves))?;
    }
    Ok(())
}
