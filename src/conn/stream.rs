//! One peer that is a viewer: a WebSocket or an event stream.
//!
//! Always true: a viewer is known by whom it is granted to and what it watches; what it is owed stands in
//! its outbox. A socket is open until a close frame was sent or received, and says nothing after its own.
//!
//! Read first: `wire/frame.rs`, `wire/message.rs`.

use std::sync::Arc;

use bytes::Bytes;

use crate::access::token::Pass;
use crate::access::{Holder, HolderId};
use crate::conn::manners::Message;
use crate::conn::outbox::Dialect;
use crate::conn::route::House;
use crate::ids::Epoch;
use crate::key::Pattern;
use crate::limits::Limits;
use crate::wire::frame::{self, FrameReader, Heard};
use crate::wire::message::{self, Command};
use crate::wire::{Progress, WireError, event};

/// A viewer's side of the conversation.
pub struct Stream {
    /// The API key that watches; of no meaning beside a token.
    key: HolderId,
    /// One key was named in the path: no commands, and event ids.
    pub single: bool,
    is_socket: bool,
    /// Pings that were handed to the kernel and not answered.
    pub pings_unanswered: u8,
    /// What waits until the snapshot under way is complete, or until the peer has read its answers.
    pub later: Option<Box<Later>>,
    rare: Option<Box<Rare>>,
    /// When it became a viewer, in whole seconds of Unix time.
    pub opened_s: u32,
    /// Of no use to events; a type of its own for them would take 8 bytes more.
    reader: FrameReader,
}

/// What few viewers have, so that the others need no room for it.
#[derive(Default)]
struct Rare {
    /// The token that watches.
    pass: Option<Arc<Pass>>,
    /// What it unsubscribed, as far as that matters when it subscribes again.
    given_up: GivenUp,
}

/// What a viewer said and is not done yet.
#[derive(Default)]
pub struct Later {
    /// A command that would begin another snapshot.
    pub command: Option<Command>,
    /// What it said behind it.
    pub bytes: Vec<u8>,
}

/// Patterns that a viewer gave up. Records of theirs may be on their way while it asks for them again, and the deletion
/// of one of these keys may have passed unsaid; so the snapshot that follows says where it begins.
#[derive(Default)]
struct GivenUp(Vec<Pattern>);

impl GivenUp {
    /// So many are known one by one; more are taken for everything.
    const KNOWN_MAX: usize = 16;

    /// A pattern is watched no longer.
    fn add(&mut self, pattern: &Pattern) {
        if !self.0.iter().any(|known| known.covers(pattern)) {
            self.0.push(pattern.clone());
        }
        if self.0.len() > GivenUp::KNOWN_MAX {
            self.0 = vec![Pattern::ALL];
        }
    }

    /// Patterns are watched from now on; whether keys of theirs were given up before.
    fn take_up(&mut self, patterns: &[Pattern]) -> bool {
        let met = self.0.iter().any(|known| patterns.iter().any(|pattern| pattern.meets(known)));
        self.0.retain(|known| !patterns.iter().any(|pattern| pattern.covers(known)));
        met
    }
}

/// What a viewer's bytes came to.
pub enum Said {
    /// Nothing more without more bytes.
    NeedMore,
    /// Something that needs nobody: a pong.
    Nothing,
    /// Answer with these bytes, before any state.
    Answer(Bytes),
    /// Change what is watched.
    Command(Command),
    /// Say this, then close.
    Close(Bytes),
}

impl Stream {
    /// A viewer over WebSocket.
    pub fn socket(holder: Holder, single: bool) -> Stream {
        Stream::new(holder, single, true)
    }

    /// A viewer over Server-Sent Events.
    pub fn events(holder: Holder, single: bool) -> Stream {
        Stream::new(holder, single, false)
    }

    fn new(holder: Holder, single: bool, is_socket: bool) -> Stream {
        let mut stream = Stream {
            key: HolderId(0),
            single,
            pings_unanswered: 0,
            later: None,
            rare: None,
            is_socket,
            opened_s: 0,
            reader: FrameReader::default(),
        };
        stream.set_holder(holder);
        stream
    }

    /// Who watches, for grants that change.
    pub fn holder(&self) -> Holder {
        let pass = self.rare.as_ref().and_then(|rare| rare.pass.clone());
        pass.map_or(Holder::Key(self.key), Holder::Token)
    }

    /// It is somebody else in a table that was made anew.
    pub fn set_holder(&mut self, holder: Holder) {
        match (holder, &mut self.rare) {
            (Holder::Token(pass), rare) => rare.get_or_insert_default().pass = Some(pass),
            (Holder::Key(key), None) => self.key = key,
            (Holder::Key(key), Some(rare)) => (self.key, rare.pass) = (key, None),
        }
    }

