//! WebSocket frames (RFC 6455, section 5): a peer's bytes to messages, ours to frames.
//!
//! Always true: a breach of the RFC is an error, whatever way the bytes were cut; buffers grow with bytes that
//! have arrived, never with a length that was announced.
//!
//! Read first: `wire/mod.rs`, then `frame/header.rs`.

mod header;

use bytes::Bytes;

use super::Progress;
use super::error::{FrameError, WireError};
use crate::limits::CONTROL_PAYLOAD_BYTES_MAX;
use header::{Frame, HEADER_BYTES_MAX, Opcode};

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
    is_text: bool,
    bytes: Vec<u8>,
    /// How many of the bytes are known to be UTF-8.
    checked: usize,
}

impl FrameReader {
    /// Whether nothing is pending: no begun frame, no begun message.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Takes bytes from the front of `bytes`, up to the end of one message or control frame.
    ///
    /// Payloads are unmasked in place. `NeedMore` has taken all of `bytes`; `Done.used` is how many it took.
    /// After an error the reader is of no more use.
    ///
    /// # Errors
    /// [`WireError::Frame`] for a breach of RFC 6455; [`WireError::MessageTooLarge`] as soon as a header
    /// announces that a message will pass `message_bytes_max`.
    pub fn read(&mut self, bytes: &mut [u8], message_bytes_max: usize) -> Result<Progress<Heard>, WireError> {
        if self.partial.is_none() {
            if let Some((value, used)) = read_at_once(bytes, message_bytes_max)? {
                return Ok(Progress::Done { value, used });
            }
            if bytes.is_empty() {
                return Ok(Progress::NeedMore);
            }
        }
        let partial = self.partial.get_or_insert_default();
        let mut used = 0;
        loop {
            used += partial.take_header(&bytes[used..], message_bytes_max)?;
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

/// Most frames arrive whole and alone: those need no memory but what they say.
fn read_at_once(bytes: &mut [u8], message_bytes_max: usize) -> Result<Option<(Heard, usize)>, WireError> {
    let Some((mut frame, header_len)) = Frame::read(bytes, None, message_bytes_max)? else { return Ok(None) };
    let Some(payload) = bytes[header_len..].get_mut(..frame.left).filter(|_| frame.last) else {
        return Ok(None);
    };
    frame.take(payload);
    Ok(Some((hear(frame.opcode, payload.to_vec())?, header_len + payload.len())))
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.header_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Takes bytes until the next frame's header is whole, if that is what comes next.
    fn take_header(&mut self, bytes: &[u8], message_bytes_max: usize) -> Result<usize, WireError> {
        let message_len = self.message.as_ref().map(|message| message.bytes.len());
        for (taken, byte) in bytes.iter().enumerate() {
            if self.frame.is_some() {
                return Ok(taken);
            }
            self.header[self.header_len] = *byte;
            self.header_len += 1;
            let known = &self.header[..self.header_len];
            if let Some((frame, _)) = Frame::read(known, message_len, message_bytes_max)? {
                self.frame = Some(frame);
                self.header_len = 0;
            }
        }
        Ok(bytes.len())
    }

    /// Takes bytes of the payload that is arriving; what they complete, if anything.
    fn take_payload(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Heard>), WireError> {
        let Some(frame) = &mut self.frame else { return Ok((0, None)) };
        let taken = frame.left.min(bytes.len());
        let payload = &mut bytes[..taken];
        frame.take(payload);
        let frame = *frame;
        if frame.opcode.is_control() {
            self.control.extend_from_slice(payload);
        } else {
            let is_text = frame.opcode == Opcode::Text;
            let begun = || Message { is_text, bytes: Vec::new(), checked: 0 };
            self.message.get_or_insert_with(begun).bytes.extend_from_slice(payload);
        }
        if frame.left > 0 {
            return Ok((taken, None));
        }
        self.frame = None;
        Ok((taken, self.finish(frame)?))
    }

    /// A frame is whole.
    fn finish(&mut self, frame: Frame) -> Result<Option<Heard>, WireError> {
        if frame.opcode.is_control() {
            return hear(frame.opcode, std::mem::take(&mut self.control)).map(Some);
        }
        if !frame.last {
            if let Some(message) = &mut self.message {
                message.check_so_far()?;
            }
            return Ok(None);
        }
        let Some(message) = self.message.take() else { return Ok(None) };
        let opcode = if message.is_text { Opcode::Text } else { Opcode::Binary };
        hear(opcode, message.bytes).map(Some)
    }
}

impl Message {
    /// Refuses text that no continuation can make UTF-8; a character cut at the end is fine.
    fn check_so_far(&mut self) -> Result<(), FrameError> {
        if !self.is_text {
            return Ok(());
        }
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(FrameError::NotUtf8),
        }
        Ok(())
    }
}

/// What a whole payload says.
fn hear(opcode: Opcode, payload: Vec<u8>) -> Result<Heard, WireError> {
    match opcode {
        Opcode::Text => String::from_utf8(payload).map(Heard::Text).map_err(|_| FrameError::NotUtf8.into()),
        Opcode::Binary | Opcode::Continuation => Ok(Heard::Binary(payload)),
        Opcode::Ping => Ok(Heard::Ping(payload)),
        Opcode::Pong => Ok(Heard::Pong),
        Opcode::Close => Ok(Heard::Close(read_close(&payload)?)),
    }
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
