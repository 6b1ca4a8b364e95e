//! Who asks, from where, how often, and how much memory it may take: what keeps one peer from harming others.
//!
//! Always true: nothing in here asks the time; a table of addresses or names never grows past those who are
//! connected and a fixed number beside them. What is not asked for costs a comparison.
//!
//! Read first: `rate.rs`, `address.rs`; then `tally.rs`, `memory.rs`. What is written about requests is
//! `visit.rs`.

pub mod address;
pub mod forwarded;
pub mod memory;
pub mod rate;
pub mod tally;
pub mod visit;

use std::cell::RefCell;

use compact_str::CompactString;

use crate::access::Holder;
use crate::guard::address::Address;
use crate::guard::forwarded::Proxies;
use crate::guard::rate::Rate;
use crate::guard::tally::Tally;
use crate::time::Now;
use crate::wire::WireError;

/// What a core knows of whom it reads at this moment, and what it counts of API keys.
#[derive(Default)]
pub struct Guard {
    /// Whose word about others is believed.
    pub proxies: Proxies,
    /// Something is written about every request.
    pub keeps_log: bool,
    /// The other end of the connection that is being read; known where somebody wants to know.
    pub caller: Option<Address>,
    /// When what is being read arrived, in microseconds of the runtime's clock.
    pub clock_us: u64,
    /// Bytes that bodies may still take before the memory mark.
    pub room_bytes: usize,
    /// Who the request being read was found to come from.
    pub holder: RefCell<Option<Holder>>,
    writes: RefCell<Tally<CompactString>>,
}

impl Guard {
    /// One more write by the API key of this name.
    ///
    /// # Errors
    /// [`WireError::WritesTooFast`] where that is more than `rate`.
    pub fn count_write(&self, name: &str, rate: Rate, now: Now) -> Result<(), WireError> {
        if rate.is_unbounded() || self.writes.borrow_mut().take(&CompactString::from(name), rate, now) {
            return Ok(());
        }
        Err(WireError::WritesTooFast("this API key", rate.per_second()))
    }

    /// API keys that were counted of late.
    pub fn names(&self) -> usize {
        self.writes.borrow().len()
    }
}
