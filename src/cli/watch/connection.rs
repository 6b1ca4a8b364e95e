//! One WebSocket to the broker.
//!
//! Always true: the key goes in the handshake's `Authorization` field. A connection that stays silent is
//! asked for a sign of life, and given up when none comes; whoever waits gets its turn in between.
//!
//! Read first: `cli/client.rs`.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Bytes, Connector, Error, Message, WebSocket};

use super::super::client::{bearer, plain_io, refusal};
use super::super::failure::Failure;
use super::super::trust::Trust;
use crate::access::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The broker pings more often than this unless told otherwise, so our own question is rare.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// States may be larger than the library expects by default.
const FRAME_BYTES_MAX: usize = 128 * 1024 * 1024;

/// An open stream.
pub struct Connection {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    /// The same socket, to set its timeout under TLS too.
    tcp: TcpStream,
    heard_at: Instant,
    is_asked: bool,
}

/// What listening for a while came to.
pub enum Heard {
    /// A text frame.
    Text(String),
    /// Nothing yet.
    Silence,
    /// The connection is over.
    Lost(Lost),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Lost {
    /// The broker said no, and would again.
    ForGood(Failure),
    /// It may work later.
    ForNow(String),
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Why not, and whether another attempt makes sense.
    pub fn open(url: &str, key: Option<&Secret>, trust: &Trust) -> Result<Connection, Lost> {
        let mut request = url.into_client_request().map_err(|error| Lost::ForNow(error.to_string()))?;
        if let Some(key) = key {
            let value =
                HeaderValue::from_str(&bearer(key)).map_err(|error| Lost::ForNow(error.to_string()))?;
            request.headers_mut().insert("authorization", value);
        }
        let tcp = connect(request.uri()).map_err(|error| Lost::ForNow(plain_io(&error)))?;
        let later = |error: io::Error| Lost::ForNow(plain_io(&error));
        tcp.set_read_timeout(Some(HANDSHAKE_TIMEOUT)).map_err(later)?;
        tcp.set_write_timeout(Some(HANDSHAKE_TIMEOUT)).map_err(later)?;
        let handle = tcp.try_clone().map_err(later)?;
        let tls =
            trust.for_streams().map_err(|error| Lost::ForNow(error.to_string()))?.map(Connector::Rustls);
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        match tungstenite::client_tls_with_config(request, tcp, Some(config), tls) {
            Ok((socket, _)) => {
                Ok(Connection { socket, tcp: handle, heard_at: Instant::now(), is_asked: false })
            }
            Err(HandshakeError::Failure(error)) => Err(lost(error)),
            Err(HandshakeError::Interrupted(_)) => {
                Err(Lost::ForNow("it does not answer the handshake".to_owned()))
            }
        }
    }

    /// Waits for a text frame, but not longer than `patience`.
    pub fn listen(&mut self, patience: Duration) -> Heard {
        // A timeout of zero would mean to wait for ever.
        let patience = patience.max(Duration::from_millis(1));
        if let Err(error) = self.tcp.set_read_timeout(Some(patience)) {
            return Heard::Lost(Lost::ForNow(plain_io(&error)));
        }
        match self.socket.read() {
            Ok(message) => {
                self.heard_at = Instant::now();
                self.is_asked = false;
                take(message)
            }
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.mind_silence()
            }
            Err(error) => Heard::Lost(lost(error)),
        }
    }

    fn mind_silence(&mut self) -> Heard {
        let silence = self.heard_at.elapsed();
        if silence >= SILENCE_MAX * 2 {
            return Heard::Lost(Lost::ForNow(format!("no sign of life for {} s", silence.as_secs())));
        }
        if silence >= SILENCE_MAX && !self.is_asked {
            self.is_asked = true;
            if let Err(error) = self.socket.send(Message::Ping(Bytes::new())) {
                return Heard::Lost(lost(error));
            }
        }
        Heard::Silence
    }
}

fn connect(uri: &Uri) -> io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("wss") { 443 } else { 80 });
    let mut last = io::Error::new(ErrorKind::NotFound, "its name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn take(message: Message) -> Heard {
    match message {
        Message::Text(text) => Heard::Text(text.to_string()),
        Message::Close(frame) => Heard::Lost(closed(frame)),
        // Pings are answered by the library on its next read; the others say nothing to us.
        Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => Heard::Silence,
    }
}

fn closed(frame: Option<CloseFrame>) -> Lost {
    let Some(frame) = frame else { return Lost::ForNow("the broker closed it".to_owned()) };
    let reason = frame.reason.trim();
    match u16::from(frame.code) {
        4401 => {
            let why = if reason.is_empty() { "this API key is gone" } else { reason };
            Lost::ForGood(Failure::Refused(format!("the broker said no: {why}; set LUX_API_KEY to another")))
        }
        1012 => Lost::ForNow("the broker restarts".to_owned()),
        code if reason.is_empty() => Lost::ForNow(format!("the broker closed it with {code}")),
        code => Lost::ForNow(format!("the broker closed it with {code}: {reason}")),
    }
}

fn lost(error: Error) -> Lost {
    match error {
        Error::Http(response) => {
            let status = response.status().as_u16();
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let why = refusal(status, &body);
            // What a server or a proxy cannot do right now it may do later; a client's mistake stays one.
            if status >= 500 || status == 408 || status == 429 {
                Lost::ForNow(why)
            } else {
                Lost::ForGood(Failure::Refused(why))
            }
        }
        Error::Io(error) => Lost::ForNow(plain_io(&error)),
        other => Lost::ForNow(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::coding::CloseCode;

    use super::*;

    fn close(code: u16, reason: &'static str) -> Lost {
        closed(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }))
    }

    #[test]
    fn only_a_key_that_is_gone_ends_it_for_good() {
        assert!(matches!(close(4401, ""), Lost::ForGood(Failure::Refused(_))));
        for code in [1000, 1001, 1011, 1012] {
            assert!(matches!(close(code, "why"), Lost::ForNow(_)), "{code}");
        }
    }

    #[test]
    fn a_refused_handshake_is_told_in_the_brokers_words() {
        let http = |status: u16| {
            let body = b"{\"error\":\"x\",\"message\":\"ask for a key\"}".to_vec();
            let response = tungstenite::http::Response::builder().status(status).body(Some(body)).unwrap();
            lost(Error::Http(Box::new(response)))
        };
        for status in [400, 401, 403, 404, 406] {
            let Lost::ForGood(Failure::Refused(why)) = http(status) else { panic!("{status}") };
            assert!(why.contains("ask for a key"));
        }
        for status in [429, 502, 503] {
            assert!(matches!(http(status), Lost::ForNow(_)), "{status}");
        }
    }
}
