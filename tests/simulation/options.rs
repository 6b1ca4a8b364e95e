//! The command line of the simulator.
//!
//! Always true: what the test runner of Cargo passes to every test is understood, so that `cargo test` with a
//! filter does not run what it does not name.
//!
//! Read first: `main.rs`.

use crate::plan::{Fault, Less};

/// What can be said.
pub const USAGE: &str = "usage: simulation [--seeds N [--from S]] [--seed S [--shrink] [--show]]
                  [--steps N] [--cores N] [--keys N] [--peers N] [--without FAULT,…] [--plain] [--threads N] [--every] [--first]
  --seeds N    run N seeds and report every broken promise
  --seed S     run one seed; --shrink looks for the smallest run that still fails, --show prints each move
  --steps, --cores, --keys, --peers, --without, --plain   take away from what the seed drew
  --every      print a line for every failure
  --first      stop at the first failure and do not shrink it";

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// What belongs to every test run.
    TestRun,
    /// These seeds.
    Seeds {
        /// The first of them.
        from: u64,
        /// How many.
        count: u64,
    },
    /// One seed.
    One(u64),
    /// The name of this test, for those who list tests.
    Listing,
    /// Nothing: another test was asked for.
    Nothing,
}

/// Everything that was said.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to do.
    pub what: What,
    /// What is taken away.
    pub less: Less,
    /// Threads; each runs seeds of its own.
    pub threads: usize,
    /// Look for a smaller failure.
    pub shrinks: bool,
    /// Print each move.
    pub shows: bool,
    /// Print a line for every failure, those that are not shrunk included.
    pub lists: bool,
    /// Stop at the first failure.
    pub stops_at_first: bool,
}

impl Options {
    /// Reads the command line.
    pub fn read(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        let mut options = Options {
            what: What::TestRun,
            less: Less::default(),
            threads,
            shrinks: false,
            shows: false,
            stops_at_first: false,
            lists: false,
        };
        let (mut from, mut count, mut one) = (0, None, None);
        while let Some(arg) = args.next() {
            let mut number = || {
                let text = args.next().unwrap_or_default();
                text.parse::<u64>().map_err(|_| format!("{arg} needs a number, not `{text}`"))
            };
            match arg.as_str() {
                "--seeds" => count = Some(number()?),
                "--from" => from = number()?,
                "--seed" => one = Some(number()?),
                "--threads" => options.threads = number()?.max(1) as usize,
                "--steps" => options.less.steps = Some(number()? as usize),
                "--cores" => options.less.cores = Some(number()?.max(1) as usize),
                "--keys" => options.less.keys = Some(number()?.max(1) as usize),
                "--peers" => options.less.peers = Some(number()?.max(1) as usize),
                "--without" => {
                    for name in args.next().unwrap_or_default().split(',') {
                        let fault =
                            Fault::named(name).ok_or_else(|| format!("no fault is called `{name}`"))?;
                        options.less.without.insert(fault);
                    }
                }
                "--plain" => options.less.plain = true,
                "--shrink" => options.shrinks = true,
                "--show" => options.shows = true,
                "--every" => options.lists = true,
                "--first" => options.stops_at_first = true,
                "--list" => options.what = What::Listing,
                "--test-threads" | "--skip" | "--format" | "--color" => drop(args.next()),
                "--ignored" => options.what = What::Nothing,
                filter if !filter.starts_with('-') => {
                    if !"simulation".contains(filter) {
                        options.what = What::Nothing;
                    }
                }
                known if KNOWN.contains(&known) || known.contains('=') => {}
                other => return Err(format!("`{other}` is not understood")),
            }
        }
        match (one, count) {
            (Some(seed), _) => options.what = What::One(seed),
            (None, Some(count)) => options.what = What::Seeds { from, count },
            (None, None) => {}
        }
        Ok(options)
    }
}

/// What Cargo's own test runner understands and means nothing here.
const KNOWN: [&str; 8] = [
    "--nocapture",
    "--no-capture",
    "--exact",
    "--quiet",
    "-q",
    "--include-ignored",
    "--show-output",
    "--report-time",
];
