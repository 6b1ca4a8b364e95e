//! Changes as lines for a script, one each; what the connection does goes to standard error.
//!
//! Always true: a line is the record as the broker sent it, or its state alone. Only of a key that went away
//! unseen is the line ours, and it has no revision, since nobody told us one.
//!
//! Read first: `session.rs`.

use super::super::failure::Failure;
use super::super::output;
use super::frame::Record;

/// Prints lines.
pub struct Plain {
    /// Only the state, without key, rev and updatedAt.
    pub only_data: bool,
}

impl Plain {
    /// A state, or its deletion.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn record(&self, record: &Record) -> Result<(), Failure> {
        output::line(if self.only_data { &record.data } else { &record.text })
    }

    /// A key that went away while there was no connection.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn gone(&self, key: &str) -> Result<(), Failure> {
        output::line(&self.gone_line(key))
    }

    /// What the connection does.
    pub fn status(&self, text: &str) {
        eprintln!("lux: {text}");
    }

    fn gone_line(&self, key: &str) -> String {
        if self.only_data {
            return "null".to_owned();
        }
        // A key has no character that JSON would escape.
        format!("{{\"key\":\"{key}\",\"data\":null,\"deleted\":true}}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, parse};
    use super::*;

    #[test]
    fn a_line_of_ours_is_a_deletion_as_well() {
        let line = Plain { only_data: false }.gone_line("a");
        assert!(matches!(parse(&line), Some(Frame::Record(Record { deleted: true, rev: 0, .. }))));
    }
}
