//! Counts the instructions of the pure half, operation by operation, and holds them against `counts.txt`.
//! A clock says something else each time; a count says the same, on a busy machine too.
//!
//! | to | run |
//! |---|---|
//! | compare with what is committed, as CI does | `scripts/instructions` |
//! | keep today's counts | `scripts/instructions --accept` |
//! | compare some operations only | `scripts/instructions put fanout` |
//! | see where one operation's instructions go | `scripts/instructions --profile put` |
//!
//! valgrind knows nothing of io_uring and the kernel's work cannot be counted, so what is counted lies between
//! `Shard::received` and `Shard::next_send`: parsing, checking, keeping, spreading, framing. It is built as
//! what ships is built, but without LTO, which would take minutes each time.
//!
//! Always true: an operation is run with two lengths, each in its own process under valgrind, and only the
//! difference counts; so starting, and setting the world up, are not in the figures.
//!
//! Read first: `operations.rs`, `house.rs`.

mod counts;
mod house;
mod operations;
mod valgrind;

use std::process::ExitCode;

use counts::{Counts, Verdict};
use operations::{OPERATIONS, Operation};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["--run", name, turns] => run(name, turns),
        ["--profile", name] => find(name).and_then(valgrind::profile),
        ["--accept"] => accept(),
        _ => compare(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn find(name: &str) -> Result<&'static Operation, String> {
    OPERATIONS.iter().find(|operation| operation.name == name).ok_or_else(|| {
        let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        format!("there is no operation {name}; there are {}", names.join(", "))
    })
}

/// What valgrind counts: the operation itself, in this process.
fn run(name: &str, turns: &str) -> Result<(), String> {
    let turns = turns.parse().map_err(|_| format!("{turns} is no number of turns"))?;
    find(name)?.run(turns);
    Ok(())
}

fn accept() -> Result<(), String> {
    let mut counts = Counts::of_this_machine();
    for operation in OPERATIONS {
        let count = valgrind::count(operation)?;
        println!("{:<14}{count:>9.1}", operation.name);
        counts.set(operation.name, count);
    }
    counts.write()
}

fn compare(names: &[&str]) -> Result<(), String> {
    let chosen: Vec<&Operation> = match names {
        [] => OPERATIONS.iter().collect(),
        names => names.iter().map(|name| find(name)).collect::<Result<_, _>>()?,
    };
    let kept = Counts::read()?;
    let Some(tolerance) = kept.tolerance_percent() else { return Ok(()) };
    println!("{:<14}{:>9}{:>9}{:>9}", "operation", "kept", "now", "change");
    let mut worse = Vec::new();
    for operation in chosen {
        let count = valgrind::count(operation)?;
        let (before, verdict) = kept.judge(operation.name, count, tolerance)?;
        let change = (count / before - 1.0) * 100.0;
        println!(
            "{:<14}{before:>9.1}{count:>9.1}{change:>+8.1} %  {} {}",
            operation.name,
            operation.unit,
            verdict.remark()
        );
        if verdict == Verdict::More {
            worse.push(operation.name);
        }
    }
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} took more than {tolerance} % more instructions than were kept. `scripts/instructions --profile {}` shows \
         where they go; if they are worth it, `scripts/instructions --accept` keeps the new counts",
        worse.join(", "),
        worse[0]
    ))
}
