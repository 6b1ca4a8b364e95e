//! The handshake that turns a request into a WebSocket (RFC 6455, section 4.2.1).
//!
//! Always true: an accepted handshake is a GET without a body whose key is 16 bytes in base64.
//!
//! Read first: `request.rs`.

use tungstenite::handshake::derive_accept_key;

use super::error::{BadUpgrade, WireError};
use super::fields::elements;
use super::request::{Framing, Head, Method};

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
    head.fields("upgrade").flat_map(elements).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
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
    for protocol in head.fields("sec-websocket-protocol").flat_map(elements) {
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
