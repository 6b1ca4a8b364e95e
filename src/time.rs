//! Time as the pure half knows it: a reading that is handed in, never a clock that is asked.
//!
//! Always true: `monotonic_ms` never goes back; `wall_ms` may, and whoever stamps a record copes.
//!
//! Read first: `lib.rs`.

/// One reading of both clocks, taken by the runtime once per turn of its loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the process began; for deadlines.
    pub monotonic_ms: u64,
    /// Unix milliseconds; for `updatedAt`, `Date` and the expiry of keys.
    pub wall_ms: u64,
}

impl Now {
    /// The deadline this many milliseconds from now.
    pub fn after(self, ms: u64) -> Deadline {
        Deadline(self.monotonic_ms.saturating_add(ms))
    }

    /// Whether `deadline` has come.
    pub fn reached(self, deadline: Deadline) -> bool {
        self.monotonic_ms >= deadline.0
    }
}

/// A point on the monotonic clock, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub u64);

impl Deadline {
    /// Further away than any run of the process.
    pub const NEVER: Deadline = Deadline(u64::MAX);
}
