//! Limits on connections, and life without a descriptor left.
//!
//! Always true: whoever is connected is served as before; who is not is told, or waits.
//!
//! Read first: `limits/mod.rs`.

use std::time::Instant;

use crate::harness::{Broker, Http, PATIENCE, Request, Setup, Viewer, get, put};

fn health() -> Request {
    Request::new("GET", "/healthz")
}

/// Connects until it is served: the broker has to see first that others have left.
#[track_caller]
fn wait_for_room(broker: &Broker) {
    let began = Instant::now();
    loop {
        let mut next = broker.http();
        next.try_send(&health().bytes());
        if next.answer().status() == 200 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "no room again");
    }
}

#[test]
fn one_connection_too_many_gets_503() {
    let broker = Setup::cores(1).limit("connections", "4").start();
    let mut viewer = Viewer::open(&broker, "/board");
    viewer.snapshot();
    let mut connections = broker.connections(3);
    for connection in &mut connections {
        connection.ask(&health()).expect(200);
    }
    for _ in 0..5 {
        let mut late = broker.http();
        late.try_send(&health().bytes());
        let refused = late.answer();
        assert!(refused.head.says_close());
        refused.trouble(503).names(4);
        late.expect_end();
    }
    connections[0].ask(&put("board", "1")).expect(201);
    assert_eq!(viewer.record().data, "1");
    // Somebody leaves, and there is room again, as soon as the broker has seen it.
    drop(connections.pop());
    wait_for_room(&broker);
    drop(connections);
    drop(viewer);
    broker.stop();
}

#[test]
fn without_a_descriptor_left_nobody_is_dropped() {
    let broker = Setup::cores(2).descriptors(256).start();
    let mut viewer = Viewer::open(&broker, "/board");
    viewer.snapshot();
    let mut first = broker.http();
    let etag = first.ask(&put("clock", "1")).expect(201).etag();
    // Far more than there are descriptors; the kernel's backlog takes what the broker cannot.
    let mut crowd: Vec<Http> = (0..400).map(|_| broker.http()).collect();
    for connection in &mut crowd {
        connection.try_send(&health().bytes());
    }
    first.ask(&put("board", "1")).expect(201);
    assert_eq!(viewer.record().data, "1");
    // One second by the broker's own clock, in which it must not burn a whole processor.
    let before = broker.cpu_ticks();
    first.ask(&get("clock?wait=1").field("If-None-Match", &etag)).expect(304);
    let used = broker.cpu_ticks() - before;
    assert!(used < 50, "{used} ticks of processor time in a second of waiting");
    first.ask(&put("board", "2")).expect(200);
    assert_eq!(viewer.record().data, "2");
    drop(crowd);
    // Descriptors come back, so newcomers are served again.
    wait_for_room(&broker);
    broker.stop();
}
