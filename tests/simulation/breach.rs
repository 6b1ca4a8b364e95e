//! A promise that was not kept.
//!
//! Always true: it names the promise in the contract's words, so that a reader knows what a user would miss.
//!
//! Read first: nothing.

use std::fmt;

/// What was promised, and what happened instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The promise.
    pub promise: &'static str,
    /// What happened.
    pub what: String,
}

/// Nothing, or a promise that was not kept.
pub type Kept<T = ()> = Result<T, Breach>;

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}

/// A breach, unless the condition holds.
pub fn hold(condition: bool, promise: &'static str, what: impl FnOnce() -> String) -> Kept {
    match condition {
        true => Ok(()),
        false => Err(Breach { promise, what: what() }),
    }
}

/// A breach.
pub fn breach<T>(promise: &'static str, what: impl Into<String>) -> Kept<T> {
    Err(Breach { promise, what: what.into() })
}
