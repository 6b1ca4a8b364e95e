//! What a peer waits for while others work on its answer.
//!
//! Always true: an HTTP peer waits for one thing at a time, and a viewer joins one set of patterns at a time;
//! so whatever may be on its way inside the broker for one peer is bounded.
//!
//! Read first: `conn/call.rs`.

use crate::access::Holder;
use crate::conn::call::{Format, Listing};
use crate::conn::explain::Part;
use crate::counters::Counters;
use crate::ids::{Place, Rev, ShardId};
use crate::key::{Key, Pattern};
use crate::metrics::ProcessFigures;
use crate::wire::record::Record;

/// The exchange under way on an HTTP connection, if other cores or time must have their say.
pub enum Waiting {
    /// One key's owner has the question.
    Owner(Format),
    /// The next state of a key, until the deadline.
    Poll {
        /// How to answer.
        format: Format,
        /// Who waits, for grants that change.
        holder: Holder,
    },
    /// A page: this core's part, and those of the others as they come.
    List {
        /// How to answer.
        format: Format,
        /// Which page.
        listing: Listing,
        /// Parts still to come.
        remaining: usize,
        /// What came so far, in no order.
        records: Vec<(Key, Record)>,
        /// A core that has more than it sent ended here; what lies behind waits for the next page.
        horizon: Option<Key>,
    },
    /// The counters of every core.
    Metrics {
        /// How to answer.
        format: Format,
        /// What came so far, in no order.
        parts: Vec<(ShardId, Box<Counters>)>,
        /// What is known of the process.
        process: Option<Box<ProcessFigures>>,
    },
    /// What every core knows of a key and its viewers.
    Explain {
        /// How to answer.
        format: Format,
        /// The key.
        key: Key,
        /// What came so far, in no order.
        parts: Vec<Part>,
    },
}

impl Waiting {
    /// Whether it is waited for until a time of its own.
    pub fn has_deadline(&self) -> bool {
        match self {
            Waiting::Poll { .. } | Waiting::Metrics { .. } | Waiting::Explain { .. } => true,
            Waiting::Owner(_) | Waiting::List { .. } => false,
        }
    }
}

/// Patterns that a peer is about to watch, while the other cores bring what they have of them.
pub struct Joining {
    /// Which of this core's joinings this is: a word meant for an earlier one of the same peer is late.
    pub number: u32,
    /// The patterns, and where their watchers stand on this core.
    pub places: Vec<(Pattern, Place)>,
    /// Words from other cores still to come.
    pub remaining: usize,
    /// What happens then.
    pub purpose: Purpose,
}

/// Why a peer watches.
pub enum Purpose {
    /// A stream opens: its snapshot, less what the viewer has already.
    Open {
        /// What the viewer has of its single key.
        since: Option<Rev>,
    },
    /// A command on an open stream.
    Subscribe,
    /// A poll waits for a key to change.
    Poll,
}

/// One pattern that a peer watches: where, and at which place among the watchers there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The key or the group.
    pub place: Place,
    /// Index among its watchers.
    pub slot: u32,
}
