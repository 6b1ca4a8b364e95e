//! The key file, changed while the broker runs: SIGHUP, revoked keys, keys that end.
//!
//! Always true: who still has a key notices nothing.
//!
//! Read first: `access/mod.rs`.

use nix::sys::signal::Signal;

use super::{add_key, broker_with_keys, revoke_key};
use crate::harness::{Broker, Events, Request, Viewer, get, put};

fn viewers_of(broker: &Broker, secret: &str, rest: &str) -> Vec<Viewer> {
    let bearer = format!("Bearer {secret}");
    (0..6).map(|_| Viewer::open_with(broker, rest, &[("authorization", &bearer)])).collect()
}

/// Asks until the key is refused: the file has been read by then, on the core that answered.
#[track_caller]
fn wait_for_status(broker: &Broker, request: &Request, status: u16) {
    let began = std::time::Instant::now();
    while broker.ask(request.clone()).status() != status {
        assert!(began.elapsed() < crate::harness::PATIENCE, "never {status}");
    }
}

fn revoked_viewers_are_closed(cores: usize) {
    let all: &[&str] = &["--read", "*", "--write", "*"];
    let (broker, home, secrets) = broker_with_keys(cores, &[("leaving", all), ("staying", all)]);
    let file = home.path().join("keys.toml");
    let [leaving, staying] = [&secrets[0], &secrets[1]];
    let mut gone = viewers_of(&broker, leaving, "/board");
    gone.extend(viewers_of(&broker, leaving, "?keys=board,other*"));
    let mut stay = viewers_of(&broker, staying, "/board");
    for viewer in gone.iter_mut().chain(&mut stay) {
        viewer.snapshot();
    }
    let stream = Request::new("GET", "/api/lux/stream/board").field("Accept", "text/event-stream");
    let mut events = Events::open_with(&broker, stream.bearer(leaving));

    revoke_key(&file, "leaving");
    let newcomer = add_key(&file, "newcomer", &["--read", "board"]);
    broker.signal(Signal::SIGHUP);

    for viewer in &mut gone {
        assert_eq!(viewer.closed(), 4401);
    }
    while events.next_block().is_some() {}
    wait_for_status(&broker, &get("board").bearer(leaving), 401);
    wait_for_status(&broker, &get("board").bearer(&newcomer), 404);
    broker.ask(put("board", "1").bearer(staying)).expect(201);
    for viewer in &mut stay {
        assert_eq!(viewer.record().data, "1", "who still has a key stays");
    }
    broker.ask(get("board")).expect(200);
    drop((stay, gone, events));
    broker.stop();
}

#[test]
fn revoked_viewers_are_closed_on_1_core() {
    revoked_viewers_are_closed(1);
}

#[test]
fn revoked_viewers_are_closed_on_2_cores() {
    revoked_viewers_are_closed(2);
}

#[test]
fn revoked_viewers_are_closed_on_4_cores() {
    revoked_viewers_are_closed(4);
}

/// The table is shorter afterwards, so whatever still asks for the last holder's grant asks past its end.
#[test]
fn the_last_key_of_the_file_may_be_revoked() {
    let all: &[&str] = &["--read", "*", "--write", "*"];
    let (broker, home, secrets) = broker_with_keys(2, &[("staying", all), ("leaving", all)]);
    let [staying, leaving] = [&secrets[0], &secrets[1]];
    let mut gone = viewers_of(&broker, leaving, "/board");
    let mut stay = viewers_of(&broker, staying, "/board");
    for viewer in gone.iter_mut().chain(&mut stay) {
        viewer.snapshot();
    }
    revoke_key(&home.path().join("keys.toml"), "leaving");
    broker.signal(Signal::SIGHUP);
    for viewer in &mut gone {
        assert_eq!(viewer.closed(), 4401);
    }
    broker.ask(put("board", "1").bearer(staying)).expect(201);
    for viewer in &mut stay {
        assert_eq!(viewer.record().data, "1", "who still has a key stays");
    }
    broker.stop();
}

#[test]
fn a_waiting_poll_of_a_revoked_key_gets_no_record() {
    let (broker, home, secrets) = broker_with_keys(2, &[("poller", &["--read", "*"])]);
    let etag = broker.ask(put("polled", "\"old\"")).etag();
    let mut polls = broker.connections(6);
    for poll in &mut polls {
        poll.send(&get("polled?wait=60").bearer(&secrets[0]).field("If-None-Match", &etag).bytes());
    }
    revoke_key(&home.path().join("keys.toml"), "poller");
    broker.signal(Signal::SIGHUP);
    for _ in 0..6 {
        wait_for_status(&broker, &get("polled").bearer(&secrets[0]), 401);
    }
    broker.ask(put("polled", "\"new\"")).expect(200);
    for poll in &mut polls {
        let answer = poll.answer();
        assert!(matches!(answer.status(), 401 | 403), "{}", answer.status());
    }
}

#[test]
fn a_key_file_that_is_broken_changes_nothing() {
    let (broker, home, secrets) = broker_with_keys(2, &[("wall", &["--read", "*"])]);
    let mut viewers = viewers_of(&broker, &secrets[0], "/board");
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    let file = home.path().join("keys.toml");
    std::fs::write(&file, "[[key]\nname = broken").unwrap();
    broker.signal(Signal::SIGHUP);
    broker.line_with("keys.toml");
    broker.ask(put("board", "1")).expect(201);
    for viewer in &mut viewers {
        assert_eq!(viewer.record().rev, 1);
    }
    broker.ask(get("board").bearer(&secrets[0])).expect(200);
}

#[test]
fn a_key_ends_when_it_expires() {
    let (broker, _home, secrets) = broker_with_keys(2, &[("brief", &["--read", "*", "--expires", "2s"])]);
    let mut viewers = viewers_of(&broker, &secrets[0], "/board");
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    broker.ask(get("board").bearer(&secrets[0])).trouble(404);
    wait_for_status(&broker, &get("board").bearer(&secrets[0]), 401);
    for viewer in &mut viewers {
        assert_eq!(viewer.closed(), 4401, "a key that has ended is gone");
    }
}

#[test]
fn two_keys_may_overlap_while_one_replaces_the_other() {
    let grant: &[&str] = &["--read", "board", "--write", "board"];
    let (broker, home, secrets) = broker_with_keys(2, &[("old", grant), ("new", grant)]);
    broker.ask(put("board", "1").bearer(&secrets[0])).expect(201);
    broker.ask(put("board", "2").bearer(&secrets[1])).expect(200);
    revoke_key(&home.path().join("keys.toml"), "old");
    broker.signal(Signal::SIGHUP);
    wait_for_status(&broker, &get("board").bearer(&secrets[0]), 401);
    broker.ask(put("board", "3").bearer(&secrets[1])).expect(200);
}
