//! The stream, as the contract numbers it: snapshot, `synced`, changes; `since`; pings and closes; SSE.
//!
//! Always true: viewers are opened several at a time, so that the kernel puts some of them on cores that do
//! not own the key; what is asserted holds for each of them.
//!
//! Read first: `harness/viewer.rs`.

mod control;
mod events;
mod pings;
mod several;
mod since;
mod single;
mod subscribe;

use crate::harness::{Broker, Viewer};

/// Enough viewers of the same thing to have some on each core.
#[track_caller]
fn viewers(broker: &Broker, rest: &str) -> Vec<Viewer> {
    (0..8).map(|_| Viewer::open(broker, rest)).collect()
}
