//! What a peer was told, read from its bytes.
//!
//! Always true: everything a broker says is an answer, a frame or an event, whole and well-formed; only a
//! connection that was cut may end in the middle of one.
//!
//! Read first: `src/house.rs`.

use crate::events;
use crate::json::{Json, read};

/// Everything that one connection brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Answers, but for `100 Continue`: status line, fields and body.
    pub answers: Vec<Vec<u8>>,
    /// Pongs, errors and closes of a socket.
    pub controls: Vec<Vec<u8>>,
    /// The words that begin and end snapshots.
    pub synced: Vec<String>,
    /// The newest revision of each key, in the order in which they were first seen.
    pub newest: Vec<(String, u64)>,
    /// It became a stream.
    pub is_stream: bool,
    /// A close frame came.
    pub is_closed: bool,
    /// A revision came again, and no snapshot that it may belong to is complete.
    repeats: bool,
}

/// Reads all that came.
pub fn hear(mut bytes: &[u8], was_cut: bool) -> Heard {
    let mut heard = Heard::default();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = std::str::from_utf8(&bytes[..end + 2]).expect("a head is text");
        bytes = &bytes[end + 4..];
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status line");
        if status == "100" {
            continue;
        }
        let mut answer = head.as_bytes().to_vec();
        if status == "101" {
            heard.answers.push(answer);
            heard.hear_frames(bytes, was_cut);
            return heard;
        }
        if head.contains("\r\nContent-Type: text/event-stream\r\n") {
            heard.answers.push(answer);
            heard.hear_events(bytes);
            return heard;
        }
        let length = head.split("\r\nContent-Length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        // The answer to a HEAD has the length of what it leaves out.
        if !bytes.is_empty() && !bytes.starts_with(b"HTTP/1.1 ") && status != "304" {
            let body = bytes.get(..length).unwrap_or(bytes);
            assert!(was_cut || body.len() == length, "{head} and only {} bytes", body.len());
            answer.extend_from_slice(body);
            bytes = &bytes[body.len()..];
        }
        heard.answers.push(answer);
    }
    assert!(was_cut || bytes.is_empty(), "no answer: {}", String::from_utf8_lossy(bytes));
    heard
}

impl Heard {
    /// The newest revision of a key that was heard.
    pub fn rev(&self, key: &str) -> Option<u64> {
        self.newest.iter().find(|seen| seen.0 == key).map(|seen| seen.1)
    }

    fn hear_frames(&mut self, mut bytes: &[u8], was_cut: bool) {
        self.is_stream = true;
        while let Some((first, payload, len)) = frame(bytes) {
            assert!(!self.is_closed, "nothing follows a close");
            match first {
                0x81 => self.hear_text(payload),
                0x88 => {
                    self.is_closed = true;
                    self.controls.push(payload.to_vec());
                }
                // When pings go out is a matter of time, and not of what was said.
                0x89 => {}
                0x8a => self.controls.push(payload.to_vec()),
                other => panic!("a frame of kind {other:x}"),
            }
            bytes = &bytes[len..];
        }
        assert!(was_cut || bytes.is_empty(), "half a frame: {bytes:?}");
        assert!(was_cut || self.is_closed || !self.repeats, "a revision twice, without a snapshot");
    }

    fn hear_events(&mut self, bytes: &[u8]) {
        self.is_stream = true;
        let text = String::from_utf8_lossy(bytes);
        for event in events::read(&text).0 {
            self.hear_text(event.data.as_bytes());
        }
    }

    fn hear_text(&mut self, text: &[u8]) {
        let text = std::str::from_utf8(text).expect("UTF-8");
        let Some(Json::Object(members)) = read(text) else { panic!("no object: {text}") };
        match (&members[0].0.meant[..], &members[0].1) {
            (b"key", Json::Scalar(key)) => {
                let Json::Scalar(rev) = &members[1].1 else { panic!("no revision: {text}") };
                self.hear_record(key.trim_matches('"'), rev.parse().expect("a revision"));
            }
            (b"synced", _) => {
                self.repeats = false;
                self.synced.push(text.to_owned());
            }
            (b"syncing", _) => self.synced.push(text.to_owned()),
            (b"error", _) => self.controls.push(text.as_bytes().to_vec()),
            other => panic!("{other:?}"),
        }
    }

    /// Never older than before.
    fn hear_record(&mut self, key: &str, rev: u64) {
        match self.newest.iter_mut().find(|seen| seen.0 == key) {
            Some(seen) => {
                assert!(rev >= seen.1, "{key} went from {} to {rev}", seen.1);
                self.repeats |= rev == seen.1;
                seen.1 = rev;
            }
            None => self.newest.push((key.to_owned(), rev)),
        }
    }
}

/// First byte, payload and length of a server's frame, if it is whole.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (length, header_len) = match bytes.get(1)? {
        126 => (usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 10),
        short => (usize::from(*short), 2),
    };
    let payload = bytes.get(header_len..header_len + length)?;
    Some((bytes[0], payload, header_len + length))
}
