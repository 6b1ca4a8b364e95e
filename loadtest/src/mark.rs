//! The mark every state carries, by which a viewer's frame is matched with the write it came from.
//!
//! Always true: a mark has the same length whatever its number, so every request of a run has the same
//! length too, and marks of an earlier run are told apart by their tag.
//!
//! Read first: nothing.

use memchr::memmem;

/// What stands before the mark in a state.
pub const INTRODUCTION: &str = "\"mark\":\"";
/// Characters of a mark: tag, dash, number.
pub const MARK_LEN: usize = TAG_LEN + 1 + DIGITS;
const TAG_LEN: usize = 4;
const DIGITS: usize = 10;

/// Tells one run's marks from another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag([u8; TAG_LEN]);

impl Tag {
    /// A tag out of any number, such as the process's id and the time.
    pub fn from_seed(seed: u64) -> Tag {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        // Seeds that differ little still give different tags.
        let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        Tag(std::array::from_fn(|at| LETTERS[(mixed >> (at * 5)) as usize & 31]))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The mark of a number.
    pub fn mark(&self, number: u64) -> String {
        format!("{}-{number:0DIGITS$}", self.as_str())
    }
}

/// Where the mark begins in a text that has one.
pub fn position(text: &[u8]) -> Option<usize> {
    let at = memmem::find(text, INTRODUCTION.as_bytes())? + INTRODUCTION.len();
    (text.len() >= at + MARK_LEN).then_some(at)
}

/// Writes another number over the mark at `at`.
pub fn renumber(text: &mut [u8], at: usize, mut number: u64) {
    for digit in text[at + TAG_LEN + 1..at + MARK_LEN].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The number of a mark with this tag; `None` for texts without one, or of another run.
pub fn number(text: &[u8], tag: Tag) -> Option<u64> {
    let at = position(text)?;
    let (found, rest) = text[at..at + MARK_LEN].split_at(TAG_LEN);
    if found != tag.0 || rest[0] != b'-' {
        return None;
    }
    rest[1..]
        .iter()
        .try_fold(0, |sum: u64, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renumbered_mark_is_read_back() {
        let tag = Tag::from_seed(7);
        let mut text = format!("{{\"key\":\"k\",\"data\":{{\"mark\":\"{}\"}}}}", tag.mark(1)).into_bytes();
        let at = position(&text).expect("there is a mark");
        renumber(&mut text, at, 4_000_000_123);
        assert_eq!(number(&text, tag), Some(4_000_000_123));
    }

    #[test]
    fn marks_of_another_run_are_nobodys() {
        let text = format!("{{\"mark\":\"{}\"}}", Tag::from_seed(1).mark(5));
        assert_eq!(number(text.as_bytes(), Tag::from_seed(2)), None);
        assert_eq!(number(b"{\"synced\":true}", Tag::from_seed(1)), None);
        assert_eq!(number(b"{\"mark\":\"aaaa-00", Tag::from_seed(1)), None);
    }
}
