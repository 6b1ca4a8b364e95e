//! A viewer over a WebSocket, by tungstenite: a client that the broker's authors did not write.
//!
//! Always true: a ping is answered and not shown; everything else the broker says is shown, in its order.
//!
//! Read first: `record.rs`.

use std::io::{Read, Write};
use std::net::TcpStream;

use tungstenite::client::IntoClientRequest;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use super::{API_KEY, Broker, PATIENCE, Record, Synced, Trouble};

/// An open stream.
pub struct Viewer<S = TcpStream> {
    socket: WebSocket<S>,
    /// The subprotocol that the broker chose.
    pub protocol: Option<String>,
}

/// Something the broker said on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A record.
    Record(Record),
    /// The end of a snapshot.
    Synced(Synced),
    /// The beginning of the snapshot that answers a `subscribe`.
    Syncing(Synced),
    /// That a message was not understood, or not allowed.
    Trouble(Trouble),
    /// The end, with this code (1005 for a close frame without one, 1006 for none at all).
    Closed(u16),
}

impl Viewer {
    /// Opens `/api/lux/stream…` with the tests' key.
    #[track_caller]
    pub fn open(broker: &Broker, rest: &str) -> Viewer {
        Viewer::open_with(broker, rest, &[("authorization", &format!("Bearer {API_KEY}"))])
    }

    /// Opens `/api/lux/stream…` with these fields and no others.
    #[track_caller]
    pub fn open_with(broker: &Broker, rest: &str, fields: &[(&str, &str)]) -> Viewer {
        let stream = broker.connect();
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a deadline can be set");
        Viewer::open_over(stream, rest, fields)
    }

    /// Opens a stream of several patterns.
    #[track_caller]
    pub fn of(broker: &Broker, patterns: &[&str]) -> Viewer {
        Viewer::open(broker, &format!("?keys={}", patterns.join(",")))
    }
}

impl<S: Read + Write> Viewer<S> {
    /// Opens `/api/lux/stream…` with these fields and no others, over a stream of any kind.
    #[track_caller]
    pub fn open_over(stream: S, rest: &str, fields: &[(&str, &str)]) -> Viewer<S> {
        let url = format!("ws://lux.test/api/lux/stream{rest}");
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a field name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a field value"));
        }
        let config = WebSocketConfig::default().read_buffer_size(4096);
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, answer)) => {
                let chosen = answer.headers().get("sec-websocket-protocol");
                let protocol = chosen.map(|value| value.to_str().expect("text").to_string());
                Viewer { socket, protocol }
            }
            Err(why) => panic!("no stream at {rest}: {why}"),
        }
    }

    /// The next thing the broker says.
    #[track_caller]
    pub fn next(&mut self) -> Seen {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Seen::parse(&text),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(close)) => {
                    // Tungstenite has made its answer, and sends it when it is next asked to do anything.
                    let _ = self.socket.flush();
                    return Seen::Closed(close.map_or(1005, |close| close.code.into()));
                }
                Ok(other) => panic!("a viewer gets text and nothing else: {other:?}"),
                Err(tungstenite::Error::Io(why)) if why.kind() == std::io::ErrorKind::Interrupted => {}
                Err(tungstenite::Error::Io(why)) if would_block(&why) => {
                    panic!("nothing came in {PATIENCE:?}")
                }
                Err(_) => return Seen::Closed(1006),
            }
        }
    }

    /// The next thing, which must be a record.
    #[track_caller]
    pub fn record(&mut self) -> Record {
        match self.next() {
            Seen::Record(record) => record,
            other => panic!("a record was due, and came {other:?}"),
        }
    }

    /// The next thing, which must be the end of a snapshot.
    #[track_caller]
    pub fn synced(&mut self) -> Synced {
        match self.next() {
            Seen::Synced(synced) => synced,
            other => panic!("`synced` was due, and came {other:?}"),
        }
    }

    /// The next thing, which must be an error.
    #[track_caller]
    pub fn trouble(&mut self) -> Trouble {
        match self.next() {
            Seen::Trouble(trouble) => trouble,
            other => panic!("an error was due, and came {other:?}"),
        }
    }

    /// The records of the next snapshot, and its `synced`. Where it answers a `subscribe`, its beginning is said, too,
    /// and what came before that was on its way already.
    #[track_caller]
    pub fn snapshot(&mut self) -> (Vec<Record>, Synced) {
        let mut records = Vec::new();
        let mut begun = None;
        loop {
            match self.next() {
                Seen::Syncing(syncing) => {
                    records.clear();
                    begun = Some(syncing);
                }
                Seen::Record(record) => records.push(record),
                Seen::Synced(synced) => {
                    assert!(begun.is_none_or(|begun| begun == synced), "{synced:?} was begun as another");
                    return (records, synced);
                }
                other => panic!("in a snapshot came {other:?}"),
            }
        }
    }

    /// Reads records until one satisfies `last`: all of them.
    #[track_caller]
    pub fn records_until(&mut self, last: impl Fn(&Record) -> bool) -> Vec<Record> {
        let mut records = vec![self.record()];
        while !last(records.last().unwrap()) {
            records.push(self.record());
        }
        records
    }

    /// Reads on until the broker closes, whatever comes before: the code.
    #[track_caller]
    pub fn closed(&mut self) -> u16 {
        loop {
            if let Seen::Closed(code) = self.next() {
                return code;
            }
        }
    }

    /// Says this to the broker.
    #[track_caller]
    pub fn say(&mut self, text: &str) {
        self.send(Message::text(text));
    }

    /// Sends any message.
    #[track_caller]
    pub fn send(&mut self, message: Message) {
        self.socket.send(message).expect("the broker takes a message");
    }

    /// Begins the closing handshake.
    pub fn close(&mut self, code: u16) {
        let frame = tungstenite::protocol::CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).expect("a close can be sent");
    }
}

fn would_block(why: &std::io::Error) -> bool {
    matches!(why.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

impl Seen {
    /// Tells the kinds of text apart.
    #[track_caller]
    pub fn parse(text: &str) -> Seen {
        if text.starts_with("{\"synced\"") {
            Seen::Synced(Synced::parse(text, "synced"))
        } else if text.starts_with("{\"syncing\"") {
            Seen::Syncing(Synced::parse(text, "syncing"))
        } else if text.starts_with("{\"error\"") {
            Seen::Trouble(Trouble::parse(text))
        } else {
            Seen::Record(Record::parse(text))
        }
    }
}

/// Checks that revisions only ever rise.
#[track_caller]
pub fn assert_rising(records: &[Record]) {
    for pair in records.windows(2) {
        assert!(pair[0].rev < pair[1].rev, "rev {} after {}", pair[1].rev, pair[0].rev);
        assert!(pair[0].updated_at <= pair[1].updated_at, "time went back: {pair:?}");
    }
}
