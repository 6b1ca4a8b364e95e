//! Limits on connections. Life without a descriptor left is in `tests/host/descriptors.rs`.
//!
//! Always true: whoever is connected is served as before; who is not is told.
//!
//! Read first: `limits/mod.rs`.

use std::time::Instant;

use crate::harness::{Broker, PATIENCE, Request, Setup, Viewer, put};

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
