//! WebSocket frames, read in one go from RFC 6455, section 5.
//!
//! Always true: it sees all bytes from the beginning, and judges a frame by as many of them as there are.
//!
//! Read first: `targets/frame.rs`.

use lux::wire::WireError;
use lux::wire::error::FrameError;
use lux::wire::frame::Heard;

/// Everything that these bytes of a client say, and what breaks the RFC.
pub fn read(bytes: &[u8], message_bytes_max: usize) -> (Vec<Heard>, Option<WireError>) {
    let mut reader = Reader { bytes, at: 0, begun: None, heard: Vec::new() };
    let error = loop {
        match reader.frame(message_bytes_max) {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    (reader.heard, error)
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    /// Opcode and bytes of the message under way.
    begun: Option<(u8, Vec<u8>)>,
    heard: Vec<Heard>,
}

impl Reader<'_> {
    /// Reads one frame; false where its bytes are not all there.
    fn frame(&mut self, message_bytes_max: usize) -> Result<bool, WireError> {
        let rest = &self.bytes[self.at..];
        let Some(first) = rest.first() else { return Ok(false) };
        let (is_last, opcode) = (first >= &0x80, first % 16);
        if first / 16 % 8 != 0 {
            return Err(FrameError::ReservedBit.into());
        }
        if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) {
            return Err(FrameError::Opcode.into());
        }
        let is_control = opcode >= 8;
        if is_control && !is_last {
            return Err(FrameError::FragmentedControl.into());
        }
        if !is_control && (opcode == 0) != self.begun.is_some() {
            return Err(FrameError::Continuation.into());
        }
        let Some(second) = rest.get(1) else { return Ok(false) };
        if second < &0x80 {
            return Err(FrameError::Unmasked.into());
        }
        let short = u64::from(second - 0x80);
        if is_control && short > 125 {
            return Err(FrameError::LongControl.into());
        }
        let wide = [(126, 2, 126), (127, 8, 65_536)].into_iter().find(|wide| wide.0 == short);
        let (length, header_len) = match wide {
            None => (short, 2),
            Some((_, bytes, least)) => {
                let Some(digits) = rest.get(2..2 + bytes) else { return Ok(false) };
                let length =
                    digits.iter().fold(0, |sum: u64, digit| sum.wrapping_mul(256) + u64::from(*digit));
                if length < least || length > i64::MAX as u64 {
                    return Err(FrameError::Length.into());
                }
                (length, 2 + bytes)
            }
        };
        let so_far = self.begun.as_ref().map_or(0, |begun| begun.1.len()) as u64;
        if !is_control && so_far + length > message_bytes_max as u64 {
            return Err(WireError::MessageTooLarge(message_bytes_max));
        }
        let payload_at = header_len + 4;
        let Some(mask) = rest.get(header_len..payload_at) else { return Ok(false) };
        let masked = &rest[payload_at..rest.len().min(payload_at + length as usize)];
        let payload: Vec<u8> = masked.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        if payload.len() < length as usize {
            return self.begun_frame(opcode, &payload).map(|()| false);
        }
        self.at += payload_at + masked.len();
        self.whole(is_last, opcode, payload)?;
        Ok(true)
    }

    /// Text that nothing can mend is not waited for.
    fn begun_frame(&self, opcode: u8, payload: &[u8]) -> Result<(), WireError> {
        let (kind, message) = self.begun.clone().unwrap_or((opcode, Vec::new()));
        let is_text = opcode < 8 && kind == 1;
        match is_text && !may_be_text(&[&message, payload].concat(), false) {
            true => Err(FrameError::NotUtf8.into()),
            false => Ok(()),
        }
    }

    fn whole(&mut self, is_last: bool, opcode: u8, payload: Vec<u8>) -> Result<(), WireError> {
        if opcode >= 8 {
            self.heard.push(match opcode {
                8 => Heard::Close(close_code(&payload)?),
                9 => Heard::Ping(payload),
                _ => Heard::Pong,
            });
            return Ok(());
        }
        let (kind, mut message) = self.begun.take().unwrap_or((opcode, Vec::new()));
        message.extend_from_slice(&payload);
        if kind == 1 && !may_be_text(&message, is_last) {
            return Err(FrameError::NotUtf8.into());
        }
        match (is_last, kind) {
            (false, _) => self.begun = Some((kind, message)),
            (true, 1) => {
                self.heard.push(Heard::Text(String::from_utf8(message).map_err(|_| FrameError::NotUtf8)?))
            }
            (true, _) => self.heard.push(Heard::Binary(message)),
        }
        Ok(())
    }
}

/// Whether it is UTF-8, or can become it where more may follow.
fn may_be_text(bytes: &[u8], is_last: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !is_last && error.error_len().is_none(),
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, WireError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let [high, low, reason @ ..] = payload else { return Err(FrameError::CloseCode.into()) };
    let code = u16::from(*high) * 256 + u16::from(*low);
    let is_known = (1000..1015).contains(&code) && ![1004, 1005, 1006].contains(&code);
    if !is_known && !(3000..5000).contains(&code) {
        return Err(FrameError::CloseCode.into());
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(FrameError::NotUtf8.into());
    }
    Ok(Some(code))
}

/// The one whole frame of a server that these bytes are: its first byte and its payload.
pub fn of_server(bytes: &[u8]) -> (u8, &[u8]) {
    let (length, header_len) = match bytes[1] {
        126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
        127 => (u64::from_be_bytes(bytes[2..10].try_into().expect("eight bytes")) as usize, 10),
        short => (usize::from(short), 2),
    };
    assert!(
        header_len
            == if length < 126 {
                2
            } else if length < 65_536 {
                4
            } else {
                10
            },
        "the shortest form"
    );
    assert_eq!(bytes.len(), header_len + length);
    (bytes[0], &bytes[header_len..])
}
