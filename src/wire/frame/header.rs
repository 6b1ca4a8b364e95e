//! The header of one frame from a client (RFC 6455, section 5.2), judged as early as its bytes allow.
//!
//! Always true: a header that is accepted is masked, in its shortest form, and fits what came before it.
//!
//! Read first: `frame.rs`.

use crate::limits::CONTROL_PAYLOAD_BYTES_MAX;
use crate::wire::error::{FrameError, WireError};

/// Two bytes, eight of length, four of mask.
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// A frame whose payload is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Whether it ends its message.
    pub(super) last: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: [u8; 4],
    /// Bytes of the payload still to come.
    pub(super) left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        match self {
            Opcode::Close | Opcode::Ping | Opcode::Pong => true,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => false,
        }
    }
}

impl Frame {
    /// Reads the header at the front of `bytes`, and says how long it is; `None` while it is not whole.
    ///
    /// `message_len` is what the message under way has so far, if there is one.
    pub(super) fn read(
        bytes: &[u8],
        message_len: Option<usize>,
        message_bytes_max: usize,
    ) -> Result<Option<(Frame, usize)>, WireError> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let last = first & 0x80 != 0;
        let opcode = read_opcode(*first, last, message_len.is_some())?;
        let [second, rest @ ..] = rest else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(FrameError::Unmasked.into());
        }
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > CONTROL_PAYLOAD_BYTES_MAX {
            return Err(FrameError::LongControl.into());
        }
        let Some((length, rest)) = read_length(short, rest)? else { return Ok(None) };
        let room = message_bytes_max.saturating_sub(message_len.unwrap_or(0)) as u64;
        if !opcode.is_control() && length > room {
            return Err(WireError::MessageTooLarge(message_bytes_max));
        }
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let frame = Frame { last, opcode, mask: *mask, left: length as usize };
        Ok(Some((frame, bytes.len() - rest.len())))
    }

    /// Unmasks the next bytes of the payload and counts them off (RFC 6455, section 5.3).
    pub(super) fn take(&mut self, payload: &mut [u8]) {
        let [a, b, c, d] = self.mask;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, tail) = payload.as_chunks_mut::<8>();
        for bytes in words {
            *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
        for (byte, mask) in tail.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.left -= payload.len();
        // The next byte meets the mask where this one left it.
        self.mask.rotate_left(payload.len() % 4);
    }
}

fn read_opcode(first: u8, last: bool, inside_message: bool) -> Result<Opcode, FrameError> {
    if first & 0x70 != 0 {
        return Err(FrameError::ReservedBit);
    }
    let opcode = match first & 0x0f {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return Err(FrameError::Opcode),
    };
    if opcode.is_control() {
        return if last { Ok(opcode) } else { Err(FrameError::FragmentedControl) };
    }
    if (opcode == Opcode::Continuation) != inside_message {
        return Err(FrameError::Continuation);
    }
    Ok(opcode)
}

/// The payload's length, and the bytes after it.
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, FrameError> {
    let (length, rest, least) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 126),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 65_536),
            None => return Ok(None),
        },
        _ => (u64::from(short), rest, 0),
    };
    if length < least || length >> 63 != 0 {
        return Err(FrameError::Length);
    }
    Ok(Some((length, rest)))
}
