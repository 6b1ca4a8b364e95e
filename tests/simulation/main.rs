//! The whole broker, several cores, in one thread, from one seed.
//!
//! Always true: a failure says which promise broke, in which step of which seed, and the one command that
//! shows it again. Without arguments this is the part of it that belongs to every test run.
//!
//! Read first: `plan.rs`, `world.rs`, `run.rs`; `docs/testing.md` for how to use it.

mod breach;
mod client;
mod dice;
mod expect;
mod mishaps;
mod moves;
mod plan;
mod run;
mod speech;
mod table;
mod tap;
mod trace;
mod truth;
mod view;
mod wishes;
mod world;

use plan::{Less, Plan};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let from: u64 = args.get(1).and_then(|a| a.parse().ok()).unwrap_or(0);
    let count: u64 = args.get(2).and_then(|a| a.parse().ok()).unwrap_or(200);
    for seed in from..from + count {
        let plan = Plan::draw(seed, &Less::default());
        let (outcome, step) = run::run_plan(&plan);
        match outcome {
            Ok(_) => {}
            Err(breach) => println!("seed {seed} step {step}: {breach}\n   {plan}"),
        }
    }
}
