//! WebSocket frames as a client speaks them (RFC 6455, section 5).
//!
//! Always true: what a client sends is masked; what it hears must not be, is never fragmented here, and has
//! its length in the shortest form.
//!
//! Read first: `speech/mod.rs`.

/// What the broker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text.
    Text(Vec<u8>),
    /// A ping, to be answered with the same bytes.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The end, and why.
    Close(u16),
}

/// The opcode of a text.
pub const TEXT: u8 = 0x1;
/// The opcode of a close.
pub const CLOSE: u8 = 0x8;
/// The opcode of a ping.
pub const PING: u8 = 0x9;
/// The opcode of a pong.
pub const PONG: u8 = 0xa;

/// A whole frame from a client.
pub fn frame(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        middle @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// A frame from the broker at the front of these bytes, and how many of them it is.
pub fn read(bytes: &[u8]) -> Result<Option<(Frame, usize)>, String> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(format!("a frame that begins {first:02x} {second:02x}"));
    }
    let (length, begin) = match second {
        126 => match bytes.get(2..4) {
            Some(two) => (usize::from(u16::from_be_bytes([two[0], two[1]])), 4),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(eight) => (u64::from_be_bytes(eight.try_into().unwrap_or_default()) as usize, 10),
            None => return Ok(None),
        },
        short => (usize::from(short), 2),
    };
    if (begin == 4 && length < 126) || (begin == 10 && length < 65_536) || length > 16 << 20 {
        return Err(format!("a length of {length} in {begin} bytes"));
    }
    let Some(payload) = bytes.get(begin..begin + length) else { return Ok(None) };
    let payload = payload.to_vec();
    let frame = match first & 0x0f {
        TEXT => Frame::Text(payload),
        PING => Frame::Ping(payload),
        PONG => Frame::Pong(payload),
        CLOSE if length >= 2 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
        other => return Err(format!("a frame of opcode {other} with {length} bytes")),
    };
    Ok(Some((frame, begin + length)))
}
