//! A request body, from however many pieces it comes in (RFC 9112, sections 6 and 7).
//!
//! Always true: how the bytes were cut makes no difference; the body never outgrows its limit, and grows
//! only with bytes that have arrived.
//!
//! Read first: `request.rs`.

use super::Progress;
use super::error::{Malformed, WireError};
use super::framing::Framing;
use super::request::is_token_byte;
use crate::limits::{CHUNK_EXTENSION_BYTES_MAX, TRAILER_BYTES_MAX};

/// Enough for any `u64`; a size with more digits is padding, or an attack.
const SIZE_DIGITS_MAX: u8 = 16;

/// Reads one body to its end.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
    bytes_max: usize,
    extension_bytes: usize,
    trailer_bytes: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum State {
    /// So many bytes of a body with a length.
    Plain { left: u64 },
    /// The digits of a chunk's size.
    Size { size: u64, digits: u8 },
    /// White space between a size and the extension that must follow it.
    SizeSpace { size: u64 },
    /// An extension, up to its CR.
    Extension { size: u64 },
    /// The LF of a size line.
    SizeEnd { size: u64 },
    /// So many bytes of a chunk.
    Data { left: u64 },
    /// The CR after a chunk.
    DataCr,
    /// The LF after a chunk.
    DataLf,
    /// The first byte of a trailer line, or the CR of the last blank one.
    TrailerStart,
    /// A trailer's name, up to its colon.
    TrailerName,
    /// A trailer's value, up to its CR.
    TrailerValue,
    /// The LF of a trailer line.
    TrailerEnd,
    /// The LF of the blank line.
    LastLf,
    /// Nothing: the body is whole.
    Whole,
}

impl BodyReader {
    /// A reader for the body that follows a head with this framing.
    ///
    /// # Errors
    /// [`WireError::BodyTooLarge`] where the announced length is above `bytes_max`.
    pub fn new(framing: Framing, bytes_max: usize) -> Result<BodyReader, WireError> {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Whole,
            Framing::Length(length) if length > bytes_max as u64 => {
                return Err(WireError::BodyTooLarge(bytes_max));
            }
            Framing::Length(length) => State::Plain { left: length },
            Framing::Chunked => State::Size { size: 0, digits: 0 },
        };
        Ok(BodyReader { state, bytes_max, extension_bytes: 0, trailer_bytes: 0 })
    }

    /// Takes what has arrived and appends the body's own bytes to `body` (nothing else may append to it).
    ///
    /// `NeedMore` has taken all of `bytes`; `Done.used` is how many of them belong to this body.
    ///
    /// # Errors
    /// [`Malformed::Chunk`] for anything RFC 9112, section 7.1 does not allow, or extensions and trailers past
    /// their limits; [`WireError::BodyTooLarge`] as soon as a chunk announces too much.
    pub fn read(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<Progress<()>, WireError> {
        let mut at = 0;
        loop {
            if let State::Whole = self.state {
                return Ok(Progress::Done { value: (), used: at });
            }
            let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else {
                return Ok(Progress::NeedMore);
            };
            at += match self.state {
                State::Plain { left } => {
                    let taken = take(rest, left, body);
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::Whole } else { State::Plain { left } };
                    taken
                }
                State::Data { left } => {
                    let taken = take(rest, left, body);
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                    taken
                }
                _one_byte_at_a_time => {
                    self.state = self.step(rest[0], body.len())?;
                    1
                }
            };
        }
    }

    /// The state after one byte of chunk framing.
    fn step(&mut self, byte: u8, body_len: usize) -> Result<State, WireError> {
        match (self.state, byte) {
            (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS_MAX {
                    return Err(Malformed::Chunk.into());
                }
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                Ok(State::Size { size: size << 4 | digit, digits: digits + 1 })
            }
            (State::Size { digits: 0, .. }, _) => Err(Malformed::Chunk.into()),
            (State::Size { size, .. }, b'\r') => self.sized(size, body_len),
            (State::Size { size, .. } | State::SizeSpace { size }, b';') => {
                self.count_extension()?;
                Ok(State::Extension { size })
            }
            (State::Size { size, .. } | State::SizeSpace { size }, b' ' | b'\t') => {
                self.count_extension()?;
                Ok(State::SizeSpace { size })
            }
            (State::Extension { size }, b'\r') => self.sized(size, body_len),
            (State::Extension { size }, _) if is_value_byte(byte) => {
                self.count_extension()?;
                Ok(State::Extension { size })
            }
            (State::SizeEnd { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeEnd { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::TrailerStart, b'\r') => Ok(State::LastLf),
            (State::LastLf, b'\n') => Ok(State::Whole),
            _trailer_or_nothing => self.step_trailer(byte),
        }
    }

    fn step_trailer(&mut self, byte: u8) -> Result<State, WireError> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Malformed::Chunk.into());
        }
        match (self.state, byte) {
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => Ok(State::TrailerName),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, _) if is_value_byte(byte) => Ok(State::TrailerValue),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            _anything_else => Err(Malformed::Chunk.into()),
        }
    }

    /// A size is complete: is there room for what it announces?
    fn sized(&self, size: u64, body_len: usize) -> Result<State, WireError> {
        let room = self.bytes_max.saturating_sub(body_len);
        if size > room as u64 {
            return Err(WireError::BodyTooLarge(self.bytes_max));
        }
        Ok(State::SizeEnd { size })
    }

    fn count_extension(&mut self) -> Result<(), Malformed> {
        self.extension_bytes += 1;
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX { Err(Malformed::Chunk) } else { Ok(()) }
    }
}

