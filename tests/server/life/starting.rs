//! Starting: ports, cores, epochs.
//!
//! Always true: what says `listening on` answers there, on every core.
//!
//! Read first: `life/mod.rs`.

use std::net::TcpListener;

use crate::harness::{Request, Setup, Viewer, get, put};

#[track_caller]
fn assert_one_plain_sentence(code: i32, stderr: &str, names: &str) {
    assert_eq!(code, 2, "{stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!((1..=3).contains(&lines.len()), "short: {stderr}");
    assert!(stderr.contains(names), "it names {names}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("Os {"), "plain: {stderr}");
}

#[test]
fn a_port_that_another_broker_holds_is_an_error() {
    let first = Setup::cores(2).start();
    for cores in [1, 2, 4] {
        let (code, stderr) = Setup::cores(cores).listen(first.address).start_refused();
        assert_one_plain_sentence(code, &stderr, &first.address.port().to_string());
    }
    for mut connection in first.connections(8) {
        connection.ask(&Request::new("GET", "/readyz")).expect(200);
    }
    first.stop();
}

#[test]
fn a_port_that_any_process_holds_is_an_error() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let (code, stderr) = Setup::cores(2).listen(address).start_refused();
    assert_one_plain_sentence(code, &stderr, &address.port().to_string());
}

#[test]
fn a_port_that_was_held_until_now_is_free_again() {
    let first = Setup::cores(2).start();
    let address = first.address;
    let mut viewer = Viewer::open(&first, "/board");
    viewer.snapshot();
    first.ask(put("board", "1")).expect(201);
    drop(viewer);
    first.stop();
    let second = Setup::cores(2).listen(address).start();
    assert_eq!(second.address, address);
    second.ask(get("board")).trouble(404);
    second.stop();
}

#[test]
fn a_port_whose_broker_was_killed_is_free_again() {
    let mut address = Setup::cores(2).start().address;
    for _ in 0..8 {
        // Dropped, and so killed, while a connection is open: the kernel lets go of the port a little later.
        let broker = Setup::cores(2).listen(address).start();
        let mut open = broker.http();
        open.ask(&put("board", "1")).expect(201);
        address = broker.address;
    }
}

#[test]
fn more_loops_than_the_machine_has_cores_are_fine() {
    let broker = Setup::cores(9).start();
    for (at, mut connection) in broker.connections(40).into_iter().enumerate() {
        connection.ask(&put(&format!("k{at}"), "1")).expect(201);
    }
    assert_eq!(Viewer::open(&broker, "/k*").snapshot().0.len(), 40);
    broker.stop();
}

#[test]
fn a_restart_in_memory_alone_begins_a_new_epoch() {
    let home = tempfile::tempdir().unwrap();
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let broker = Setup::cores(2).state_dir(home.path()).args(&["--memory-only"]).start();
        let mut viewer = Viewer::open(&broker, "/board");
        let (records, synced) = viewer.snapshot();
        assert_eq!(records[0].rev, 0, "states are kept in memory only");
        let etag = broker.ask(put("board", "1")).expect(201).etag();
        assert_eq!(etag, format!("\"{}.1\"", synced.epoch));
        epochs.push(synced.epoch);
        drop(viewer);
        broker.stop();
    }
    epochs.sort();
    epochs.dedup();
    assert_eq!(epochs.len(), 3, "else a revision could mean two states: {epochs:?}");
}

#[test]
fn a_viewer_with_a_since_of_an_earlier_life_gets_the_whole_snapshot() {
    let first = Setup::cores(2).start();
    let known = first.ask(put("board", "\"before\"")).etag();
    first.stop();
    let second = Setup::cores(2).start();
    second.ask(put("board", "\"after\"")).expect(201);
    let mut viewer = Viewer::open(&second, &format!("/board?since={}", known.trim_matches('"')));
    assert_eq!(viewer.record().data, "\"after\"");
    second.ask(get("board").field("If-None-Match", &known)).expect(200);
    second.ask(put("board", "1").field("If-Match", &known)).expect(412);
    drop(viewer);
    second.stop();
}
