//! A ceiling's end of a producer's connection: requests are counted by their length, not read.
//!
//! Always true: the first request's head is read once; every further request is taken to be as long. Marks
//! have a fixed width, so with one key per connection they are.
//!
//! Read first: `ceiling/mod.rs`, `mark.rs`.

use bytes::Bytes;
use memchr::memmem;

use crate::http::content_length;
use crate::mark::MARK_LEN;

/// What has come in on a connection.
#[derive(Default)]
pub struct Inbox {
    request_bytes: usize,
    mark_at: Option<usize>,
    have: usize,
}

impl Inbox {
    /// Whole requests that these bytes complete.
    pub fn requests(&mut self, bytes: &[u8]) -> usize {
        if self.request_bytes == 0 {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            self.request_bytes = end + 4 + content_length(&bytes[..end + 2]).unwrap_or_default();
            self.mark_at = crate::mark::position(bytes);
        }
        let have = self.have + bytes.len();
        self.have = have % self.request_bytes;
        have / self.request_bytes
    }

    /// The mark of the last whole request in the same bytes, if they hold all of it.
    pub fn last_mark<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let begins = (bytes.len() - self.have).checked_sub(self.request_bytes)?;
        let at = begins + self.mark_at?;
        bytes.get(at..at + MARK_LEN)
    }
}

/// An HTTP answer of exactly so many bytes, as near as a head and a body allow.
pub fn answer(bytes: usize) -> Bytes {
    let head = |body: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body}\r\n\r\n")
    };
    let body = bytes.saturating_sub(head(bytes).len());
    // A body whose length has fewer digits leaves room for a byte or two.
    let body = body + bytes.saturating_sub(head(body).len() + body);
    let mut answer = head(body).into_bytes();
    answer.resize(answer.len() + body, b'x');
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_size_asked_for() {
        for bytes in [90, 171, 172, 173, 300, 500, 1075, 5000] {
            let answer = answer(bytes);
            assert!(answer.len().abs_diff(bytes) <= 1, "{} for {bytes}", answer.len());
            assert!(
                matches!(crate::http::read_answer(&answer), crate::http::Progress::Done(200, len) if len == answer.len())
            );
        }
    }

    #[test]
    fn requests_are_counted_across_cuts() {
        let request = b"PUT /k HTTP/1.1\r\nContent-Length: 32\r\n\r\n{\"data\":{\"mark\":\"abcd-0000000007\"";
        let mut inbox = Inbox::default();
        assert_eq!(inbox.requests(request), 1);
        assert_eq!(inbox.last_mark(request), Some(&b"abcd-0000000007"[..]));
        let three = request.repeat(3);
        assert_eq!(inbox.requests(&three[..100]), 1);
        assert_eq!(inbox.requests(&three[100..]), 2);
    }
}
