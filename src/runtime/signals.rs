//! The signals that the broker obeys, read like a file.
//!
//! Always true: they reach no thread by surprise; whoever waits for them gets each, or learns that its time
//! is over.
//!
//! Read first: `runtime/mod.rs`.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::operator_error::OperatorError;

/// SIGTERM, SIGINT and SIGHUP of this process.
pub struct Signals(SignalFd);

impl Signals {
    /// Takes them. Threads that are started after this do not see them either.
    ///
    /// # Errors
    /// The kernel refuses, which it has no reason to.
    pub fn take() -> Result<Signals, OperatorError> {
        let set: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
        let refuse = |error| OperatorError::new(format!("signals cannot be taken: {error}"), "report this");
        set.thread_block().map_err(refuse)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map(Signals)
            .map_err(refuse)
    }

    /// The next one; none when `patience` has ended before.
    pub fn wait(&self, patience: Option<Duration>) -> Option<Signal> {
        let timeout = patience
            .map_or(PollTimeout::NONE, |time| PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX));
        let mut waiting = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        // An interrupted wait is one whose time was shorter.
        poll(&mut waiting, timeout).ok()?;
        let number = self.0.read_signal().ok()??.ssi_signo;
        Signal::try_from(number as i32).ok()
    }

    /// Waits until the process is told to end.
    pub fn wait_for_end(&self) {
        while !self.wait(None).is_some_and(is_end) {}
    }
}

/// Whether this signal ends the broker; SIGHUP does not.
pub fn is_end(signal: Signal) -> bool {
    matches!(signal, Signal::SIGTERM | Signal::SIGINT)
}
