//! The moment at which the demo ends, for everybody who waits for it.
//!
//! Always true: once it has come it stays; whoever waits is woken at once.
//!
//! Read first: nothing.

use std::pin::pin;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::select;
use tokio::signal::unix::{SignalKind, signal};

use crate::operator_error::OperatorError;

/// Whether the demo has ended.
#[derive(Default)]
pub struct Stop {
    has_come: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Ends the demo.
    pub fn set(&self) {
        *self.has_come.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for the end, but not longer than this if a time is given; true if it has come.
    pub fn wait(&self, at_most: Option<Duration>) -> bool {
        let until = at_most.map(|span| Instant::now() + span);
        let mut has_come = self.has_come.lock().unwrap_or_else(PoisonError::into_inner);
        while !*has_come {
            let Some(until) = until else {
                has_come = self.changed.wait(has_come).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            has_come = self.changed.wait_timeout(has_come, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Sets it on Ctrl-C and SIGTERM. The thread lives as long as the process.
///
/// # Errors
/// The system gives no thread or no descriptor.
pub fn on_signals(stop: &'static Stop) -> Result<(), OperatorError> {
    let cannot = |error: std::io::Error| {
        OperatorError::new(
            format!("signals cannot be waited for ({error})"),
            "raise `ulimit -n` and `ulimit -u`",
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let listen = async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        select(pin!(interrupt.recv()), pin!(terminate.recv())).await;
        stop.set();
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .map_err(cannot)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_woken() {
        let stop = Stop::default();
        assert!(!stop.wait(Some(Duration::from_millis(1))));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| stop.wait(None));
            stop.set();
            assert!(waiter.join().unwrap());
        });
        assert!(stop.wait(Some(Duration::ZERO)), "it stays");
    }
}