fn take(rest: &[u8], left: u64, body: &mut Vec<u8>) -> usize {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    body.extend_from_slice(&rest[..taken]);
    taken
}

/// Whether a field value or a chunk extension may contain this byte (RFC 9110, section 5.5).
fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `bytes` in pieces of these lengths (over and over); the body, and how many bytes it took.
    fn read(
        framing: Framing,
        bytes_max: usize,
        bytes: &[u8],
        pieces: &[usize],
    ) -> Result<Option<(Vec<u8>, usize)>, WireError> {
        let mut reader = BodyReader::new(framing, bytes_max)?;
        let (mut body, mut at) = (Vec::new(), 0);
        let mut pieces = pieces.iter().cycle();
        loop {
            let end = bytes.len().min(at + pieces.next().copied().unwrap_or(bytes.len()).max(1));
            match reader.read(&bytes[at..end], &mut body)? {
                Progress::Done { used, .. } => return Ok(Some((body, at + used))),
                Progress::NeedMore if end == bytes.len() => return Ok(None),
                Progress::NeedMore => at = end,
            }
        }
    }

    fn chunked(text: &[u8]) -> Result<Option<(Vec<u8>, usize)>, WireError> {
        let at_once = read(Framing::Chunked, 100, text, &[]);
        assert_eq!(read(Framing::Chunked, 100, text, &[1]), at_once, "byte by byte: {text:?}");
        at_once
    }

    #[test]
    fn a_body_without_framing_is_whole_at_once() {
        for framing in [Framing::Empty, Framing::Length(0)] {
            assert_eq!(read(framing, 0, b"GET / HTTP/1.1", &[]), Ok(Some((vec![], 0))));
        }
    }

    #[test]
    fn a_length_takes_exactly_so_much() {
        assert_eq!(read(Framing::Length(5), 5, b"hello, next", &[]), Ok(Some((b"hello".to_vec(), 5))));
        assert_eq!(read(Framing::Length(5), 5, b"hello, next", &[1]), Ok(Some((b"hello".to_vec(), 5))));
        assert_eq!(read(Framing::Length(5), 5, b"hell", &[]), Ok(None));
        for length in [6, u64::from(u32::MAX) + 5, u64::MAX] {
            assert_eq!(read(Framing::Length(length), 5, b"", &[]), Err(WireError::BodyTooLarge(5)));
        }
    }

    #[test]
    fn chunks_come_together() {
        for (text, body) in [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
            ("A\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
            ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
            ("5;name=value\r\nhello\r\n0;last\r\n\r\n", "hello"),
            ("5 ; a = \"b\u{e9};\"\t\r\nhello\r\n0\r\n\r\n", "hello"),
            ("0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n", ""),
        ] {
            let text = format!("{text}next");
            let used = text.len() - 4;
            assert_eq!(chunked(text.as_bytes()), Ok(Some((body.into(), used))), "{text:?}");
            assert_eq!(chunked(&text.as_bytes()[..used - 1]), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn a_chunk_that_could_be_read_two_ways_is_refused() {
        for text in [
            &b"\r\n"[..],
            b"\n",
            b" 5\r\nhello",
            b"+5\r\nhello",
            b"-5\r\nhello",
            b"0x5\r\nhello",
            b"5x\r\nhello",
            b"5\nhello",
            b"5\r\r\nhello",
            b"5 \r\nhello",
            b"5\t\r\nhello",
            b"5 5\r\nhello",
            b"5\x00\r\nhello",
            b"5\x0b\r\nhello",
            b"5,5\r\nhello",
            b"5;a\nb\r\nhello",
            b"5;a\rb\r\nhello",
            b"5;a\x00\r\nhello",
            b"g\r\nhello",
            b"\xef\xbc\x95\r\nhello",
            b";a\r\nhello",
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n\r\n",
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"5\r\nhello\r\n\r\n0\r\n\r\n",
            b"0\r\n\n",
            b"0\r\n\rX",
            b"0\r\nX y: z\r\n\r\n",
            b"0\r\nX : z\r\n\r\n",
            b"0\r\n: z\r\n\r\n",
            b"0\r\nX\r\n\r\n",
            b"0\r\nX: a\n\r\n",
            b"0\r\nX: a\rb\r\n\r\n",
            b"0\r\nX: a\x00\r\n\r\n",
            b"0\r\nX: a\r\n b\r\n\r\n",
            b"0\r\nGET / HTTP/1.1\r\n\r\n",
            b"00000000000000005\r\nhello",
        ] {
            let refusal = Err(WireError::Malformed(Malformed::Chunk));
            assert_eq!(chunked(text), refusal, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_body_has_a_size_however_it_is_chunked() {
        let fits = format!("64\r\n{}\r\n0\r\n\r\n", "x".repeat(100));
        assert!(chunked(fits.as_bytes()).unwrap().is_some());
        for text in ["65\r\n", "ffffffffffffffff\r\n", "5\r\nhello\r\n60\r\n", "8000000000000000;x\r\n"] {
            assert_eq!(chunked(text.as_bytes()), Err(WireError::BodyTooLarge(100)), "{text}");
        }
        // 2^64 has a digit too many to be counted.
        assert_eq!(chunked(b"10000000000000000\r\n"), Err(Malformed::Chunk.into()));
    }

    #[test]
    fn extensions_are_bounded_over_the_whole_body() {
        let text = |each: usize| format!("1;{}\r\nx\r\n", "e".repeat(each - 1)).repeat(2) + "0\r\n\r\n";
        assert!(chunked(text(CHUNK_EXTENSION_BYTES_MAX / 2).as_bytes()).unwrap().is_some());
        assert_eq!(chunked(text(CHUNK_EXTENSION_BYTES_MAX / 2 + 1).as_bytes()), Err(Malformed::Chunk.into()));
    }

    #[test]
    fn trailers_are_bounded() {
        let text =
            |bytes: usize| format!("0\r\n{}\r\n", format!("X: {}\r\n", "y".repeat(bytes - 5)).repeat(4));
        assert!(chunked(text(TRAILER_BYTES_MAX / 4).as_bytes()).unwrap().is_some());
        assert_eq!(chunked(text(TRAILER_BYTES_MAX / 4 + 1).as_bytes()), Err(Malformed::Chunk.into()));
    }

    proptest! {
        #[test]
        fn any_chunks_in_any_pieces_give_the_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            pieces in prop::collection::vec(1usize..60, 1..5),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x};e\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\nA: b\r\n\r\n");
            let used = text.len();
            text.extend_from_slice(b"GET /");
            prop_assert_eq!(
                read(Framing::Chunked, 1000, &text, &pieces),
                Ok(Some((chunks.concat(), used)))
            );
        }

        #[test]
        fn pieces_make_no_difference(
            text in "([0-9a-fx; \r\n]{0,5}\r\n[a: \r\n]{0,5}){0,4}",
            pieces in prop::collection::vec(1usize..6, 1..5),
        ) {
            prop_assert_eq!(
                read(Framing::Chunked, 20, text.as_bytes(), &pieces),
                read(Framing::Chunked, 20, text.as_bytes(), &[])
            );
        }
    }
}
