//! What every test of the real binary stands on: a broker that runs, and clients that share nothing with it.
//!
//! Always true: nothing here uses the broker's own code, so an error in it cannot hide itself; every read
//! has a deadline, and no test sleeps.
//!
//! Read first: `broker.rs`, then `http.rs`.

pub mod answer;
pub mod broker;
pub mod events;
pub mod http;
pub mod process;
pub mod record;
pub mod request;
pub mod shared;
pub mod socket;
pub mod viewer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use answer::Answer;
pub use broker::{Broker, Setup};
pub use events::Events;
pub use http::Http;
pub use process::run_lux;
pub use record::{Record, Synced, Trouble};
pub use request::{Request, delete, get, list, patch, put};
pub use shared::shared;
pub use socket::{RawSocket, frame};
pub use viewer::{Seen, Viewer};

/// How long any single thing may take before a test gives up: far more than it needs on a busy machine, and
/// less than the 20 s between two pings, so that these do not keep a vain wait alive.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The key that may do everything; every broker here gets it from its environment.
pub const API_KEY: &str = "key-of-the-tests-0123456789";

/// A key name that no other test uses, nor begins one of another's.
pub fn fresh(name: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}-{:05}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `count` key names under one prefix that no other test uses, in bytewise order: enough of them to have
/// some on each core.
pub fn fresh_keys(name: &str, count: usize) -> Vec<String> {
    let stem = fresh(name);
    (0..count).map(|at| format!("{stem}.{at:04}")).collect()
}

/// What all of some `fresh_keys` begin with, and no other key.
pub fn prefix_of(keys: &[String]) -> &str {
    let last_dot = keys[0].rfind('.').expect("a name out of `fresh_keys`");
    &keys[0][..=last_dot]
}

/// Random bits that are the same for the same seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}
