//! Machines on which a ring cannot be had, or only just.
//!
//! Always true: what stands in the way is said in one plain sentence with what to do about it, and the exit
//! code is 2. What does not stand in the way does not matter.
//!
//! Read first: `help/rights.rs`.

use std::process::Output;
use std::thread;

use nix::errno::Errno;
use nix::libc::SYS_io_uring_setup;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use crate::harness::{Setup, run_lux};
use crate::help::rights::{is_root, skip};
use crate::help::{Memory, Witness};

/// A user with no rights to speak of.
const NOBODY: u32 = 65_534;

/// Does something, and starts programs, where io_uring_setup(2) is answered like this: a filter is a thread's
/// own, and what it starts inherits it.
fn where_the_kernel_says<T: Send>(errno: Errno, act: impl FnOnce() -> T + Send) -> T {
    let rules = [(SYS_io_uring_setup, Vec::new())].into_iter().collect();
    let deny = SeccompAction::Errno(errno as u32);
    let here = std::env::consts::ARCH.try_into().expect("a known processor");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, deny, here).expect("a filter");
    let filter: BpfProgram = filter.try_into().expect("a filter compiles");
    let inside = || {
        apply_filter(&filter).expect("a thread may deny itself a call");
        act()
    };
    let outcome = thread::scope(|scope| scope.spawn(inside).join());
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[track_caller]
fn assert_one_plain_sentence(stderr: &str, names: &[&str]) {
    // What it logs on the way stands before.
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.contains(" INFO ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("lux: "), "{stderr}");
    assert!(names.iter().all(|name| stderr.contains(name)), "{names:?} are named: {stderr}");
    let ugly = ["panicked", "backtrace", "Os {", "RUST_", "Error("];
    assert!(!ugly.iter().any(|part| stderr.contains(part)), "{stderr}");
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8(text).expect("UTF-8"))
}

/// A sandbox that forbids io_uring, and a kernel without it: how each answers, and what is to be said.
const RINGLESS: [(Errno, [&str; 3]); 2] = [
    (Errno::EPERM, ["io_uring", "seccomp", "--security-opt seccomp=unconfined"]),
    (Errno::ENOSYS, ["io_uring", "this kernel does not have it", "Linux 6.1 or later"]),
];

#[test]
fn without_io_uring_the_broker_says_why_and_what_to_do() {
    for (errno, names) in RINGLESS {
        for cores in [1, 2] {
            // The variable would add a backtrace to anything that panics.
            let setup = Setup::cores(cores).env("RUST_BACKTRACE", "1");
            let (code, stderr) = where_the_kernel_says(errno, || setup.start_refused());
            assert_eq!(code, 2, "{stderr}");
            assert_one_plain_sentence(&stderr, &names);
        }
    }
}

#[test]
fn without_io_uring_a_first_start_leaves_no_key_behind() {
    let home = tempfile::tempdir().unwrap();
    let state_dir = home.path().join("state");
    let setup = Setup::cores(1).without_key().state_dir(&state_dir);
    let (code, stderr) = where_the_kernel_says(Errno::EPERM, || setup.start_refused());
    assert_eq!(code, 2, "{stderr}");
    assert_one_plain_sentence(&stderr, &["io_uring"]);
    assert!(!stderr.contains("lux_"), "no key is shown by a broker that does not run: {stderr}");
    // So the next start, with a ring, makes one again.
    let broker = Setup::cores(1).without_key().state_dir(&state_dir).start();
    broker.line_with("lux_");
    broker.stop();
}

#[test]
fn without_io_uring_lux_check_says_so_too() {
    let home = tempfile::tempdir().unwrap();
    let state_dir = home.path().to_str().expect("a path of UTF-8");
    let check = ["check", "--listen", "127.0.0.1:0", "--state-dir", state_dir];
    let envs = [("LUX_API_KEY", crate::harness::API_KEY)];
    for (errno, names) in RINGLESS {
        let (code, text) = said(&where_the_kernel_says(errno, || run_lux(&check, &envs)));
        assert_eq!(code, Some(2), "{text}");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(names.iter().all(|name| text.contains(name)), "{names:?} are named: {text}");
        assert!(text.contains("Lux cannot run here yet") && !text.contains("panicked"), "{text}");
    }
    // It is that one thing, and nothing about the machine otherwise.
    let (code, text) = said(&run_lux(&check, &envs));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn without_io_uring_the_other_subcommands_work() {
    let broker = Setup::cores(1).start();
    let url = format!("http://{}", broker.address);
    let envs = [("LUX_BROKER", url.as_str()), ("LUX_API_KEY", crate::harness::API_KEY)];
    for arguments in [&["put", "board", "7"][..], &["get", "board"], &["delete", "board"]] {
        let (code, text) = said(&where_the_kernel_says(Errno::EPERM, || run_lux(arguments, &envs)));
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
    }
    broker.stop();
}

/// Starts with so much memory that may be locked: it serves, or says plainly why not, and `lux check` knows
/// which. Gives back whether it served.
fn serves_with_locked_memory(setup: impl Fn() -> Setup, kib: usize) -> bool {
    let setup = || setup().locked_kib(kib);
    let (code, findings) = said(&setup().check());
    match setup().try_start() {
        Ok(broker) => {
            assert_eq!(code, Some(0), "it runs with {kib} KiB, and yet:\n{findings}");
            let memory = Memory::of(&broker);
            let mut witness = Witness::of(&broker);
            (0..20).for_each(|_| witness.round());
            memory.assert_grew_less_than_mib(4);
            witness.end_with(broker);
            true
        }
        Err((exit, stderr)) => {
            assert_eq!(exit, 2, "{stderr}");
            assert_one_plain_sentence(&stderr, &["io_uring", "memory that may be locked", "LimitMEMLOCK="]);
            assert_eq!(code, Some(2), "it does not run with {kib} KiB, and yet:\n{findings}");
            assert!(findings.contains("memory that may be locked"), "{findings}");
            false
        }
    }
}

#[test]
fn without_locked_memory_it_works_for_root() {
    if !is_root() {
        return skip("this is about root, whose rings are not counted");
    }
    assert!(serves_with_locked_memory(|| Setup::cores(2), 0));
}

#[test]
fn with_little_locked_memory_it_works_or_says_so_for_a_user_without_rights() {
    if !is_root() {
        return skip("to become another user takes root");
    }
    // Whether rings are counted differs from kernel to kernel. Much is enough for all of them.
    for kib in [0, 64, 192, 448, 960] {
        serves_with_locked_memory(|| Setup::cores(2).user(NOBODY), kib);
    }
    assert!(serves_with_locked_memory(|| Setup::cores(2).user(NOBODY), 8 * 1024));
}
