//! A WebSocket spoken frame by frame, so that illegal ones can be sent too.
//!
//! Always true: what comes from the broker is held to RFC 6455: no mask, no reserved bit, the shortest
//! length, whole control frames.
//!
//! Read first: `http.rs`.

use super::{API_KEY, Broker, Http, Request};

/// One frame from the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Whether it ends its message.
    pub fin: bool,
    /// What it is: 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub opcode: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// An open socket.
pub struct RawSocket {
    http: Http,
}

/// The mask of every frame here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The key of every handshake here, and the answer to it (RFC 6455, section 1.3).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request that opens `/api/lux/stream…`.
pub fn upgrade(rest: &str) -> Request {
    Request::new("GET", &format!("/api/lux/stream{rest}"))
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", KEY)
}

/// The bytes of a masked frame. `first` holds FIN, the reserved bits and the opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

impl RawSocket {
    /// Opens `/api/lux/stream…`.
    #[track_caller]
    pub fn open(broker: &Broker, rest: &str) -> RawSocket {
        let mut http = broker.http();
        http.send(&upgrade(rest).bytes());
        RawSocket::accepted(http)
    }

    /// Takes over a connection on which an upgrade was asked for.
    #[track_caller]
    pub fn accepted(mut http: Http) -> RawSocket {
        let head = http.head();
        assert_eq!(head.status, 101, "{head:?}");
        assert_eq!(head.field("Sec-WebSocket-Accept"), Some(ACCEPT));
        assert_eq!(head.elements("Upgrade"), ["websocket"]);
        assert_eq!(head.elements("Connection"), ["upgrade"]);
        assert_eq!(head.field("Content-Length"), None);
        assert_eq!(head.field("Transfer-Encoding"), None);
        assert_eq!(head.field("Sec-WebSocket-Extensions"), None, "none was offered");
        RawSocket { http }
    }

    /// Opens a stream and reads its snapshot.
    #[track_caller]
    pub fn open_synced(broker: &Broker, rest: &str) -> RawSocket {
        let mut socket = RawSocket::open(broker, rest);
        while !socket.text().starts_with("{\"synced\"") {}
        socket
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.http.send(bytes);
    }

    /// Sends these bytes to a broker that may have closed already.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.http.try_send(bytes)
    }

    /// The next frame. `None` when the broker has closed the connection.
    #[track_caller]
    pub fn next(&mut self) -> Option<Frame> {
        let two = self.http.take(2)?;
        assert_eq!(two[0] & 0x70, 0, "no reserved bit without an extension");
        assert_eq!(two[1] & 0x80, 0, "a server never masks");
        let length = match two[1] {
            126 => u64::from(u16::from_be_bytes(self.http.take(2)?.try_into().unwrap())),
            127 => u64::from_be_bytes(self.http.take(8)?.try_into().unwrap()),
            short => u64::from(short),
        };
        let shortest = match length {
            0..126 => length as u8,
            126..65_536 => 126,
            _ => 127,
        };
        assert_eq!(two[1], shortest, "a length in its shortest form");
        let payload = self.http.take(length as usize)?;
        let frame = Frame { fin: two[0] & 0x80 != 0, opcode: two[0] & 0x0f, payload };
        assert!(frame.opcode < 8 || (frame.fin && length < 126), "a control frame is short and whole");
        Some(frame)
    }

    /// The next frame, which must be one whole text.
    #[track_caller]
    pub fn text(&mut self) -> String {
        let frame = self.next().expect("a text, not the end");
        assert!(frame.fin && frame.opcode == 1, "a text was due, and came {frame:?}");
        String::from_utf8(frame.payload).expect("a text is UTF-8")
    }

    /// Reads on until the close frame: its code. Texts before it are passed over.
    #[track_caller]
    pub fn close_code(&mut self) -> u16 {
        loop {
            let frame = self.next().expect("a close frame, not just the end");
            match frame.opcode {
                8 if frame.payload.is_empty() => return 1005,
                8 => {
                    assert!(std::str::from_utf8(&frame.payload[2..]).is_ok(), "a reason is UTF-8");
                    return u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                }
                _ => {}
            }
        }
    }

    /// Checks that the broker closes the connection and says nothing more.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.http.expect_end();
    }

    /// A ping with this payload, and its pong: whatever was sent before has been read by then.
    #[track_caller]
    pub fn round_trip(&mut self, payload: &[u8]) {
        self.send(&frame(0x89, payload));
        loop {
            let frame = self.next().expect("a pong, not the end");
            if frame.opcode == 10 {
                assert_eq!(frame.payload, payload, "a pong carries the ping's payload");
                return;
            }
            assert_eq!(frame.opcode, 1, "only states may come before the pong: {frame:?}");
        }
    }
}

/// The subprotocols that carry the tests' key.
pub fn subprotocols() -> String {
    format!("lux.v1, lux.key.{API_KEY}")
}
