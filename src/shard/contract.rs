//! A core's whole interface to the world: what comes in, what goes out.
//!
//! Always true: inputs are pushed and never refused; whatever the world may refuse is pulled, when there is
//! room for it. Extra calls are harmless.
//!
//! Read first: `conn/call.rs`.

use crate::conn::call::{Listing, Outcome, Question};
use crate::conn::explain::Part;
use crate::counters::Counters;
use crate::ids::ConnId;
use crate::key::{Key, Pattern};
use crate::wire::record::Record;

/// Names one wish to watch. A connection may give a wish up and have another, so its name alone would let the
/// answer to the first complete the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JoinTicket {
    /// Who waits.
    pub conn: ConnId,
    /// Which of its wishes.
    pub number: u32,
}

/// What one core says to another. A ticket is the connection that waits for the answer.
pub enum PeerMessage {
    /// Answer this from your keys.
    Ask {
        /// Who waits.
        ticket: ConnId,
        /// What is asked.
        question: Question,
    },
    /// The answer.
    Answer {
        /// Who waits.
        ticket: ConnId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Your part of a listing, please.
    List {
        /// Who waits.
        ticket: ConnId,
        /// Which page.
        listing: Listing,
    },
    /// One core's part of a listing.
    Listed {
        /// Who waits.
        ticket: ConnId,
        /// Records in bytewise order of their keys.
        records: Vec<(Key, Record)>,
        /// The core has more after these.
        more: bool,
    },
    /// Your counters, please.
    Count {
        /// Who waits.
        ticket: ConnId,
    },
    /// One core's counters.
    Counted {
        /// Who waits.
        ticket: ConnId,
        /// What they are.
        counters: Box<Counters>,
    },
    /// Your part of why viewers of a key have what they have, please.
    Explain {
        /// Who waits.
        ticket: ConnId,
        /// The key.
        key: Key,
    },
    /// One core's part of that.
    Explained {
        /// Who waits.
        ticket: ConnId,
        /// What it knows.
        part: Box<Part>,
    },
    /// Tell me of every change to these keys, what they are now first, then say `Watched`.
    Watch {
        /// Which keys.
        pattern: Pattern,
        /// Who waits, and for what.
        ticket: JoinTicket,
    },
    /// You are watching these from this wish on. What I told you before may be older than a deletion that nobody
    /// told you of; what I tell you from here on is not.
    Watching {
        /// Which keys.
        pattern: Pattern,
        /// With which wish it began.
        ticket: JoinTicket,
    },
    /// Whatever was newest when you asked has been sent.
    Watched {
        /// Who waits, and for what.
        ticket: JoinTicket,
    },
    /// No more of these.
    Unwatch {
        /// Which keys.
        pattern: Pattern,
    },
    /// The newest record of a key of mine.
    State {
        /// The key.
        key: Key,
        /// Its record.
        record: Record,
    },
}

/// How the runtime is to end a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Close {
    /// Say that nothing more will be said, and go on reading.
    Write,
    /// Both ways, now.
    Both,
}
