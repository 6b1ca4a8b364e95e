//! Lux, the ceilings and, where asked for, its peers, one after the other in every round, each on one core and the generator on another.
//!
//! Always true: every measurement has a server of its own, started for it; ratios are taken within a round,
//! and medians over the rounds. What was measured is kept as it was, beside what was made of it.
//!
//! Read first: `compare/cases.rs`.

mod bars;
mod cases;
mod figures;
mod machine;
mod page;
mod peer;
mod server;

use std::fs;
use std::path::PathBuf;
use std::process;
use std::time::Instant;

use clap::Args;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::failure::Failure;
use crate::report::write_file;
use cases::{Absence, CASES, Length};
use machine::Machine;
use peer::Peer;
use server::{Bench, Contender};

/// Options of `compare`.
#[derive(Args, Clone, Debug)]
pub struct Compare {
    /// The broker's program [default: `lux` beside this one]
    #[arg(long)]
    pub lux: Option<PathBuf>,
    /// One more argument for `lux serve`, repeatable
    #[arg(long, allow_hyphen_values = true)]
    pub lux_arg: Vec<String>,
    /// Rounds [default: 4, with --quick 2]
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Shorter measurements: under two minutes in all
    #[arg(long)]
    pub quick: bool,
    /// Only cases whose name contains this
    #[arg(long)]
    pub only: Option<String>,
    /// Real alternatives to be put beside it, as in `nchan,nats`; they are under loadtest/peers
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub peers: Vec<String>,
    /// Where their programs are
    #[arg(long, default_value = "target/peers", value_name = "FOLDER")]
    pub peers_cache: PathBuf,
    /// Where their settings are
    #[arg(long, default_value = "loadtest/peers", value_name = "FOLDER")]
    pub peers_config: PathBuf,
    /// A peer that could not be had, and why, to be said on the page; repeatable
    #[arg(long, value_name = "TEXT")]
    pub absent: Vec<String>,
    /// The server's processor
    #[arg(long, default_value_t = 0)]
    pub server_cpu: usize,
    /// The generator's processor
    #[arg(long, default_value_t = 1)]
    pub own_cpu: usize,
    /// What to call this machine in the results' folder [default: as in `2core-linux`]
    #[arg(long)]
    pub machine: Option<String>,
    /// Where the results' folder is made
    #[arg(long, default_value = "loadtest/runs")]
    pub runs: PathBuf,
    /// What was typed, to be kept with the results
    #[arg(long, hide = true)]
    pub command: Option<String>,
}

/// Runs it.
///
/// # Errors
/// A server does not start, or results cannot be written.
pub fn run(options: &Compare) -> Result<(), Failure> {
    let began = Instant::now();
    pin(options.own_cpu)?;
    let scratch = std::env::temp_dir().join(format!("lux-loadtest-{}", process::id()));
    let outcome = rounds(options, &scratch, began);
    // Made by us for this run; whoever is interrupted leaves an empty folder behind.
    let _ = fs::remove_dir_all(&scratch);
    outcome
}

fn rounds(options: &Compare, scratch: &std::path::Path, began: Instant) -> Result<(), Failure> {
    let machine = Machine::look(options);
    let mut bench = Bench::new(options, scratch)?;
    let length = if options.quick { Length::QUICK } else { Length::FULL };
    let count = options.rounds.unwrap_or(if options.quick { 2 } else { 4 });
    let peers = Peer::named(&options.peers)?;
    bench.learn_sizes()?;
    let (mut rounds, mut absences) = (Vec::new(), Vec::<Absence>::new());
    for round in 0..count {
        let mut measured = Vec::new();
        let wanted =
            |case: &&cases::Case| options.only.as_ref().is_none_or(|only| case.name.contains(only.as_str()));
        for case in CASES.iter().filter(wanted) {
            let beside = if case.is_for_peers() { &peers[..] } else { &[][..] };
            for contender in order(case.contenders, beside, round) {
                // What is known to be impossible is not tried again.
                if absences.iter().any(|known| known.case == case.name && known.contender == contender) {
                    continue;
                }
                let report = match (case.run)(&mut bench, contender, length) {
                    Ok(report) => report,
                    Err(failure) if peers.contains(&contender) => {
                        let why = failure.to_string();
                        eprintln!("round {} of {count}: {:<22} – {why}", round + 1, case.name);
                        absences.push(Absence { case: case.name, contender, why });
                        continue;
                    }
                    Err(failure) => return Err(failure),
                };
                eprintln!(
                    "round {} of {count}: {:<22} {:<15} {}",
                    round + 1,
                    case.name,
                    contender.name(),
                    brief(&report)
                );
                measured.push(cases::Measured { case: case.name, contender, report });
            }
        }
        rounds.push(measured);
    }
    let figures = figures::all(&rounds, &peers);
    let results = page::Results { figures: &figures, rounds: &rounds, peers: &peers, absences: &absences };
    print!("{}", page::table(&figures));
    print!("{}", results.beside(&options.absent));
    let folder = options.runs.join(format!("{}-{}", machine.date, machine.name));
    write_file(&folder.join("README.md"), &results.render(&machine, &options.absent, began.elapsed()))?;
    write_file(&folder.join("rounds.json"), &results.json(&machine)?)?;
    for (name, picture) in page::pictures(&rounds) {
        write_file(&folder.join(name), &picture)?;
    }
    if !peers.is_empty() {
        write_file(&folder.join("peers.svg"), &bars::render(&figures, &peers))?;
    }
    println!("\n{:.0} s; results are in {}", began.elapsed().as_secs_f64(), folder.display());
    Ok(())
}

/// Every other round goes the other way, so that whoever comes first is not always the same.
fn order(contenders: &[Contender], peers: &[Contender], round: usize) -> Vec<Contender> {
    let mut order = [contenders, peers].concat();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

fn brief(report: &crate::report::Report) -> String {
    let latency = report.latencies.first().map(|times| {
        format!(
            "{} p50 {}, p99 {}",
            times.name,
            crate::report::table::time(times.p50),
            crate::report::table::time(times.p99)
        )
    });
    let errors = match report.error_count() {
        0 => String::new(),
        errors => format!(" · {errors} ERRORS"),
    };
    latency.unwrap_or_else(|| format!("{:.2} s", report.seconds)) + &errors
}

fn pin(cpu: usize) -> Result<(), Failure> {
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)
        .map_err(Failure::of(format!("running on processor {cpu} only (--own-cpu)")))
}
