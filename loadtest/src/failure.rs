//! What ends a run before its time.
//!
//! Always true: the message says what was attempted, so that it can stand alone on a screen.
//!
//! Read first: nothing.

use std::fmt;

/// Why a run could not be done. What happens *during* a run is counted, not raised.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure in plain words.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }

    /// For `map_err`: what was attempted, then what the system said.
    pub fn of<E: fmt::Display>(attempt: impl fmt::Display) -> impl FnOnce(E) -> Failure {
        move |error| Failure(format!("{attempt}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
