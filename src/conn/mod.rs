//! One peer: what it said, what it is owed, how long it may take.
//!
//! Always true: a connection knows nothing of other connections, of keys' values or of cores. It turns bytes
//! into calls and answers into bytes; the shard does what lies between.
//!
//! Read first: `conn/call.rs`, then `conn/http.rs`, `conn/stream.rs`, `conn/outbox.rs`.

pub mod accept;
pub mod call;
pub mod caller;
pub mod explain;
pub mod http;
pub mod listing;
pub mod manners;
pub mod mint;
pub mod outbox;
mod overview;
pub mod reply;
pub mod route;
pub mod stream;
pub mod waiting;

use smallvec::SmallVec;

use crate::conn::http::Http;
use crate::conn::outbox::Outbox;
use crate::conn::stream::Stream;
use crate::conn::waiting::{Joining, Waiting, Watch};
use crate::time::Deadline;

/// One connection of a core.
pub struct Conn {
    /// Makes its `ConnId` name this connection and no earlier one of the slot.
    pub generation: u32,
    /// What it speaks.
    pub speech: Speech,
    /// What it is owed.
    pub outbox: Outbox,
    /// What it watches.
    pub watches: SmallVec<[Watch; 1]>,
    /// What it is about to watch.
    pub joining: Option<Box<Joining>>,
    /// How far its end has come.
    pub life: Life,
    /// When something is due here, whatever it is.
    pub due: Deadline,
    /// When the core's timer will look at it; never later than `due`.
    pub armed: Deadline,
    /// It stands in the core's list of connections that may have something to send.
    pub queued: bool,
    /// The peer has said that it will send nothing more.
    pub peer_done: bool,
    /// The runtime was told not to read; it waits for a word from us.
    pub paused: bool,
}

/// What a connection speaks.
pub enum Speech {
    /// Requests and answers.
    Http(Box<Http>, Option<Box<Waiting>>),
    /// Frames or events.
    Stream(Box<Stream>),
}

/// How far the end of a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// It goes on.
    Open,
    /// Its last answer is on the way; nothing it says counts any more.
    Closing,
    /// We have said everything; it is read and dropped until it ends, so that our last answer arrives.
    Lingering,
    /// The runtime was told to end it.
    Over,
}

impl Conn {
    /// A connection that was just accepted.
    pub fn new(generation: u32, due: Deadline) -> Conn {
        Conn {
            generation,
            speech: Speech::Http(Box::default(), None),
            outbox: Outbox::default(),
            watches: SmallVec::new(),
            joining: None,
            life: Life::Open,
            due,
            armed: Deadline::NEVER,
            queued: false,
            peer_done: false,
            paused: false,
        }
    }

    /// Whether it is a viewer.
    pub fn is_viewer(&self) -> bool {
        matches!(self.speech, Speech::Stream(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one of each for every viewer. A stream of 40 bytes is the most that fits its place in the heap.
    #[test]
    fn a_viewer_is_small() {
        assert!(size_of::<Stream>() <= 40, "{}", size_of::<Stream>());
        assert!(size_of::<Outbox>() <= 80, "{}", size_of::<Outbox>());
        assert!(size_of::<Conn>() <= 168, "{}", size_of::<Conn>());
    }
}
