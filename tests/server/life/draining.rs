//! Stopping: SIGTERM and SIGINT.
//!
//! Always true: viewers are closed with 1012, so that they come back; requests begun are answered; then the
//! exit code is 0.
//!
//! Read first: `life/mod.rs`.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{Broker, Events, Http, PATIENCE, Request, Setup, Viewer, get, put};

fn viewers(broker: &Broker) -> Vec<Viewer> {
    let mut viewers: Vec<Viewer> = (0..8).map(|_| Viewer::open(broker, "/board")).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    viewers
}

fn viewers_are_told(cores: usize, signal: Signal) {
    let broker = Setup::cores(cores).start();
    broker.ask(put("board", "1")).expect(201);
    let mut viewers = viewers(&broker);
    let mut events: Vec<Events> = (0..4).map(|_| Events::open(&broker, "/board")).collect();
    let began = Instant::now();
    broker.signal(signal);
    for viewer in &mut viewers {
        assert_eq!(viewer.closed(), 1012);
    }
    for stream in &mut events {
        while stream.next_block().is_some() {}
    }
    // Who has heard the end closes too; else the broker lingers for a while.
    drop((viewers, events));
    let (code, stderr) = broker.ended();
    assert_eq!(code, 0, "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(4), "nobody was left to wait for: {:?}", began.elapsed());
}

#[test]
fn viewers_are_closed_with_1012_on_sigterm() {
    for cores in [1, 2, 4] {
        viewers_are_told(cores, Signal::SIGTERM);
    }
}

#[test]
fn viewers_are_closed_with_1012_on_sigint() {
    viewers_are_told(2, Signal::SIGINT);
}

#[test]
fn waiting_polls_are_answered() {
    for cores in [1, 2, 4] {
        let broker = Setup::cores(cores).start();
        let etag = broker.ask(put("board", "1")).expect(201).etag();
        let mut polls = broker.connections(8);
        for poll in &mut polls {
            // The answer to the first request shows that the poll behind it has been read.
            let wait = get("board?wait=60").field("If-None-Match", &etag);
            poll.send(&[get("board").bytes(), wait.bytes()].concat());
            poll.answer().expect(200);
        }
        broker.signal(Signal::SIGTERM);
        for poll in &mut polls {
            let status = poll.answer().status();
            assert!(matches!(status, 304 | 503), "{status}");
            poll.expect_end();
        }
        drop(polls);
        assert_eq!(broker.ended().0, 0);
    }
}

#[test]
fn a_request_begun_is_answered() {
    for cores in [1, 2] {
        let broker = Setup::cores(cores).start();
        let mut viewer = Viewer::open(&broker, "/board");
        viewer.snapshot();
        let mut begun = broker.connections(6);
        for (at, connection) in begun.iter_mut().enumerate() {
            let request = put(&format!("begun-{at}"), "1");
            // As above: the head has been read once the request before it is answered.
            connection.send(&[get("nothing").bytes(), request.head_bytes()].concat());
            connection.answer().expect(404);
        }
        broker.signal(Signal::SIGTERM);
        assert_eq!(viewer.closed(), 1012);
        for (at, connection) in begun.iter_mut().enumerate() {
            connection.send(put(&format!("begun-{at}"), "1").body_bytes());
            let answer = connection.answer().expect(201);
            assert!(answer.head.says_close(), "no further request will be taken");
            connection.expect_end();
        }
        drop((begun, viewer));
        assert_eq!(broker.ended().0, 0);
    }
}

#[test]
fn a_request_that_never_ends_is_not_waited_for_for_ever() {
    let broker = Setup::cores(2).limit("drain", "300ms").start();
    let mut begun = broker.connections(4);
    for connection in &mut begun {
        connection.send(&[get("nothing").bytes(), put("begun", "1").head_bytes()].concat());
        connection.answer().expect(404);
    }
    let began = Instant::now();
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.ended().0, 0);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

/// Asks on the open connection until the broker says that it stops. A core hears of it in its own time.
#[track_caller]
fn wait_for_503(connection: &mut Http) {
    let began = Instant::now();
    while connection.ask(&Request::new("GET", "/readyz").anonymous()).status() != 503 {
        assert!(began.elapsed() < PATIENCE, "still ready");
    }
}

#[test]
fn open_connections_hear_that_the_broker_is_not_ready() {
    for cores in [1, 2, 4] {
        let broker = Setup::cores(cores).start();
        let mut holding = broker.http();
        holding.send(&[get("nothing").bytes(), put("held", "1").head_bytes()].concat());
        holding.answer().expect(404);
        let mut open = broker.connections(6);
        for connection in &mut open {
            connection.ask(&Request::new("GET", "/readyz")).expect(200);
            // A request that is begun keeps its connection, whatever happens to idle ones.
            let ask = Request::new("GET", "/readyz").bytes();
            connection.send(&ask[..ask.len() - 2]);
        }
        let mut viewers = viewers(&broker);
        broker.signal(Signal::SIGTERM);
        for viewer in &mut viewers {
            assert_eq!(viewer.closed(), 1012);
        }
        wait_until_refused(&broker);
        for connection in &mut open {
            connection.send(b"\r\n");
            connection.answer().trouble(503);
        }
        holding.send(put("held", "1").body_bytes());
        holding.answer().expect(201);
        drop((open, viewers, holding));
        assert_eq!(broker.ended().0, 0);
    }
}

#[test]
fn a_new_write_is_refused_where_states_end_with_the_process() {
    let broker = Setup::cores(1).args(&["--memory-only"]).start();
    let mut holding = broker.http();
    holding.send(&[get("nothing").bytes(), put("held", "1").head_bytes()].concat());
    holding.answer().expect(404);
    let mut writer = broker.http();
    writer.ask(&put("board", "1")).expect(201);
    let late = put("board", "2").bytes();
    writer.send(&late[..10]);
    broker.signal(Signal::SIGTERM);
    wait_until_refused(&broker);
    writer.send(&late[10..]);
    writer.answer().trouble(503);
    holding.send(put("held", "1").body_bytes());
    holding.answer().expect(201);
    assert_eq!(broker.ended().0, 0);
}

#[test]
fn an_idle_connection_may_still_ask_whether_the_broker_is_ready() {
    let broker = Setup::cores(1).start();
    let mut holding = broker.http();
    holding.send(&[get("nothing").bytes(), put("held", "1").head_bytes()].concat());
    holding.answer().expect(404);
    let mut idle = broker.http();
    idle.ask(&Request::new("GET", "/readyz")).expect(200);
    broker.signal(Signal::SIGTERM);
    wait_for_503(&mut idle);
    holding.send(put("held", "1").body_bytes());
    holding.answer().expect(201);
    drop((holding, idle));
    assert_eq!(broker.ended().0, 0);
}

/// Connects until nobody listens any more.
#[track_caller]
fn wait_until_refused(broker: &Broker) {
    let began = Instant::now();
    while TcpStream::connect(broker.address).is_ok() {
        assert!(began.elapsed() < PATIENCE, "still listening");
    }
}

#[test]
fn no_new_connections_are_taken() {
    let broker = Setup::cores(2).start();
    let mut holding = broker.http();
    holding.send(&[get("nothing").bytes(), put("held", "1").head_bytes()].concat());
    holding.answer().expect(404);
    broker.signal(Signal::SIGTERM);
    wait_until_refused(&broker);
    holding.send(put("held", "1").body_bytes());
    holding.answer().expect(201);
    drop(holding);
    assert_eq!(broker.ended().0, 0);
}

#[test]
fn a_viewer_that_reads_nothing_does_not_hold_up_the_end() {
    let broker = Setup::cores(2).limit("drain", "500ms").start();
    let mut sleepers = viewers(&broker);
    let state = format!("\"{}\"", "x".repeat(200_000));
    for _ in 0..60 {
        broker.ask(put("board", &state));
    }
    let began = Instant::now();
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.ended().0, 0);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    for viewer in &mut sleepers {
        let code = viewer.closed();
        assert!(matches!(code, 1012 | 1006), "{code}");
    }
}

#[test]
fn a_stop_under_load_cuts_no_answer_in_half() {
    for cores in [1, 2, 4] {
        let broker = Setup::cores(cores).start();
        let mut viewer = Viewer::open(&broker, "/load");
        viewer.snapshot();
        let mut producers = broker.connections(6);
        for producer in &mut producers {
            let bytes: Vec<u8> = (0..200).flat_map(|n| put("load", &n.to_string()).bytes()).collect();
            producer.send(&bytes);
        }
        for producer in &mut producers {
            producer.answer();
        }
        broker.signal(Signal::SIGTERM);
        for producer in &mut producers {
            // What comes is whole answers; then the end.
            let mut answers = 1;
            while answers < 200 && producer.peek_some().is_some() {
                producer.answer();
                answers += 1;
            }
        }
        assert_eq!(viewer.closed(), 1012);
        drop((producers, viewer));
        assert_eq!(broker.ended().0, 0);
    }
}
