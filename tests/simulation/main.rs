//! The whole broker, several cores, in one thread, from one seed.
//!
//! Always true: a failure says which promise broke, in which step of which seed, and the one command that
//! shows it again. Without arguments this is the part of it that belongs to every test run.
//!
//! Read first: `plan.rs`, `world.rs`, `run.rs`; `docs/testing.md` for how to use it.

mod age;
mod breach;
mod client;
mod cores;
mod dice;
mod disk;
mod expect;
mod habits;
mod mishaps;
mod moves;
mod options;
mod plan;
mod run;
mod shrink;
mod speech;
mod sweep;
mod table;
mod tap;
mod trace;
mod truth;
mod view;
mod wishes;
mod world;

use std::process::ExitCode;

use options::{Options, What};

/// Seeds of every test run, and how long one of them may be at most.
const SEEDS: u64 = 200;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("{what}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    sweep::keep_panics_quiet();
    let is_fine = match options.what {
        What::Listing => {
            println!("simulation: test");
            true
        }
        What::Nothing => true,
        What::TestRun => {
            sweep::once_failed() & sweep::sweep(0, SEEDS, &options) & sweep::of_this_commit(&options)
        }
        What::Seeds { from, count } => sweep::sweep(from, count, &options),
        What::One(seed) => shrink::show(seed, &options),
    };
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
