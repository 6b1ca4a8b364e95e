//! Keys and the patterns that name several of them.
//!
//! Always true: a [`Key`] obeys the contract's alphabet and length and is not reserved; a [`Pattern`] is
//! one key, or a prefix written with a `*` at its end.
//!
//! Read first: `lib.rs`.

use std::borrow::Borrow;
use std::fmt;

use compact_str::CompactString;

use crate::limits::KEY_BYTES_MAX;

/// The name of one state: 1–128 of `A–Z a–z 0–9 . _ ~ : -`; not `stream`, `.`, `..`, nor beginning with `_`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key(CompactString);

/// What is watched, granted or listed: one key, or every key that begins so.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Pattern {
    /// Exactly this key.
    Exact(Key),
    /// Every key with this prefix, those yet to come included; the empty one is every key.
    Prefix(CompactString),
}

/// Why some bytes are no key or no pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// No character at all.
    Empty,
    /// More than [`KEY_BYTES_MAX`] characters.
    TooLong,
    /// A character outside the alphabet.
    Character,
    /// A name the broker keeps for itself.
    Reserved,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Empty => write!(f, "a key has at least one character"),
            KeyError::TooLong => write!(f, "a key has at most {KEY_BYTES_MAX} characters"),
            KeyError::Character => write!(f, "a key is made of A-Z a-z 0-9 . _ ~ : - and nothing else"),
            KeyError::Reserved => {
                write!(
                    f,
                    "`stream`, `.`, `..` and names that begin with `_` are reserved; choose another key"
                )
            }
        }
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// Takes percent-decoded bytes as a key.
    pub fn parse(bytes: &[u8]) -> Result<Key, KeyError> {
        let text = check_alphabet(bytes)?;
        match text {
            "" => Err(KeyError::Empty),
            "stream" | "." | ".." => Err(KeyError::Reserved),
            _ if text.starts_with('_') => Err(KeyError::Reserved),
            _ => Ok(Key(CompactString::new(text))),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Every key.
    pub const ALL: Pattern = Pattern::Prefix(CompactString::const_new(""));

    /// Takes percent-decoded bytes as a pattern: a key, or a prefix that ends in `*`.
    pub fn parse(bytes: &[u8]) -> Result<Pattern, KeyError> {
        match bytes.strip_suffix(b"*") {
            Some(prefix) => Ok(Pattern::Prefix(CompactString::new(check_alphabet(prefix)?))),
            None => Key::parse(bytes).map(Pattern::Exact),
        }
    }

    /// Whether this key is among what the pattern names.
    pub fn matches(&self, key: &str) -> bool {
        match self {
            Pattern::Exact(own) => own.as_str() == key,
            Pattern::Prefix(prefix) => key.starts_with(prefix.as_str()),
        }
    }

    /// Whether there can be a key that both name.
    pub fn meets(&self, other: &Pattern) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// Whether every key that `other` can ever name is among what this pattern names.
    pub fn covers(&self, other: &Pattern) -> bool {
        match (self, other) {
            (_, Pattern::Exact(key)) => self.matches(key.as_str()),
            (Pattern::Exact(_), Pattern::Prefix(_)) => false,
            (Pattern::Prefix(own), Pattern::Prefix(narrower)) => narrower.starts_with(own.as_str()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(key) => f.write_str(key.as_str()),
            Pattern::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

fn check_alphabet(bytes: &[u8]) -> Result<&str, KeyError> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b':' | b'-');
    if !bytes.iter().all(allowed) {
        return Err(KeyError::Character);
    }
    if bytes.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    std::str::from_utf8(bytes).map_err(|_| KeyError::Character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn keys_of_the_contract_are_keys() {
        for text in ["dashboard-main", "a", "A.b_c~d:e-9", "...", "streams", "a_", &"k".repeat(128)] {
            assert_eq!(Key::parse(text.as_bytes()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn everything_else_is_refused_for_its_own_reason() {
        for (bytes, why) in [
            (&b""[..], KeyError::Empty),
            (b"stream", KeyError::Reserved),
            (b".", KeyError::Reserved),
            (b"..", KeyError::Reserved),
            (b"_token", KeyError::Reserved),
            (b"a/b", KeyError::Character),
            (b"a\0", KeyError::Character),
            (b"caf\xc3\xa9", KeyError::Character),
            (b"a*", KeyError::Character),
            (&[b'k'; 129], KeyError::TooLong),
        ] {
            assert_eq!(Key::parse(bytes), Err(why), "{bytes:?}");
        }
    }

    #[test]
    fn a_pattern_names_what_it_says() {
        assert!(pattern("device-*").matches("device-"));
        assert!(pattern("device-*").matches("device-17"));
        assert!(!pattern("device-*").matches("devic"));
        assert!(pattern("*").matches("anything"));
        assert!(pattern("a").matches("a") && !pattern("a").matches("ab"));
        assert!(Pattern::parse(b"a*b").is_err() && Pattern::parse(b"**").is_err());
    }

    #[test]
    fn covering_holds_for_keys_yet_to_come() {
        assert!(pattern("*").covers(&pattern("device-*")));
        assert!(pattern("device-*").covers(&pattern("device-1*")));
        assert!(pattern("device-*").covers(&pattern("device-17")));
        assert!(!pattern("device-1*").covers(&pattern("device-*")));
        assert!(!pattern("device-17").covers(&pattern("device-17*")));
        assert!(pattern("device-17").covers(&pattern("device-17")));
    }
}
