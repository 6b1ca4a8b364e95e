//! The handshake that turns a request into a WebSocket (RFC 6455, section 4.2.1).
//!
//! Always true: an accepted handshake is a GET without a body whose key is 16 bytes in base64.
//!
//! Read first: `request.rs`.

use tungstenite::handshake::derive_accept_key;

use super::error::{BadUpgrade, WireError};
use super::framing::Framing;
use super::request::{Head, Method};

/// The subprotocol a browser offers beside the one that carries its key, and the only one we answer with.
pub const SUBPROTOCOL: &str = "lux.v1";
const KEY_SUBPROTOCOL: &[u8] = b"lux.key.";

/// What an accepted handshake says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake<'b> {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// Whether `lux.v1` was offered and is to be answered.
    pub subprotocol: bool,
    /// The API key out of the subprotocol `lux.key.<key>`.
    pub key: Option<&'b str>,
}

/// Whether the request asks for a WebSocket, well or badly.
pub fn wanted(head: &Head<'_>) -> bool {
    head.elements("upgrade").any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Checks the handshake.
///
/// # Errors
/// [`WireError::BadUpgrade`] with what it lacks.
pub fn handshake<'b>(head: &Head<'b>) -> Result<Handshake<'b>, WireError> {
    if head.method != Method::Get {
        return Err(BadUpgrade::Method.into());
    }
    if !head.connection_upgrade || !wanted(head) {
        return Err(BadUpgrade::Connection.into());
    }
    if !matches!(head.framing, Framing::Empty | Framing::Length(0)) {
        return Err(BadUpgrade::Body.into());
    }
    if only(head, "sec-websocket-version") != Some(b"13") {
        return Err(BadUpgrade::Version.into());
    }
    let nonce = only(head, "sec-websocket-key").filter(|nonce| is_nonce(nonce)).ok_or(BadUpgrade::Key)?;
    let mut offered = Handshake { accept: derive_accept_key(nonce), subprotocol: false, key: None };
    for protocol in head.elements("sec-websocket-protocol") {
        offered.subprotocol |= protocol == SUBPROTOCOL.as_bytes();
        if offered.key.is_none() {
            offered.key =
                protocol.strip_prefix(KEY_SUBPROTOCOL).and_then(|key| std::str::from_utf8(key).ok());
        }
    }
    Ok(offered)
}

/// The field's value if it stands there exactly once.
fn only<'b>(head: &Head<'b>, name: &str) -> Option<&'b [u8]> {
    let mut lines = head.fields(name);
    let first = lines.next();
    if lines.next().is_some() { None } else { first }
}

/// 16 bytes in base64: 22 digits and two signs of padding.
fn is_nonce(value: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value.len() == 24 && value[..22].iter().all(digit) && value.ends_with(b"==")
}

#[cfg(test)]
mod tests {
    use super::super::error::BadUpgrade;
    use super::*;
    use crate::limits::Limits;
    use crate::wire::request;

    /// The handshake of RFC 6455, section 1.3, and what it must be answered with.
    const LINES: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn with<T>(method: &str, lines: &str, then: impl FnOnce(&Head<'_>) -> T) -> T {
        let text = format!("{method} /api/lux/stream/a HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        then(&request::parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    fn refusal(method: &str, lines: &str) -> BadUpgrade {
        match with(method, lines, |head| handshake(head).map(|offered| offered.accept)) {
            Err(WireError::BadUpgrade(why)) => why,
            other => panic!("{lines}: {other:?}"),
        }
    }

    #[test]
    fn the_rfcs_own_handshake_is_answered() {
        with("GET", LINES, |head| {
            assert!(wanted(head));
            let accepted = Handshake { accept: ACCEPT.into(), subprotocol: false, key: None };
            assert_eq!(handshake(head), Ok(accepted));
        });
    }

    #[test]
    fn a_browsers_lists_are_read() {
        let lines =
            LINES.replace("websocket", "h2c, WebSocket").replace(": Upgrade", ": keep-alive, upgrade");
        let lines = lines
            + "Sec-WebSocket-Protocol: x, lux.v1\r\nSec-WebSocket-Protocol: lux.key.k-1\r\nContent-Length: 0\r\n";
        with("GET", &lines, |head| {
            let offered = handshake(head).unwrap();
            assert_eq!((offered.subprotocol, offered.key), (true, Some("k-1")));
        });
    }

    #[test]
    fn what_a_handshake_lacks_is_named() {
        assert_eq!(refusal("PUT", LINES), BadUpgrade::Method);
        for (from, to, why) in [
            ("Connection: Upgrade", "Connection: close", BadUpgrade::Connection),
            ("Upgrade: websocket", "Upgrade: h2c", BadUpgrade::Connection),
            ("Version: 13", "Version: 8", BadUpgrade::Version),
            ("Version: 13", "Version: 13, 8", BadUpgrade::Version),
            ("Sec-WebSocket-Version: 13\r\n", "", BadUpgrade::Version),
            ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", BadUpgrade::Version),
            ("jZQ==", "jZQ=", BadUpgrade::Key),
            ("dGhl", "dGhl dGhl", BadUpgrade::Key),
            ("dGhl", "dGhldGhl", BadUpgrade::Key),
            (": dGhlIHNhbXBsZSBub25jZQ==", ": ==", BadUpgrade::Key),
            ("dGhl", "d_hl", BadUpgrade::Key),
            ("jZQ==", "jZQAA", BadUpgrade::Key),
            ("Sec-WebSocket-Key", "X-Key", BadUpgrade::Key),
            ("ZQ==", "ZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", BadUpgrade::Key),
            ("Version: 13", "Version: 13\r\nContent-Length: 5", BadUpgrade::Body),
            ("Version: 13", "Version: 13\r\nTransfer-Encoding: chunked", BadUpgrade::Body),
        ] {
            assert!(LINES.contains(from), "{from}");
            assert_eq!(refusal("GET", &LINES.replace(from, to)), why, "{from} -> {to}");
        }
    }

    #[test]
    fn a_request_without_upgrade_wants_none() {
        assert!(!with("GET", "Connection: Upgrade\r\n", wanted));
        assert!(!with("GET", "Upgrade: websocketx\r\n", wanted));
        assert!(with("GET", "Upgrade: WEBSOCKET\r\n", wanted));
    }
}
