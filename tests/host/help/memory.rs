//! A bound on the broker's memory.
//!
//! Always true: it is the peak that is bounded, not what is left when everything is over.
//!
//! Read first: nothing.

use crate::harness::Broker;

/// What was resident when something began.
pub struct Memory<'b> {
    broker: &'b Broker,
    before_kib: usize,
}

impl<'b> Memory<'b> {
    /// Looks at it before.
    pub fn of(broker: &'b Broker) -> Memory<'b> {
        // So that the peak of what was before does not hide that of what comes.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", broker.pid()), "5");
        Memory { broker, before_kib: broker.resident_kib() }
    }

    /// Checks that it never took more than so many MiB beside what there was.
    #[track_caller]
    pub fn assert_grew_less_than_mib(&self, most: usize) {
        let grown_kib = self.broker.peak_resident_kib().saturating_sub(self.before_kib);
        if std::env::var_os("LUX_SHOW_FIGURES").is_some() {
            eprintln!("memory: {} KiB before, grew by {grown_kib} KiB", self.before_kib);
        }
        assert!(grown_kib < most * 1024, "the broker grew by {grown_kib} KiB; {most} MiB were expected");
    }
}
