//! A request body, from however many pieces it comes in (RFC 9112, sections 6 and 7).
//!
//! Always true: how the bytes were cut makes no difference; the body never outgrows its limit, and grows
//! only with bytes that have arrived.
//!
//! Read first: `request.rs`.

use super::Progress;
use super::error::{Malformed, WireError};
use super::request::{Framing, is_token_byte};
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
