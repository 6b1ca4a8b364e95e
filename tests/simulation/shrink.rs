//! From a failure to the smallest one that can be found.
//!
//! Always true: what is shown is a command that was run and failed. It breaks the same promise; a smaller run
//! that breaks another one is another finding.
//!
//! Read first: `plan.rs`, `run.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::breach::{Breach, Kept};
use crate::options::Options;
use crate::plan::{FAULTS, Less, Plan};
use crate::run;
use crate::sweep;
use crate::world::World;

/// How a run failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which run.
    pub seed: u64,
    /// What was taken away from it.
    pub less: Less,
    /// In which step.
    pub step: u64,
    /// What it broke.
    pub breach: Breach,
}

/// Runs one seed; its trace, or how it failed.
pub fn try_seed(seed: u64, less: &Less, shows: bool) -> Result<u64, Box<Failure>> {
    let plan = Plan::draw(seed, less);
    let mut world = None;
    let outcome: std::thread::Result<Kept<u64>> = catch_unwind(AssertUnwindSafe(|| {
        let world = world.insert(World::new(plan));
        world.shows = shows;
        run::run(world)
    }));
    let step = world.map_or(0, |world| world.step);
    let breach = match outcome {
        Ok(Ok(trace)) => return Ok(trace),
        Ok(Err(breach)) => breach,
        Err(_) => Breach { promise: "nothing panics", what: sweep::last_panic() },
    };
    Err(Box::new(Failure { seed, less: less.clone(), step, breach }))
}

impl Failure {
    /// The command that shows it again.
    pub fn command(&self) -> String {
        let mut command = format!("scripts/simulate --seed {}", self.seed);
        for (name, number) in [
            ("steps", self.less.steps),
            ("cores", self.less.cores),
            ("keys", self.less.keys),
            ("peers", self.less.peers),
        ] {
            if let Some(number) = number {
                command.push_str(&format!(" --{name} {number}"));
            }
        }
        if self.less.plain {
            command.push_str(" --plain");
        }
        if !self.less.without.is_empty() {
            let names: Vec<&str> = self.less.without.iter().map(|fault| fault.name()).collect();
            command.push_str(&format!(" --without {}", names.join(",")));
        }
        command
    }

    /// Prints it.
    pub fn print(&self) {
        let what: String = self.breach.what.chars().take(1_500).collect();
        println!("seed {}, step {}: {}\n  {what}", self.seed, self.step, self.breach.promise);
        println!("  {}", Plan::draw(self.seed, &self.less));
        println!("  {}", self.command());
    }

    /// Looks for a smaller one.
    pub fn shrunk(self) -> Failure {
        let mut best = self;
        let begin = Plan::draw(best.seed, &best.less);
        best.less.steps = Some(begin.steps);
        best = best.with(|less, _| less.plain = true);
        // What failed in the first phase needs no more steps than it took.
        best = best.with(|less, step| less.steps = less.steps.map(|steps| steps.min(step as usize)));
        loop {
            let before = best.less.clone();
            for fault in FAULTS {
                if Plan::draw(best.seed, &best.less).has(fault) {
                    best = best.with(|less, _| less.without.extend([fault]));
                }
            }
            let plan = Plan::draw(best.seed, &best.less);
            for cores in 1..plan.cores {
                best = best.with(|less, _| less.cores = Some(less.cores.unwrap_or(99).min(cores)));
            }
            for keys in 1..plan.keys.len() {
                best = best.with(|less, _| less.keys = Some(less.keys.unwrap_or(99).min(keys)));
            }
            for peers in 1..plan.roles.len() {
                best = best.with(|less, _| less.peers = Some(less.peers.unwrap_or(99).min(peers)));
            }
            best = best.with_fewer_steps();
            if best.less == before {
                return best;
            }
        }
    }

    fn with_fewer_steps(mut self) -> Failure {
        let mut by = self.less.steps.unwrap_or(0) / 2;
        while by > 0 {
            let before = self.less.steps;
            for _ in 0..8 {
                self = self.with(|less, _| less.steps = less.steps.map(|steps| steps.saturating_sub(by)));
            }
            if self.less.steps == before || by > self.less.steps.unwrap_or(0) {
                by /= 2;
            }
        }
        self
    }

    /// The same with less, if that still breaks the promise.
    fn with(self, change: impl Fn(&mut Less, u64)) -> Failure {
        let mut less = self.less.clone();
        change(&mut less, self.step);
        if less == self.less {
            return self;
        }
        match try_seed(self.seed, &less, false) {
            Err(smaller) if smaller.breach.promise == self.breach.promise => *smaller,
            Err(_) | Ok(_) => self,
        }
    }
}

/// Runs one seed and says how it went.
pub fn show(seed: u64, options: &Options) -> bool {
    println!("seed {seed}: {}", Plan::draw(seed, &options.less));
    match try_seed(seed, &options.less, options.shows) {
        Ok(trace) => {
            println!("every promise kept; trace {trace:016x}");
            true
        }
        Err(failure) => {
            failure.print();
            if options.shrinks {
                println!("\nshrunk:");
                failure.shrunk().print();
            }
            false
        }
    }
}
