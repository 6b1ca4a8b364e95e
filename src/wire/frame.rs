//! WebSocket frames (RFC 6455, section 5): a peer's bytes to messages, ours to frames.
//!
//! Always true: a breach of the RFC is an error, whatever way the bytes were cut; buffers grow with bytes that
//! have arrived, never with a length that was announced.
//!
//! Read first: `wire/mod.rs`.

use bytes::Bytes;

use super::Progress;
use super::error::{FrameError, WireError};
use crate::limits::CONTROL_PAYLOAD_BYTES_MAX;

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A ping, to be answered with a pong of the same payload.
    Ping(Vec<u8>),
    /// A pong, asked for or not.
    Pong,
    /// The peer closes, and with which code.
    Close(Option<u16>),
}

/// Reads the frames of one peer. One pointer wide while nothing is pending.
#[derive(Debug, Default)]
pub struct FrameReader {
    partial: Option<Box<Partial>>,
}

/// What has arrived and is not whole.
#[derive(Debug, Default)]
struct Partial {
    /// The bytes of a header that is not whole.
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The payload of a control frame so far.
    control: Vec<u8>,
    /// The message that is arriving, over all its frames.
    message: Option<Message>,
}

#[derive(Debug)]
struct Message {
    text: bool,
    bytes: Vec<u8>,
    /// How many of the bytes are known to be UTF-8.
    checked: usize,
}

/// A frame whose header was read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    last: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Bytes of the payload still to come.
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

impl FrameReader {
    /// Takes bytes from the front of `bytes`, up to the end of one message or control frame.
    ///
    /// Payloads are unmasked in place. `NeedMore` has taken all of `bytes`; `Done.used` is how many it took.
    ///
    /// # Errors
    /// [`WireError::Frame`] for a breach of RFC 6455; [`WireError::MessageTooLarge`] as soon as a header
    /// announces that a message will pass `message_bytes_max`.
    pub fn read(&mut self, bytes: &mut [u8], message_bytes_max: usize) -> Result<Progress<Heard>, WireError> {
        let mut used = 0;
        loop {
            let partial = self.partial.get_or_insert_default();
            if partial.frame.is_none() {
                let taken = partial.take_header(&bytes[used..], message_bytes_max)?;
                used += taken;
            }
            if partial.frame.is_none() {
                if partial.is_empty() {
                    self.partial = None;
                }
                return Ok(Progress::NeedMore);
            }
            let (taken, heard) = partial.take_payload(&mut bytes[used..])?;
            used += taken;
            if let Some(value) = heard {
                if partial.is_empty() {
                    self.partial = None;
                }
                return Ok(Progress::Done { value, used });
            }
            if used == bytes.len() {
                return Ok(Progress::NeedMore);
            }
        }
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.header_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Takes bytes of a header; sets `frame` once it is whole.
    fn take_header(&mut self, bytes: &[u8], message_bytes_max: usize) -> Result<usize, WireError> {
        let mut taken = 0;
        loop {
            let known = &self.header[..self.header_len];
            if let Some(frame) = self.read_header(known, message_bytes_max)? {
                self.frame = Some(frame);
                self.header_len = 0;
                return Ok(taken);
            }
            let Some(byte) = bytes.get(taken) else { return Ok(taken) };
            self.header[self.header_len] = *byte;
            self.header_len += 1;
            taken += 1;
        }
    }

    /// The frame, if these bytes are its whole header; errors as early as they show.
    fn read_header(&self, known: &[u8], message_bytes_max: usize) -> Result<Option<Frame>, WireError> {
        let [first, rest @ ..] = known else { return Ok(None) };
        let last = first & 0x80 != 0;
        let opcode = read_opcode(*first, last, self.message.is_some())?;
        let [second, rest @ ..] = rest else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(FrameError::Unmasked.into());
        }
        let short = usize::from(second & 0x7f);
        if opcode.is_control() && short > CONTROL_PAYLOAD_BYTES_MAX {
            return Err(FrameError::LongControl.into());
        }
        let Some((length, rest)) = read_length(short, rest)? else { return Ok(None) };
        let before = self.message.as_ref().map_or(0, |message| message.bytes.len());
        let room = message_bytes_max.saturating_sub(before) as u64;
        if !opcode.is_control() && length > room {
            return Err(WireError::MessageTooLarge(message_bytes_max));
        }
        let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Frame { last, opcode, mask: *mask, left: length as usize }))
    }

    /// Takes bytes of a payload; what they complete, if anything.
    fn take_payload(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Heard>), WireError> {
        let Some(frame) = &mut self.frame else { return Ok((0, None)) };
        let taken = frame.left.min(bytes.len());
        let payload = &mut bytes[..taken];
        unmask(payload, frame.mask);
        frame.mask.rotate_left(taken % 4);
        frame.left -= taken;
        let frame = *frame;
        if frame.opcode.is_control() {
            self.control.extend_from_slice(payload);
        } else {
            let text = frame.opcode == Opcode::Text;
            let message = self.message.get_or_insert_with(|| Message { text, bytes: Vec::new(), checked: 0 });
            message.bytes.extend_from_slice(payload);
        }
        if frame.left > 0 {
            return Ok((taken, None));
        }
        self.frame = None;
        Ok((taken, self.finish(frame)?))
    }

    /// A frame's payload is whole.
    fn finish(&mut self, frame: Frame) -> Result<Option<Heard>, WireError> {
        match frame.opcode {
            Opcode::Ping => Ok(Some(Heard::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control.clear();
                Ok(Some(Heard::Pong))
            }
            Opcode::Close => Ok(Some(Heard::Close(read_close(&std::mem::take(&mut self.control))?))),
            Opcode::Continuation | Opcode::Text | Opcode::Binary if !frame.last => {
                if let Some(message) = self.message.as_mut().filter(|message| message.text) {
                    message.check_so_far()?;
                }
                Ok(None)
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                let Some(message) = self.message.take() else { return Ok(None) };
                message.into_heard().map(Some)
            }
        }
    }
}

