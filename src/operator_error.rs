//! What whoever runs Lux got wrong, or what their machine lacks, said so that they can act on it.
//!
//! Always true: an [`OperatorError`] is one plain sentence of what is wrong and one of what to do, never
//! carries a secret, and ends the program with exit code 2.
//!
//! Read first: nothing; `cli/` prints these.

use std::fmt;

/// The exit code of every mistake in usage, configuration or surroundings.
pub const OPERATOR_EXIT_CODE: u8 = 2;

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorError {
    /// What is wrong, as a clause without a full stop.
    pub message: String,
    /// What to do, as a clause without a full stop.
    pub remedy: String,
}

impl OperatorError {
    /// Puts the two halves together.
    pub fn new(message: impl Into<String>, remedy: impl Into<String>) -> OperatorError {
        OperatorError { message: message.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

impl std::error::Error for OperatorError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_one_sentence() {
        let error = OperatorError::new("port 7373 is taken", "choose another with --listen");
        assert_eq!(error.to_string(), "port 7373 is taken; choose another with --listen");
    }
}
