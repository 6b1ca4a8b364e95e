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

    /// Memory that an unfinished message takes, in bytes.
    pub fn held_bytes(&self) -> usize {
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        message.map_or(0, |message| message.bytes.capacity())
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
            let message = self.message.get_or_insert_with(begun);
            message.bytes.extend_from_slice(payload);
            message.check_so_far()?;
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

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use proptest::prelude::*;
    use tungstenite::protocol::{Role, WebSocket};

    use super::*;

    const MAX: usize = 1000;
    const MASK: [u8; 4] = [0x11, 0xe2, 0x73, 0x04];

    /// A frame as a client sends it, with any first byte.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; 10];
        let header_len = write_header(first, payload.len(), &mut out);
        out[1] |= 0x80;
        let payload = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        out[..header_len].iter().copied().chain(MASK).chain(payload).collect()
    }

    /// Everything heard from `bytes` in pieces of these lengths (over and over), and the error that ended it.
    fn hear_all(bytes: &[u8], pieces: &[usize]) -> (Vec<Heard>, Option<WireError>) {
        let (mut reader, mut heard) = (FrameReader::default(), Vec::new());
        let (mut at, mut pieces) = (0, pieces.iter().cycle());
        while at < bytes.len() {
            let end = bytes.len().min(at + pieces.next().copied().unwrap_or(bytes.len()).max(1));
            let mut piece = bytes[at..end].to_vec();
            let mut used = 0;
            loop {
                match reader.read(&mut piece[used..], MAX) {
                    Ok(Progress::Done { value, used: taken }) => {
                        heard.push(value);
                        used += taken;
                    }
                    Ok(Progress::NeedMore) => break,
                    Err(error) => return (heard, Some(error)),
                }
            }
            at = end;
        }
        (heard, None)
    }

    fn hear_one(bytes: &[u8]) -> Result<Option<Heard>, WireError> {
        let at_once = hear_all(bytes, &[]);
        assert_eq!(hear_all(bytes, &[1]), at_once, "byte by byte: {bytes:?}");
        match at_once {
            (_, Some(error)) => Err(error),
            (mut heard, None) => Ok(heard.pop()),
        }
    }

    #[test]
    fn each_kind_is_heard() {
        for (bytes, heard) in [
            (masked(0x81, b"hello"), Heard::Text("hello".into())),
            (masked(0x81, b""), Heard::Text(String::new())),
            (masked(0x82, b"\xff\0"), Heard::Binary(vec![0xff, 0])),
            (masked(0x89, b"p"), Heard::Ping(b"p".to_vec())),
            (masked(0x8a, b"p"), Heard::Pong),
            (masked(0x88, b""), Heard::Close(None)),
            (masked(0x88, b"\x03\xe8bye"), Heard::Close(Some(1000))),
            (masked(0x81, "x".repeat(126).as_bytes()), Heard::Text("x".repeat(126))),
        ] {
            assert_eq!(hear_one(&bytes), Ok(Some(heard)));
            assert_eq!(hear_one(&bytes[..bytes.len() - 1]), Ok(None));
        }
    }

    #[test]
    fn control_frames_come_between_the_fragments_of_a_message() {
        let bytes = [
            masked(0x01, b"he"),
            masked(0x89, b"?"),
            masked(0x00, b""),
            masked(0x8a, b""),
            masked(0x80, b"llo"),
            masked(0x02, b"a"),
            masked(0x80, b"b"),
        ]
        .concat();
        let heard = [
            Heard::Ping(b"?".to_vec()),
            Heard::Pong,
            Heard::Text("hello".into()),
            Heard::Binary(b"ab".to_vec()),
        ];
        assert_eq!(hear_all(&bytes, &[]), (heard.to_vec(), None));
        assert_eq!(hear_all(&bytes, &[1]), (heard.to_vec(), None));
    }

    #[test]
    fn each_breach_has_its_name() {
        let long = |first: u8, length: u64| [&[first, 0xff][..], &length.to_be_bytes(), &MASK].concat();
        for (bytes, why) in [
            (masked(0xc1, b"x"), FrameError::ReservedBit),
            (masked(0xa1, b"x"), FrameError::ReservedBit),
            (masked(0x91, b"x"), FrameError::ReservedBit),
            (masked(0xc8, b""), FrameError::ReservedBit),
            (masked(0x83, b""), FrameError::Opcode),
            (masked(0x87, b""), FrameError::Opcode),
            (masked(0x8b, b""), FrameError::Opcode),
            (masked(0x8f, b""), FrameError::Opcode),
            (text(b"x"), FrameError::Unmasked),
            (ping().to_vec(), FrameError::Unmasked),
            ([&[0x81, 0xfe, 0, 125][..], &MASK].concat(), FrameError::Length),
            (long(0x81, 125), FrameError::Length),
            (long(0x81, 65_535), FrameError::Length),
            (long(0x81, 1 << 63), FrameError::Length),
            (long(0x82, u64::MAX), FrameError::Length),
            (masked(0x09, b""), FrameError::FragmentedControl),
            (masked(0x08, b""), FrameError::FragmentedControl),
            (vec![0x89, 0xfe, 0, 126], FrameError::LongControl),
            (vec![0x88, 0xff], FrameError::LongControl),
            (masked(0x80, b"x"), FrameError::Continuation),
            (masked(0x00, b"x"), FrameError::Continuation),
            ([masked(0x01, b"x"), masked(0x81, b"y")].concat(), FrameError::Continuation),
            ([masked(0x02, b"x"), masked(0x02, b"y")].concat(), FrameError::Continuation),
            (masked(0x88, b"\x03"), FrameError::CloseCode),
            (masked(0x88, b"\x03\xe8\xff"), FrameError::NotUtf8),
            (masked(0x81, b"\xff"), FrameError::NotUtf8),
            (masked(0x81, b"caf\xc3"), FrameError::NotUtf8),
            (masked(0x81, b"\xed\xa0\x80"), FrameError::NotUtf8),
            // No continuation can mend these, so none is waited for.
            (masked(0x01, b"\xc3("), FrameError::NotUtf8),
            ([masked(0x01, b"\xf0\x9f"), masked(0x00, b"\x98x")].concat(), FrameError::NotUtf8),
            ([masked(0x01, b"\xe2\x82"), masked(0x80, b"")].concat(), FrameError::NotUtf8),
        ] {
            assert_eq!(hear_one(&bytes), Err(WireError::Frame(why)), "{bytes:?}");
        }
    }

    #[test]
    fn close_codes_are_those_that_may_be_sent() {
        for code in 0..=5100u16 {
            let may = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let heard = hear_one(&masked(0x88, &code.to_be_bytes()));
            let expected =
                if may { Ok(Some(Heard::Close(Some(code)))) } else { Err(FrameError::CloseCode.into()) };
            assert_eq!(heard, expected, "{code}");
        }
    }

    #[test]
    fn a_character_may_be_cut_by_a_fragment() {
        let bytes = "é😀".as_bytes();
        for cut in 0..=bytes.len() {
            for next in cut..=bytes.len() {
                let (first, second, third) = (&bytes[..cut], &bytes[cut..next], &bytes[next..]);
                let frames = [masked(0x01, first), masked(0x00, second), masked(0x80, third)].concat();
                assert_eq!(hear_one(&frames), Ok(Some(Heard::Text("é😀".into()))));
            }
        }
    }

    #[test]
    fn a_message_has_a_size_over_all_its_fragments() {
        let (fits, over) = ("x".repeat(MAX), WireError::MessageTooLarge(MAX));
        assert_eq!(hear_one(&masked(0x81, fits.as_bytes())), Ok(Some(Heard::Text(fits.clone()))));
        // Judged by the header, before any of the payload is there.
        let header = &masked(0x81, "x".repeat(MAX + 1).as_bytes())[..4];
        assert_eq!(hear_one(header), Err(over.clone()));
        assert_eq!(
            hear_one(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(over.clone())
        );
        let halves = [masked(0x01, &[b'x'; MAX / 2]), masked(0x80, &[b'x'; MAX / 2])].concat();
        assert_eq!(hear_one(&halves), Ok(Some(Heard::Text(fits))));
        let more = [masked(0x01, &[b'x'; MAX / 2]), masked(0x80, &[b'x'; MAX / 2 + 1])].concat();
        assert_eq!(hear_one(&more), Err(over));
        // A control frame between them does not count.
        let ping = [masked(0x01, &[b'x'; MAX]), masked(0x89, b"?"), masked(0x80, b"")].concat();
        assert_eq!(hear_all(&ping, &[]).0.len(), 2);
    }

    #[test]
    fn a_reader_with_nothing_pending_is_one_pointer() {
        assert_eq!(size_of::<FrameReader>(), size_of::<usize>());
        let mut reader = FrameReader::default();
        for bytes in [masked(0x81, b"hello"), masked(0x89, b"?")] {
            for cut in 0..bytes.len() {
                let mut bytes = bytes.clone();
                let (first, second) = bytes.split_at_mut(cut);
                assert_eq!(reader.read(first, MAX), Ok(Progress::NeedMore));
                assert_eq!(reader.partial.is_none(), cut == 0);
                assert!(matches!(reader.read(second, MAX), Ok(Progress::Done { .. })));
                assert!(reader.partial.is_none());
            }
        }
    }

    #[test]
    fn memory_grows_with_what_arrived() {
        let mut reader = FrameReader::default();
        let mut header = [0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5];
        assert_eq!(reader.read(&mut header, usize::MAX), Ok(Progress::NeedMore));
        let message = reader.partial.unwrap().message.unwrap();
        assert!(message.bytes.len() == 1 && message.bytes.capacity() < 100);
    }

    #[test]
    fn what_we_send_is_short_and_whole() {
        assert_eq!(text(b"hi"), b"\x81\x02hi");
        assert_eq!(binary(b"hi"), b"\x82\x02hi");
        assert_eq!(ping(), &b"\x89\0"[..]);
        assert_eq!(pong(b"hi"), b"\x8a\x02hi");
        assert_eq!(close(1000, ""), b"\x88\x02\x03\xe8");
        assert_eq!(close(4401, "key"), b"\x88\x05\x11\x31key");
        assert_eq!(text(&[b'x'; 126])[..4], [0x81, 126, 0, 126]);
        assert_eq!(text(&[b'x'; 65_536])[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        for (reason, len) in [("x".repeat(123), 123), ("x".repeat(124), 123), ("é".repeat(70), 122)] {
            let frame = close(1011, &reason);
            assert_eq!(usize::from(frame[1]), len + 2);
            assert_eq!(std::str::from_utf8(&frame[4..]), Ok(&reason[..len]));
        }
    }

    /// A socket in memory: reads what is given, keeps what is written.
    struct Loop(Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Loop {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Loop {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn an_independent_client_is_understood(
            messages in prop::collection::vec((any::<bool>(), "[a-zé😀]{0,300}"), 0..6),
            pieces in prop::collection::vec(1usize..400, 1..4),
        ) {
            let stream = Loop(Cursor::default(), Vec::new());
            let mut client = WebSocket::from_raw_socket(stream, Role::Client, None);
            let mut said = Vec::new();
            for (is_text, message) in messages.into_iter().filter(|(_, message)| message.len() <= MAX) {
                if is_text {
                    client.send(tungstenite::Message::text(message.clone())).unwrap();
                    said.push(Heard::Text(message));
                } else {
                    client.send(tungstenite::Message::binary(message.clone().into_bytes())).unwrap();
                    said.push(Heard::Binary(message.into_bytes()));
                }
            }
            client.close(None).unwrap();
            client.flush().unwrap();
            said.push(Heard::Close(None));
            prop_assert_eq!(hear_all(&client.get_ref().1, &pieces), (said, None));
        }

        #[test]
        fn an_independent_client_understands(message in "[a-zé]{0,200}", length in 0usize..70_000) {
            let long = "x".repeat(length);
            let sent = [text(message.as_bytes()), text(long.as_bytes()), close(4401, &message)].concat();
            let stream = Loop(Cursor::new(sent), Vec::new());
            let mut client = WebSocket::from_raw_socket(stream, Role::Client, None);
            prop_assert_eq!(client.read().unwrap(), tungstenite::Message::text(message));
            prop_assert_eq!(client.read().unwrap(), tungstenite::Message::text(long));
            let tungstenite::Message::Close(Some(close)) = client.read().unwrap() else { panic!("no close") };
            prop_assert_eq!(u16::from(close.code), 4401);
        }

        #[test]
        fn cuts_make_no_difference(
            frames in prop::collection::vec(
                (prop::sample::select(vec![0x00u8, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1]),
                 prop::collection::vec(prop::sample::select(vec![b'a', 0xc3, 0xa9, 0x03, 0xe8]), 0..140)),
                0..8,
            ),
            pieces in prop::collection::vec(1usize..200, 1..5),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| masked(*first, payload)).collect();
            let at_once = hear_all(&bytes, &[]);
            prop_assert_eq!(hear_all(&bytes, &pieces), at_once.clone());
            prop_assert_eq!(hear_all(&bytes, &[1]), at_once);
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(hear_all(&bytes, &[]), hear_all(&bytes, &[3]));
        }
    }
}