impl Message {
    /// Refuses bytes that no continuation can make UTF-8; a character cut at the end is fine.
    fn check_so_far(&mut self) -> Result<(), FrameError> {
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(FrameError::NotUtf8),
        }
        Ok(())
    }

    fn into_heard(self) -> Result<Heard, WireError> {
        if !self.text {
            return Ok(Heard::Binary(self.bytes));
        }
        String::from_utf8(self.bytes).map(Heard::Text).map_err(|_| FrameError::NotUtf8.into())
    }
}

impl Opcode {
    fn is_control(self) -> bool {
        match self {
            Opcode::Close | Opcode::Ping | Opcode::Pong => true,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => false,
        }
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

/// The payload's length in its shortest form, and the bytes after it.
fn read_length(short: usize, rest: &[u8]) -> Result<Option<(u64, &[u8])>, FrameError> {
    let (length, rest, least) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 126),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 65_536),
            None => return Ok(None),
        },
        _ => (short as u64, rest, 0),
    };
    if length < least || length >> 63 != 0 {
        return Err(FrameError::Length);
    }
    Ok(Some((length, rest)))
}

/// The code of a close frame, if it has one (RFC 6455, sections 5.5.1 and 7.4).
fn read_close(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(FrameError::CloseCode) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(FrameError::CloseCode);
    }
    std::str::from_utf8(reason).map_err(|_| FrameError::NotUtf8)?;
    Ok(Some(code))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let word = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Writes the header of an unmasked, unfragmented text frame; how many bytes it takes.
pub fn header(len: usize, out: &mut [u8; 10]) -> usize {
    write_header(0x81, len, out)
}

fn write_header(first: u8, len: usize, out: &mut [u8; 10]) -> usize {
    out[0] = first;
    match len {
        0..126 => {
            out[1] = len as u8;
            2
        }
        126..65_536 => {
            out[1] = 126;
            out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            4
        }
        65_536.. => {
            out[1] = 127;
            out[2..].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    }
}

/// A text frame.
pub fn text(payload: &[u8]) -> Vec<u8> {
    whole(0x81, payload)
}

/// A binary frame.
pub fn binary(payload: &[u8]) -> Vec<u8> {
    whole(0x82, payload)
}

/// A ping without payload.
pub fn ping() -> Bytes {
    Bytes::from_static(&[0x89, 0])
}

/// A pong that returns a ping's payload.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    whole(0x8a, &payload[..payload.len().min(CONTROL_PAYLOAD_BYTES_MAX)])
}

/// A close frame; a reason too long is cut between two characters.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(CONTROL_PAYLOAD_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    whole(0x88, &[&code.to_be_bytes(), &reason.as_bytes()[..end]].concat())
}

fn whole(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 10];
    let header_len = write_header(first, payload.len(), &mut header);
    [&header[..header_len], payload].concat()
}
