//! What one API key may read and write.
//!
//! Always true: a pattern is granted only if **one** granted pattern covers all of it. Two that cover it
//! between them do not count, since keys yet to come belong to it as well.
//!
//! Read first: `key.rs`.

use crate::key::{Key, Pattern};

/// The patterns that one API key may read, and those it may write.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Grant {
    /// May be read: got, listed, watched.
    pub read: Vec<Pattern>,
    /// May be written: put, patched, deleted.
    pub write: Vec<Pattern>,
}

impl Grant {
    /// Read and write on everything.
    pub fn all() -> Grant {
        Grant { read: vec![Pattern::ALL], write: vec![Pattern::ALL] }
    }

    /// Whether all that the pattern can ever name may be read.
    pub fn may_read(&self, pattern: &Pattern) -> bool {
        self.read.iter().any(|granted| granted.covers(pattern))
    }

    /// Whether this key may be written.
    pub fn may_write(&self, key: &Key) -> bool {
        self.write.iter().any(|granted| granted.matches(key.as_str()))
    }

    /// Whether it grants nothing at all.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.write.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn watching_a_prefix_needs_one_pattern_that_covers_it() {
        let grant =
            Grant { read: vec![pattern("device-1*"), pattern("device-2"), pattern("job-*")], write: vec![] };
        for (asked, may) in [
            ("device-1*", true),
            ("device-17", true),
            ("device-2", true),
            ("device-2*", false),
            ("device-*", false),
            ("job-import-*", true),
            ("*", false),
        ] {
            assert_eq!(grant.may_read(&pattern(asked)), may, "{asked}");
        }
    }

    #[test]
    fn reading_and_writing_are_apart() {
        let grant = Grant { read: vec![pattern("a")], write: vec![pattern("b*")] };
        let key = |text: &str| Key::parse(text.as_bytes()).unwrap();
        assert!(!grant.may_write(&key("a")) && grant.may_write(&key("b7")));
        assert!(!grant.may_read(&pattern("b7")));
        assert!(Grant::default().is_empty() && !grant.is_empty());
    }
}
