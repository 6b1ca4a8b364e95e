//! HTTP/1.1 as this client needs it: requests made once and renumbered, answers measured and let go.
//!
//! Always true: an answer whose end cannot be told is an error, never a guess.
//!
//! Read first: nothing.

use memchr::memmem;

use crate::mark;

/// A request that is sent again and again, with another mark each time.
#[derive(Clone)]
pub struct Request {
    bytes: Vec<u8>,
    mark_at: Option<usize>,
    id_at: Option<usize>,
}

impl Request {
    /// A request of these bytes. If they hold a mark, it can be renumbered.
    pub fn new(bytes: Vec<u8>) -> Request {
        let mark_at = mark::position(&bytes);
        Request { bytes, mark_at, id_at: None }
    }

    /// The same, with two bytes that differ from one request to the next (an MQTT packet's identifier).
    pub fn with_id_at(mut self, at: usize) -> Request {
        self.id_at = Some(at);
        self
    }

    /// The bytes with this number in the mark.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        if let Some(at) = self.mark_at {
            mark::renumber(&mut self.bytes, at, number);
        }
        if let Some(at) = self.id_at {
            // 0 is no identifier.
            let id = (number.wrapping_sub(1) % 0xFFFF + 1) as u16;
            self.bytes[at..at + 2].copy_from_slice(&id.to_be_bytes());
        }
        &self.bytes
    }
}

/// What the bytes read so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// A whole one, and how many bytes it took.
    Done(T, usize),
    /// Not yet.
    NeedMore,
    /// It cannot become one.
    Broken(&'static str),
}

impl<T> Progress<T> {
    /// The same, with something made of a whole one.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Progress<U> {
        self.and_then(|whole| Ok(make(whole)))
    }

    /// The same, with something made of a whole one, or why nothing can be.
    pub fn and_then<U>(self, make: impl FnOnce(T) -> Result<U, &'static str>) -> Progress<U> {
        match self {
            Progress::Done(whole, used) => match make(whole) {
                Ok(made) => Progress::Done(made, used),
                Err(why) => Progress::Broken(why),
            },
            Progress::NeedMore => Progress::NeedMore,
            Progress::Broken(why) => Progress::Broken(why),
        }
    }
}

/// Reads one answer: its status.
pub fn read_answer(bytes: &[u8]) -> Progress<u16> {
    const HEAD_MAX: usize = 64 * 1024;
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_MAX {
            Progress::Broken("a head without end")
        } else {
            Progress::NeedMore
        };
    };
    let head = &bytes[..end + 2];
    let Some(status) = status(head) else { return Progress::Broken("no status line") };
    let body = match (status, content_length(head)) {
        (100..=199 | 204 | 304, _) => 0,
        (_, Some(len)) => len,
        (_, None) => return Progress::Broken("an answer without Content-Length"),
    };
    let used = end + 4 + body;
    if bytes.len() < used { Progress::NeedMore } else { Progress::Done(status, used) }
}

fn status(head: &[u8]) -> Option<u16> {
    if !head.starts_with(b"HTTP/1.") {
        return None;
    }
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

/// The Content-Length of a head, if it has one.
pub fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let mut rest = head;
    while let Some(at) = memchr::memchr(b'\n', rest) {
        rest = &rest[at + 1..];
        if rest.len() > NAME.len() && rest[..NAME.len()].eq_ignore_ascii_case(NAME) {
            let end = memchr::memchr(b'\r', rest)?;
            return std::str::from_utf8(&rest[NAME.len()..end]).ok()?.trim().parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"a.1\"\r\ncontent-LENGTH: 5\r\n\r\nhelloHTTP/1.1 204";

    #[test]
    fn an_answer_ends_where_its_length_says() {
        for cut in 0..ANSWER.len() {
            let expected = if cut < 56 { Progress::NeedMore } else { Progress::Done(200, 56) };
            assert_eq!(read_answer(&ANSWER[..cut]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn answers_without_a_body_need_no_length() {
        assert_eq!(read_answer(b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"), Progress::Done(204, 33));
        assert!(matches!(read_answer(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), Progress::Broken(_)));
        assert!(matches!(read_answer(b"SSH-2.0\r\n\r\n"), Progress::Broken(_)));
    }

    #[test]
    fn a_request_is_renumbered_in_place() {
        let tag = mark::Tag::from_seed(3);
        let mut request =
            Request::new(format!("PUT / HTTP/1.1\r\n\r\n{{\"mark\":\"{}\"}}", tag.mark(0)).into());
        let before = request.numbered(1).len();
        let after = request.numbered(987_654_321);
        assert_eq!(after.len(), before);
        assert_eq!(mark::number(after, tag), Some(987_654_321));
    }
}