    /// A pattern is watched no longer.
    pub fn give_up(&mut self, pattern: &Pattern) {
        self.rare.get_or_insert_default().given_up.add(pattern);
    }

    /// Patterns are watched from now on; whether keys of theirs were given up before.
    pub fn take_up(&mut self, patterns: &[Pattern]) -> bool {
        self.rare.as_mut().is_some_and(|rare| rare.given_up.take_up(patterns))
    }

    /// Whether it is a WebSocket.
    pub fn is_socket(&self) -> bool {
        self.is_socket
    }

    /// Whether a message has begun and not ended.
    pub fn is_mid_message(&self) -> bool {
        !self.reader.is_idle()
    }

    /// Memory that what it is saying takes, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.reader.held_bytes()
    }

    /// What it was saying is not heard to its end.
    pub fn forget_message(&mut self) {
        self.reader = FrameReader::default();
    }

    /// Whether a command waits; nothing is read behind it.
    pub fn has_command_waiting(&self) -> bool {
        self.later.as_ref().is_some_and(|later| later.command.is_some())
    }

    /// Keeps bytes that come behind what waits.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.later.get_or_insert_default().bytes.extend_from_slice(bytes);
    }

    /// How records are spoken here.
    pub fn dialect<'a>(&self, epoch: &'a Epoch) -> Dialect<'a> {
        match self.is_socket {
            true => Dialect::Frames,
            false => Dialect::Events(self.single.then_some(epoch)),
        }
    }

    /// A JSON text of ours, as this viewer gets it: `synced`.
    pub fn synced(&self, json: &[u8]) -> Bytes {
        match self.is_socket {
            true => Bytes::from(frame::text(json)),
            false => {
                let mut out = Vec::with_capacity(json.len() + 32);
                event::synced(&mut out, json);
                Bytes::from(out)
            }
        }
    }

    /// What keeps the connection known to be alive: a ping, or a comment.
    pub fn heartbeat(&self) -> Bytes {
        match self.is_socket {
            true => frame::ping(),
            false => Bytes::from_static(event::COMMENT),
        }
    }

    /// The last words before the connection closes. Event streams have none.
    pub fn farewell(&self, code: u16, reason: &str) -> Bytes {
        match self.is_socket {
            true => Bytes::from(frame::close(code, reason)),
            false => Bytes::new(),
        }
    }

    /// Reads the next thing a viewer said from the front of `bytes`; says how many of them it was.
    pub fn next(&mut self, bytes: &mut [u8], house: &House) -> (usize, Said) {
        if !self.is_socket {
            return (bytes.len(), Said::NeedMore);
        }
        match self.reader.read(bytes, house.limits.message_bytes_max) {
            Ok(Progress::NeedMore) => (bytes.len(), Said::NeedMore),
            Ok(Progress::Done { value, used }) => (used, self.understand(value, house)),
            Err(error) => {
                let close = frame::close(error.close_code(), &error.to_string());
                (bytes.len(), Said::Close(Bytes::from(close)))
            }
        }
    }

    fn understand(&mut self, heard: Heard, house: &House) -> Said {
        let heed = |message| (house.manners.heed)(message, self.single, &house.limits);
        match heard {
            Heard::Text(text) => heed(Message::Text(text)),
            Heard::Binary(bytes) => heed(Message::Binary(bytes)),
            Heard::Ping(payload) => Said::Answer(Bytes::from(frame::pong(&payload))),
            Heard::Pong => {
                self.pings_unanswered = 0;
                Said::Nothing
            }
            Heard::Close(code) => Said::Close(Bytes::from(frame::close(code.unwrap_or(1000), ""))),
        }
    }
}

/// What the broker does about a message: a command is carried out, anything else is complained of.
pub fn heed(message: Message, single: bool, limits: &Limits) -> Said {
    match message {
        Message::Text(_) if single => complain(&WireError::BadMessage(
            "this stream watches one key; open /api/lux/stream?keys=… to subscribe and unsubscribe",
        )),
        Message::Text(text) => match message::parse(&text, limits.patterns_max) {
            Ok(command) => Said::Command(command),
            Err(error) => complain(&error),
        },
        Message::Binary(_) => complain(&WireError::BadMessage("send commands as text, not as binary")),
    }
}

/// An error message to a viewer whose stream goes on.
pub fn complain(error: &WireError) -> Said {
    Said::Answer(Bytes::from(frame::text(&error.to_json())))
}
