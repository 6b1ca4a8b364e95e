//! A viewer's half of RFC 6455: the handshake, frames as a server sends them, pongs and closes in return.
//!
//! Always true: a frame is looked at where it lies; nothing is copied. Frames of a server are unmasked
//! (section 5.1), and one that is masked breaks the stream.
//!
//! Read first: `http.rs`.

use memchr::memmem;

use crate::http::Progress;

/// The nonce of every handshake (that of RFC 6455, section 1.3), and what a server has to make of it.
pub const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The `Sec-WebSocket-Accept` that belongs to [`NONCE`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole message, text or binary.
    Message(&'a [u8]),
    /// A ping, to be answered with the same bytes.
    Ping(&'a [u8]),
    /// The end, with its code (1005 where it says none).
    Close(u16),
    /// A pong nobody asked for.
    Pong,
}

/// Reads the answer to the handshake.
pub fn read_handshake(bytes: &[u8]) -> Progress<()> {
    const HEAD_MAX: usize = 16 * 1024;
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_MAX {
            Progress::Broken("a head without end")
        } else {
            Progress::NeedMore
        };
    };
    let head = &bytes[..end];
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Progress::Broken("the handshake was refused");
    }
    match memmem::find(head, ACCEPT.as_bytes()) {
        Some(_) => Progress::Done((), end + 4),
        None => Progress::Broken("a handshake with the wrong accept key"),
    }
}

/// Reads one frame.
pub fn read_frame(bytes: &[u8]) -> Progress<Frame<'_>> {
    const FIN: u8 = 0x80;
    const MASKED: u8 = 0x80;
    let [first, second, ..] = *bytes else { return Progress::NeedMore };
    if second & MASKED != 0 {
        return Progress::Broken("a masked frame from a server");
    }
    let (header, len): (usize, usize) = match second {
        126 => match bytes.get(2..4) {
            Some(len) => (4, usize::from(u16::from_be_bytes([len[0], len[1]]))),
            None => return Progress::NeedMore,
        },
        127 => match bytes.get(2..10).and_then(|len| len.try_into().ok()) {
            Some(len) => (10, u64::from_be_bytes(len) as usize),
            None => return Progress::NeedMore,
        },
        short => (2, usize::from(short)),
    };
    let Some(payload) = header.checked_add(len).and_then(|end| bytes.get(header..end)) else {
        return Progress::NeedMore;
    };
    let frame = match first {
        _ if first & FIN == 0 => return Progress::Broken("a fragmented message"),
        0x81 | 0x82 => Frame::Message(payload),
        0x88 => Frame::Close(payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))),
        0x89 => Frame::Ping(payload),
        0x8A => Frame::Pong,
        _ => return Progress::Broken("a frame of an unknown kind"),
    };
    Progress::Done(frame, header + len)
}

/// A pong with these bytes (125 at most, section 5.5). Clients mask; a mask of zeros changes nothing and
/// costs the server what any other does.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x8A, 0x80 | payload.len().min(125) as u8, 0, 0, 0, 0];
    frame.extend_from_slice(&payload[..payload.len().min(125)]);
    frame
}

/// A frame of a client, with a mask of zeros, and that first byte.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = text(payload);
    let header = frame.len() - payload.len();
    frame[0] = first;
    frame[1] |= 0x80;
    frame.splice(header..header, [0; 4]);
    frame
}

/// A text frame as a server sends it.
pub fn text(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        len @ 0..=125 => frame.push(len as u8),
        len @ 126..=0xFFFF => {
            frame.push(126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_read_back_whole_and_never_early() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = vec![b'x'; len];
            let frame = text(&payload);
            assert_eq!(read_frame(&frame), Progress::Done(Frame::Message(&payload), frame.len()));
            for cut in [0, 1, 2, 3, 9, frame.len() - 1] {
                let cut = cut.min(frame.len() - 1);
                assert_eq!(read_frame(&frame[..cut]), Progress::NeedMore, "{len} bytes cut at {cut}");
            }
        }
    }

    #[test]
    fn control_frames_are_told_apart() {
        assert_eq!(read_frame(&[0x89, 2, b'h', b'i']), Progress::Done(Frame::Ping(b"hi"), 4));
        assert_eq!(read_frame(&[0x88, 2, 0x03, 0xF3]), Progress::Done(Frame::Close(1011), 4));
        assert_eq!(read_frame(&[0x88, 0]), Progress::Done(Frame::Close(1005), 2));
        assert_eq!(read_frame(&[0x8A, 0]), Progress::Done(Frame::Pong, 2));
    }

    #[test]
    fn what_a_server_must_not_send_breaks_the_stream() {
        assert!(matches!(read_frame(&[0x81, 0x80, 0, 0, 0, 0]), Progress::Broken(_)));
        assert!(matches!(read_frame(&[0x01, 0]), Progress::Broken(_)));
        assert!(matches!(read_frame(&[0x83, 0]), Progress::Broken(_)));
    }

    #[test]
    fn a_frame_longer_than_memory_is_not_a_panic() {
        assert_eq!(read_frame(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255]), Progress::NeedMore);
    }

    #[test]
    fn a_handshake_needs_the_right_key() {
        let good = format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n\x01");
        assert_eq!(read_handshake(good.as_bytes()), Progress::Done((), good.len() - 1));
        assert_eq!(read_handshake(&good.as_bytes()[..40]), Progress::NeedMore);
        assert!(matches!(read_handshake(b"HTTP/1.1 101 Ok\r\n\r\n"), Progress::Broken(_)));
        assert!(matches!(read_handshake(b"HTTP/1.1 401 No\r\n\r\n"), Progress::Broken(_)));
    }

    #[test]
    fn a_clients_frame_is_masked() {
        assert_eq!(client_frame(0x82, b"ab"), [0x82, 0x82, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(client_frame(0x81, &[7; 200])[..8], [0x81, 0x80 | 126, 0, 200, 0, 0, 0, 0]);
    }

    #[test]
    fn pongs_are_masked_and_carry_the_pings_bytes() {
        assert_eq!(pong(b"ab"), [0x8A, 0x82, 0, 0, 0, 0, b'a', b'b']);
    }
}
