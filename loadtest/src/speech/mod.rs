//! How one talks to a kind of broker: all that differs between them.
//!
//! Always true: requests are bytes made before the clock starts; whatever a broker says is taken apart where
//! it lies. A new broker is one more implementation and one more line in [`Kind`].
//!
//! Read first: `speech/lux.rs`, then any other.

mod lux;
mod mqtt;
mod nats;
mod plain;

use std::sync::Arc;

use clap::ValueEnum;

use crate::http::{self, Progress, Request};
use crate::websocket::{self, NONCE};

/// Which broker's ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Kind {
    /// Lux's contract; the ceilings', too
    Lux,
    /// POST /pub/KEY, WebSocket /sub/KEY
    Nchan,
    /// PUT /state/KEY, WebSocket /watch/KEY: the brokers in loadtest/peers that are ours
    Plain,
    /// MQTT 3.1.1: retained, QoS 1 from producers over TCP, viewers over WebSocket
    Mqtt,
    /// NATS: verbose PUB over TCP, viewers over WebSocket
    Nats,
}

impl Kind {
    /// Its speech, with an API key where it has such a thing.
    pub fn speech(self, api_key: Option<&str>) -> Arc<dyn Speech> {
        match self {
            Kind::Lux => Arc::new(lux::Lux::new(api_key)),
            Kind::Nchan => Arc::new(plain::NCHAN),
            Kind::Plain => Arc::new(plain::OURS),
            Kind::Mqtt => Arc::new(mqtt::Mqtt),
            Kind::Nats => Arc::new(nats::Nats),
        }
    }
}

/// How one talks to a kind of broker.
pub trait Speech: Send + Sync {
    /// A request that replaces the state of a key.
    fn put(&self, host: &str, key: &str, state: &str) -> Request;

    /// A request that merges members into it; none where the broker cannot.
    fn patch(&self, _host: &str, _key: &str, _members: &str) -> Option<Request> {
        None
    }

    /// A request that reads it; none where the broker cannot.
    fn get(&self, _host: &str, _key: &str) -> Option<Request> {
        None
    }

    /// What a producer says first, and is answered with [`Reply::Greeted`]; empty where it says nothing.
    fn producer_greeting(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads one thing that a broker says to a producer.
    fn read_reply(&self, bytes: &[u8]) -> Progress<Reply> {
        http::read_answer(bytes).map(Reply::Answer)
    }

    /// What a viewer of this key, or prefix (`device-*`), says; none where there are no prefixes.
    fn watch(&self, host: &str, pattern: &str) -> Option<Greeting>;

    /// Reads one thing that a broker says to a viewer, out of what frames carry.
    fn read_message<'a>(&self, bytes: &'a [u8]) -> Progress<Said<'a>> {
        Progress::Done(Said::state(bytes), bytes.len())
    }

    /// Whether a viewer is live with its handshake; if not, [`Said::is_synced`] makes it so.
    fn is_live_at_once(&self) -> bool {
        false
    }
}

/// What a viewer says to begin with.
pub struct Greeting {
    /// Its request.
    pub handshake: Vec<u8>,
    /// What it says when that was granted; may be empty.
    pub hello: Vec<u8>,
}

/// What a broker says to a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To the oldest request: an HTTP status, or what corresponds to it.
    Answer(u16),
    /// To the greeting.
    Greeted,
    /// To nothing.
    Aside,
    /// A question, and what to say to it.
    Asked(&'static [u8]),
}

/// What a broker says to a viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Said<'a> {
    /// A state, with whatever it is wrapped in.
    pub state: Option<&'a [u8]>,
    /// The viewer has its snapshot with this.
    pub is_synced: bool,
    /// A question, and what to say to it.
    pub asked: Option<&'static [u8]>,
}

impl<'a> Said<'a> {
    /// A state.
    pub fn state(bytes: &'a [u8]) -> Said<'a> {
        Said { state: Some(bytes), ..Said::default() }
    }

    /// That the snapshot is complete.
    pub fn synced() -> Said<'a> {
        Said { is_synced: true, ..Said::default() }
    }
}

/// A WebSocket handshake; `fields` end in CRLF each.
fn handshake(host: &str, path: &str, fields: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {NONCE}\r\n{fields}\r\n"
    )
    .into_bytes()
}

/// A request with a body.
fn request(line: &str, host: &str, fields: &str, body: &str) -> Request {
    let length = body.len();
    Request::new(
        format!("{line} HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {length}\r\n\r\n{body}").into(),
    )
}

/// A binary message of a client.
fn binary(payload: &[u8]) -> Vec<u8> {
    websocket::client_frame(0x82, payload)
}
