//! One viewer's connection: handshake, snapshot, then states as they come.
//!
//! Always true: a viewer that waits for nothing keeps no buffer; bytes are kept only while a frame is cut.
//!
//! Read first: `websocket.rs`.

use std::io::{self, Write};
use std::rc::Rc;

use mio::net::TcpStream;

use crate::clock::Nanos;
use crate::http::Progress;
use crate::speech::{Greeting, Speech};
use crate::websocket::{self, Frame};

/// How far a viewer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The handshake has not gone out.
    Connecting,
    /// It has, and is not answered.
    Upgrading,
    /// States come that were there before it came.
    Snapshot,
    /// Changes come as they happen.
    Live,
    /// The connection is over.
    Gone,
}

/// One viewer.
pub struct Viewer {
    /// Its socket; `None` when it is gone.
    pub stream: Option<TcpStream>,
    /// How far it is.
    pub stage: Stage,
    /// What it says first, shared with all viewers of the same pattern; none for a bare connection.
    pub greeting: Option<Rc<Greeting>>,
    /// The beginning of a frame whose end is still to come.
    pub partial: Vec<u8>,
    /// The beginning of a message whose end is in a later frame; few brokers cut them.
    message: Vec<u8>,
    /// Reads only when told to.
    pub is_slow: bool,
    /// When its connection was begun.
    pub began: Nanos,
}

/// A message to a viewer.
pub struct Seen<'a> {
    /// Index of the viewer.
    pub viewer: usize,
    /// The message.
    pub payload: &'a [u8],
    /// When it was read.
    pub at: Nanos,
}

/// What a read amounted to.
pub enum Intake {
    /// So many bytes are dealt with; the rest is to be kept.
    Used(usize),
    /// The connection is over, and why.
    Over(String),
}

impl Viewer {
    /// One that has said nothing yet.
    pub fn new(
        stream: Option<TcpStream>,
        stage: Stage,
        greeting: Option<Rc<Greeting>>,
        began: Nanos,
    ) -> Viewer {
        let (partial, message) = (Vec::new(), Vec::new());
        Viewer { stream, stage, greeting, partial, message, is_slow: false, began }
    }

    /// Sends the handshake if the connection is up; whether it is.
    pub fn greet(&mut self) -> io::Result<bool> {
        let (Some(stream), Some(greeting)) = (self.stream.as_mut(), self.greeting.as_ref()) else {
            return Ok(true);
        };
        match stream.write(&greeting.handshake) {
            // A fresh connection takes a few hundred bytes whole, or its kernel is out of memory.
            Ok(len) if len == greeting.handshake.len() => {
                self.stage = Stage::Upgrading;
                Ok(true)
            }
            Ok(_) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes in what was read.
    pub fn take_in(
        &mut self,
        index: usize,
        bytes: &[u8],
        at: Nanos,
        speech: &dyn Speech,
        saw: &mut impl FnMut(Seen<'_>),
    ) -> Intake {
        let mut used = 0;
        if self.stage == Stage::Upgrading {
            match self.read_welcome(bytes, speech) {
                Progress::Done((), len) => used = len,
                Progress::NeedMore => return Intake::Used(0),
                Progress::Broken(why) => return Intake::Over(refusal(why, bytes)),
            }
        }
        let mut hear = |viewer: &mut Viewer, payload: &[u8]| {
            viewer.hear(payload, speech, &mut |payload| saw(Seen { viewer: index, payload, at }))
        };
        while used < bytes.len() {
            let rest = &bytes[used..];
            let heard = match websocket::read_frame(rest) {
                Progress::Done(frame, len) => self.obey(frame, &mut hear).map(|()| len),
                Progress::NeedMore => return Intake::Used(used),
                Progress::Broken(why) => Err(why.to_owned()),
            };
            match heard {
                Ok(len) => used += len,
                Err(why) => return Intake::Over(why),
            }
        }
        Intake::Used(used)
    }

    /// Reads what the broker says to the handshake, and says what follows.
    fn read_welcome(&mut self, bytes: &[u8], speech: &dyn Speech) -> Progress<()> {
        websocket::read_handshake(bytes).and_then(|()| {
            self.stage = if speech.is_live_at_once() { Stage::Live } else { Stage::Snapshot };
            if let (Some(stream), Some(greeting)) = (self.stream.as_mut(), self.greeting.as_ref()) {
                match stream.write(&greeting.hello) {
                    Ok(len) if len == greeting.hello.len() => {}
                    Ok(_) | Err(_) => return Err("no room for a few hundred bytes"),
                }
            }
            Ok(())
        })
    }

    fn obey(
        &mut self,
        frame: Frame<'_>,
        hear: &mut impl FnMut(&mut Viewer, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        match frame {
            Frame::Message(payload) => hear(self, payload)?,
            Frame::Ping(payload) => self.say(&websocket::pong(payload)),
            Frame::Close(code) => return Err(format!("closed by the broker with {code}")),
            Frame::Pong => {}
        }
        Ok(())
    }

    /// Takes in what frames or chunks carry.
    fn hear(
        &mut self,
        payload: &[u8],
        speech: &dyn Speech,
        saw: &mut impl FnMut(&[u8]),
    ) -> Result<(), String> {
        if self.message.is_empty() {
            let used = self.hear_all(payload, speech, saw)?;
            self.message.extend_from_slice(&payload[used..]);
        } else {
            let mut message = std::mem::take(&mut self.message);
            message.extend_from_slice(payload);
            let used = self.hear_all(&message, speech, saw)?;
            message.drain(..used);
            self.message = message;
        }
        Ok(())
    }

    /// Takes in every whole message, and says how many bytes they were.
    fn hear_all(
        &mut self,
        bytes: &[u8],
        speech: &dyn Speech,
        saw: &mut impl FnMut(&[u8]),
    ) -> Result<usize, String> {
        let mut used = 0;
        while used < bytes.len() {
            match speech.read_message(&bytes[used..]) {
                Progress::Done(said, len) => {
                    used += len;
                    if let Some(state) = said.state {
                        saw(state);
                    }
                    if said.is_synced && self.stage == Stage::Snapshot {
                        self.stage = Stage::Live;
                    }
                    if let Some(answer) = said.asked {
                        self.say(&websocket::client_frame(0x82, answer));
                    }
                }
                Progress::NeedMore => break,
                Progress::Broken(why) => return Err(why.to_owned()),
            }
        }
        Ok(used)
    }

    /// Says something that may be left out where there is no room: the next ping asks again.
    fn say(&mut self, frame: &[u8]) {
        if let Some(stream) = self.stream.as_mut() {
            let _ = stream.write(frame);
        }
    }
}

/// A refused handshake, with the status line the broker gave.
fn refusal(why: &str, bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    format!("{why}: {}", String::from_utf8_lossy(&line[..line.len().min(80)]))
}
