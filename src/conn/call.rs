//! What a peer asks for, once its bytes are understood and its grant is checked.
//!
//! Always true: a [`Call`] is owned, allowed, and whole: whoever carries it out needs neither the bytes it
//! came from nor the key table. A [`Question`] may cross to another core as it is.
//!
//! Read first: `wire/mod.rs`.

use bytes::Bytes;
use compact_str::CompactString;

use crate::access::{Author, Holder, Origins};
use crate::guard::address::Address;
use crate::ids::Rev;
use crate::key::{Key, Pattern};
use crate::wire::WireError;
use crate::wire::condition::Conditions;
use crate::wire::record::{Draft, Record};

/// One request, and how its answer is to look.
pub struct Exchange {
    /// What is asked.
    pub call: Call,
    /// How to answer.
    pub format: Format,
}

/// What a request comes to.
pub enum Call {
    /// Something that the owner of one key answers.
    Key(Question),
    /// The current state of a key, or the next one if the peer has this one already.
    Wait {
        /// The key that is polled.
        key: Key,
        /// How long to hold the answer, in milliseconds.
        wait_ms: u64,
        /// Who waits.
        holder: Holder,
    },
    /// One page of a listing, over all cores.
    List(Listing),
    /// From here on the peer is a viewer.
    Stream(Viewing),
    /// The counters of all cores.
    Metrics,
    /// Who has which revision of a key, and why.
    Explain(Key),
    /// Answered already: a page, a preflight, a refusal after which the connection goes on.
    Answered(Reply),
}

/// What only the owner of a key can answer, in the key's own order.
#[derive(Debug)]
pub enum Question {
    /// The record as it is now.
    Get(Key),
    /// A new state.
    Put {
        /// The key written to.
        key: Key,
        /// The state, laid out as its record will be.
        draft: Draft,
        /// Compare-and-set.
        conditions: Conditions,
        /// Who writes.
        by: Author,
    },
    /// A merge patch (RFC 7396) on the state as it is when its turn comes.
    Patch {
        /// The key written to.
        key: Key,
        /// The patch: valid compact JSON.
        patch: Vec<u8>,
        /// Compare-and-set.
        conditions: Conditions,
        /// Who writes.
        by: Author,
    },
    /// An end to the state.
    Delete {
        /// The key written to.
        key: Key,
        /// Compare-and-set.
        conditions: Conditions,
        /// Who writes.
        by: Author,
    },
}

impl Format {
    /// For a refusal of something that could not be read: nothing is known of who asked.
    pub fn of_the_unread(origins: &Origins) -> Format {
        let cors = if origins.is_any() { Cors::Any } else { Cors::Refused };
        Format { close: true, cors, ..Format::default() }
    }
}

impl Question {
    /// The key it is about.
    pub fn key(&self) -> &Key {
        match self {
            Question::Get(key)
            | Question::Put { key, .. }
            | Question::Patch { key, .. }
            | Question::Delete { key, .. } => key,
        }
    }
}

impl Question {
    /// Bytes that it brings along.
    pub fn bytes(&self) -> usize {
        match self {
            Question::Get(_) | Question::Delete { .. } => 0,
            Question::Put { draft, .. } => draft.data().len(),
            Question::Patch { patch, .. } => patch.len(),
        }
    }
}

/// Which page of which listing.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Keys that begin so.
    pub prefix: CompactString,
    /// Keys after this one, in bytewise order.
    pub after: Option<CompactString>,
    /// At most so many records.
    pub limit: usize,
    /// Whether the records bring their states.
    pub with_data: bool,
}

/// What a viewer wants to see, and over which protocol.
pub struct Viewing {
    /// What it watches from the start, which may be nothing yet; `None` on a socket that is for something else
    /// and gets no snapshot.
    pub patterns: Option<Vec<Pattern>>,
    /// One key was named in the path: its deletion or absence is part of the snapshot.
    pub single: bool,
    /// What the viewer already has of its single key; meaningless ones are dropped before.
    pub since: Option<Rev>,
    /// Who watches.
    pub holder: Holder,
    /// For whom a proxy of ours asks; the stream counts as a connection of theirs.
    pub behind: Option<Address>,
    /// How it is spoken to.
    pub protocol: Protocol,
}

/// The two ways in which a stream goes out.
pub enum Protocol {
    /// RFC 6455.
    Socket {
        /// `Sec-WebSocket-Accept`.
        accept: String,
        /// The viewer offered `lux.v1`, so we choose it.
        subprotocol: bool,
    },
    /// Server-Sent Events.
    Events,
}

/// How an answer is to look: what of the request outlives its bytes.
#[derive(Clone, Debug, Default)]
pub struct Format {
    /// A HEAD: everything but the body.
    pub head_only: bool,
    /// `Prefer: return=minimal`.
    pub minimal: bool,
    /// The connection ends with this answer.
    pub close: bool,
    /// A refused write may show the record as it is.
    pub may_read: bool,
    /// A listing brings the states, not only the names.
    pub with_data: bool,
    /// Conditions of a GET, judged when its record is here.
    pub conditions: Conditions,
    /// What the answer says to browsers of other origins.
    pub cors: Cors,
}

/// What an answer says to browsers of other origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// Every origin may read it.
    #[default]
    Any,
    /// This origin may, others not.
    Only(CompactString),
    /// The request's origin may not.
    Refused,
}

/// What became of a question.
#[derive(Debug)]
pub enum Outcome {
    /// A write was taken.
    Written {
        /// The record it made.
        record: Record,
        /// There was no state before.
        created: bool,
    },
    /// The state is gone; its deletion record.
    Deleted(Record),
    /// The record as it is.
    Found(Record),
    /// No state.
    Missing,
    /// A condition did not hold; the record as it is, if there is one.
    Conflict(Option<Record>),
    /// Not taken, for this reason.
    Refused(WireError),
}

/// An answer before it is bytes.
#[derive(Debug)]
pub enum Reply {
    /// What became of a question.
    Outcome(Outcome),
    /// Nothing changed while the peer waited: 304 with this revision.
    Unchanged(Rev),
    /// A page of a listing, or a token: its JSON, whole.
    Page(Bytes),
    /// A file of ours.
    File {
        /// `Content-Type`.
        content_type: &'static str,
        /// The body.
        bytes: Bytes,
    },
    /// A line of plain text with this status.
    Text(u16, Bytes),
    /// The counters of all cores, as Prometheus reads them.
    Metrics(Bytes),
    /// An answer to OPTIONS: what `Allow` says.
    Options(&'static str),
    /// The head of an event stream and nothing behind it.
    EventsHead,
    /// A refusal.
    Error(WireError),
}
