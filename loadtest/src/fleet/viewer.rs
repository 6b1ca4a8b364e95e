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
    /// The handshake, shared with all viewers of the same pattern; none for a bare connection.
    pub greeting: Option<Rc<[u8]>>,
    /// The beginning of a frame whose end is still to come.
    pub partial: Vec<u8>,
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
    /// Sends the handshake if the connection is up; whether it is.
    pub fn greet(&mut self) -> io::Result<bool> {
        let (Some(stream), Some(greeting)) = (self.stream.as_mut(), self.greeting.as_ref()) else {
            return Ok(true);
        };
        match stream.write(greeting) {
            // A fresh connection takes a few hundred bytes whole, or its kernel is out of memory.
            Ok(len) if len == greeting.len() => {
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
        synced: Option<&[u8]>,
        saw: &mut impl FnMut(Seen<'_>),
    ) -> Intake {
        let mut used = 0;
        if self.stage == Stage::Upgrading {
            match websocket::read_handshake(bytes) {
                Progress::Done((), len) => used = len,
                Progress::NeedMore => return Intake::Used(0),
                Progress::Broken(why) => return Intake::Over(refusal(why, bytes)),
            }
            self.stage = if synced.is_some() { Stage::Snapshot } else { Stage::Live };
        }
        loop {
            match websocket::read_frame(&bytes[used..]) {
                Progress::Done(frame, len) => {
                    used += len;
                    match frame {
                        Frame::Text(payload) => self.message(index, payload, at, synced, saw),
                        Frame::Ping(payload) => self.answer_ping(payload),
                        Frame::Close(code) => {
                            return Intake::Over(format!("closed by the broker with {code}"));
                        }
                        Frame::Pong => {}
                    }
                }
                Progress::NeedMore => return Intake::Used(used),
                Progress::Broken(why) => return Intake::Over(why.to_owned()),
            }
        }
    }

    fn message(
        &mut self,
        viewer: usize,
        payload: &[u8],
        at: Nanos,
        synced: Option<&[u8]>,
        saw: &mut impl FnMut(Seen<'_>),
    ) {
        if self.stage == Stage::Snapshot && synced.is_some_and(|synced| payload.starts_with(synced)) {
            self.stage = Stage::Live;
        } else {
            saw(Seen { viewer, payload, at });
        }
    }

    /// A pong that finds no room is left out: the next ping asks again.
    fn answer_ping(&mut self, payload: &[u8]) {
        if let Some(stream) = self.stream.as_mut() {
            let _ = stream.write(&websocket::pong(payload));
        }
    }
}

/// A refused handshake, with the status line the broker gave.
fn refusal(why: &str, bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    format!("{why}: {}", String::from_utf8_lossy(&line[..line.len().min(80)]))
}
