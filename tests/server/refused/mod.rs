//! What bad input gets: its status, a body that says what is wrong, and nobody else harmed.
//!
//! Always true: after each of these checks the same broker serves the next request.
//!
//! Read first: `harness/mod.rs`.

mod bodies;
mod heads;
mod keys;
mod sockets;

use crate::harness::{Broker, fresh, get, put};

/// Checks that others are served as if nothing had happened.
#[track_caller]
fn assert_others_go_on(broker: &Broker) {
    let key = fresh("others");
    broker.ask(put(&key, "1")).expect(201);
    broker.ask(get(&key)).expect(200);
}
