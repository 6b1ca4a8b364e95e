//! Many seeds on all cores, with a line that moves.
//!
//! Always true: each seed runs alone in one thread; how many threads there are changes nothing in any of them.
//! A sample of the seeds runs twice, and both times must be the same.
//!
//! Read first: `shrink.rs`.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::breach::Breach;
use crate::options::Options;
use crate::plan::Less;
use crate::shrink::{Failure, try_seed};

/// Of so many seeds one runs twice.
const TWICE: u64 = 16;
/// So many failures are shrunk and shown; the others are counted.
const SHOWN: usize = 5;

/// Seeds that failed once, each with a line of why.
const ONCE_FAILED: &str = include_str!("seeds.txt");

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic is a finding like any other: it is kept for the report, and does not print itself.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        LAST_PANIC.with(|last| *last.borrow_mut() = info.to_string());
    }));
}

/// What the last panic of this thread said.
pub fn last_panic() -> String {
    LAST_PANIC.with(|last| last.borrow().clone())
}

/// Runs the seeds that failed once.
pub fn once_failed() -> bool {
    let mut is_fine = true;
    for line in ONCE_FAILED.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let args = line.split(" # ").next().unwrap_or_default();
        let words = std::iter::once("--seed").chain(args.split_whitespace()).map(str::to_owned);
        let Ok(Options { what: crate::options::What::One(seed), less, .. }) = Options::read(words) else {
            println!("seeds.txt has a line that is not understood: {line}");
            is_fine = false;
            continue;
        };
        if let Err(failure) = try_seed(seed, &less, false) {
            println!("failed once, and again: {line}");
            failure.print();
            is_fine = false;
        }
    }
    is_fine
}

/// Runs one seed more, made from the commit, so that every change brings a world nobody has seen.
pub fn of_this_commit(options: &Options) -> bool {
    let head = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let text = head.map(|output| output.stdout).unwrap_or_default();
    let seed = text.iter().take(12).fold(0u64, |seed, byte| seed * 31 + u64::from(*byte)) % 1_000_000_000;
    sweep(seed, 1, options)
}

/// Runs so many seeds; false if one of them broke a promise.
pub fn sweep(from: u64, count: u64, options: &Options) -> bool {
    let begin = Instant::now();
    let (next, steps_done) = (AtomicU64::new(from), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let failures: Mutex<Vec<Failure>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= from + count || is_over.load(Ordering::Relaxed) {
                            return;
                        }
                        steps_done.fetch_add(1, Ordering::Relaxed);
                        if let Err(failure) = run_one(seed, &options.less) {
                            failures.lock().expect("no thread panics while it holds this").push(*failure);
                            is_over.fetch_or(options.stops_at_first, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::park_timeout(Duration::from_millis(20));
            let found = failures.lock().expect("no thread panics while it holds this").len();
            show_progress(steps_done.load(Ordering::Relaxed), count, found, begin);
        }
    });
    let mut failures = failures.into_inner().expect("no thread panics while it holds this");
    failures.sort_by_key(|failure| failure.seed);
    report(failures, steps_done.into_inner(), begin, options)
}

fn run_one(seed: u64, less: &Less) -> Result<(), Box<Failure>> {
    let trace = try_seed(seed, less, false)?;
    if seed.is_multiple_of(TWICE) {
        let again = try_seed(seed, less, false)?;
        if again != trace {
            let what = format!("{trace:016x}, then {again:016x}");
            let breach = Breach { promise: "same seed, same trace", what };
            return Err(Box::new(Failure { seed, less: less.clone(), step: 0, breach }));
        }
    }
    Ok(())
}

fn show_progress(done: u64, count: u64, found: usize, begin: Instant) {
    let elapsed = begin.elapsed().as_secs();
    if elapsed > 0 && std::io::stderr().is_terminal() {
        eprint!("\r{done} of {count} seeds, {} a second, {found} failures ", done / elapsed);
        let _ = std::io::stderr().flush();
    }
}

fn report(failures: Vec<Failure>, seeds: u64, begin: Instant, options: &Options) -> bool {
    let count = failures.len();
    let mut by_promise = std::collections::BTreeMap::<&str, usize>::new();
    for failure in &failures {
        *by_promise.entry(failure.breach.promise).or_default() += 1;
    }
    for failure in failures.iter().filter(|_| options.lists) {
        println!("seed {}, step {}: {}", failure.seed, failure.step, failure.breach.promise);
    }
    let mut shown = std::collections::BTreeSet::new();
    for failure in failures {
        if shown.len() == SHOWN || !shown.insert(failure.breach.promise) {
            continue;
        }
        let failure = if options.stops_at_first { failure } else { failure.shrunk() };
        failure.print();
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{seeds} seeds in {seconds:.1} s, {count} broke a promise");
    for (promise, count) in by_promise {
        println!("  {count} × {promise}");
    }
    count == 0
}
