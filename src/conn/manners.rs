//! What this process makes of what its peers say: the seam between reading and meaning.
//!
//! Always true: framing, control frames, limits and endings lie below this seam and are the same for everybody. The
//! broker has one set of manners. The echo that public conformance suites are pointed at (`tests/conformance/echo`) has another,
//! and so says what the broker's own layer does, not what a second one would.
//!
//! Read first: `conn/route.rs`, `conn/stream.rs`.

use crate::conn::route::{self, House, Plan};
use crate::conn::stream::{self, Said};
use crate::limits::Limits;
use crate::time::Now;
use crate::wire::WireError;
use crate::wire::request::Head;

/// What a request and a message come to.
#[derive(Clone, Copy)]
pub struct Manners {
    /// From a request's head to what is asked, and whether it may be.
    pub plan: fn(&Head<'_>, &House, Now) -> Result<Plan, WireError>,
    /// From a whole message on a socket to what is done about it. The flag says whether one key was named in the
    /// path.
    pub heed: fn(Message, bool, &Limits) -> Said,
}

/// A whole message on a socket, over all its frames.
pub enum Message {
    /// Valid UTF-8.
    Text(String),
    /// Any bytes.
    Binary(Vec<u8>),
}

impl Default for Manners {
    /// The broker's.
    fn default() -> Manners {
        Manners { plan: route::plan, heed: stream::heed }
    }
}
