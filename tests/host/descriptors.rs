//! Descriptors: none left, taken away, and there again.
//!
//! Always true: whoever is connected is served as before; who is not waits in the kernel's queue, and is
//! served from there when there is room. The broker does not spin meanwhile, and does not fill the log.
//!
//! Read first: `help/witness.rs`.

use std::fs;
use std::process::Command;

use crate::harness::{Broker, Http, Request, Setup};
use crate::help::{
    Memory, Patience, Witness, has_answer, make_room_for_peers, wait_a_second, wait_until_served,
};

/// Of 100 a second, for a whole second with nothing to do but what the witness asks.
const TICKS_MAX: u64 = 50;

fn crowd(broker: &Broker, count: usize) -> Vec<Http> {
    let mut crowd: Vec<Http> = (0..count).map(|_| broker.http()).collect();
    for peer in &mut crowd {
        peer.try_send(&Request::new("GET", "/healthz").bytes());
    }
    crowd
}

/// Reads the answers of those who have one, until this many have had one.
#[track_caller]
fn served(crowd: &mut Vec<Http>, count: usize) -> Vec<Http> {
    let (mut served, patience) = (Vec::new(), Patience::begin());
    while served.len() < count {
        let ready: Vec<Http> = crowd.extract_if(.., |peer| has_answer(peer)).collect();
        for mut peer in ready {
            peer.answer().expect(200);
            served.push(peer);
        }
        patience.check("not everybody was served whom there is room for");
    }
    served
}

/// A second in which the broker has nothing to do: it must not use the processor for it.
#[track_caller]
fn assert_rests(broker: &Broker, asker: &mut Http) {
    let before = broker.cpu_ticks();
    wait_a_second(asker, "clock");
    let used = broker.cpu_ticks() - before;
    assert!(used < TICKS_MAX, "{used} ticks of processor time in a second of waiting");
}

#[test]
fn with_none_left_nobody_is_dropped_and_newcomers_wait() {
    make_room_for_peers();
    let broker = Setup::cores(2).descriptors(256).start();
    let memory = Memory::of(&broker);
    let mut witness = Witness::of(&broker);
    let mut asker = broker.http();
    wait_a_second(&mut asker, "clock");
    // Far more than there are descriptors; the kernel's queue takes what the broker cannot.
    let mut waiting = crowd(&broker, 400);
    let mut inside = witness.during(|| served(&mut waiting, 100)).0;
    assert_rests(&broker, &mut asker);
    witness.round();
    assert!(waiting.len() > 100, "else there were descriptors for all: {} wait", waiting.len());
    // As some leave, those who wait are served, down to the last.
    while !waiting.is_empty() {
        drop(inside);
        let some = waiting.len().min(50);
        inside = witness.during(|| served(&mut waiting, some)).0;
    }
    drop(inside);
    wait_until_served(&broker);
    memory.assert_grew_less_than_mib(6);
    witness.end_with(broker);
}

/// While the kernel makes its table of descriptors larger, a broker of several threads serves nobody.
#[test]
fn the_table_of_them_has_its_final_size_before_anybody_comes() {
    let table = |setup: Setup| -> usize {
        let broker = setup.start();
        broker.http().ask(&Request::new("GET", "/healthz")).expect(200);
        let status = fs::read_to_string(format!("/proc/{}/status", broker.pid())).expect("it runs");
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("the kernel tells");
        size.trim().parse().expect("a number")
    };
    assert!(table(Setup::cores(2).descriptors(4_096)) >= 4_096, "as many as there may be");
    let few = table(Setup::cores(2).descriptors(4_096).limit("connections", "100"));
    assert!((256..1_024).contains(&few), "{few} for 200 connections");
}

/// Sets the limit of a process that runs.
fn limit_descriptors(broker: &Broker, soft: usize) {
    let arguments = [format!("--pid={}", broker.pid()), format!("--nofile={soft}:")];
    let status = Command::new("prlimit").args(arguments).status().expect("prlimit runs");
    assert!(status.success());
}

#[test]
fn when_they_are_taken_away_under_it_it_waits_and_says_so_once() {
    make_room_for_peers();
    let broker = Setup::cores(2).descriptors(4_096).start();
    let memory = Memory::of(&broker);
    let mut witness = Witness::of(&broker);
    let mut asker = broker.http();
    wait_a_second(&mut asker, "clock");
    let open = fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("it runs").count();
    limit_descriptors(&broker, open);
    // None of them can be let in, whatever the broker believed that there was room for.
    let mut waiting = crowd(&broker, 200);
    witness.during(|| broker.line_with("no connection could be accepted"));
    for _ in 0..3 {
        assert_rests(&broker, &mut asker);
        witness.round();
    }
    let warnings = broker.stderr().matches("no connection could be accepted").count();
    assert!(warnings <= 4, "said {warnings} times in three seconds by two cores");
    assert!(waiting.extract_if(.., |peer| has_answer(peer)).count() < 100, "nobody can be let in");
    limit_descriptors(&broker, 4_096);
    let count = waiting.len();
    witness.during(|| served(&mut waiting, count));
    wait_until_served(&broker);
    memory.assert_grew_less_than_mib(6);
    witness.end_with(broker);
}
