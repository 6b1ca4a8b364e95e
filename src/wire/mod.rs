//! Bytes to values and back: everything a peer may say, and everything we say to one.
//!
//! Always true: nothing here knows a connection, a clock or a store. "Not yet" is an answer
//! ([`Progress::NeedMore`]); an error is a [`WireError`] that knows its own reply.
//!
//! Read first: `key.rs`, then `error.rs`. After that in the order of a PUT: `request`, `body`, `json`,
//! `record`, `response`; and of a stream: `upgrade`, `frame`, `message`, `event`.

pub mod body;
pub mod condition;
pub mod error;
pub mod event;
mod fields;
pub mod frame;
pub mod framing;
pub mod json;
pub mod merge;
pub mod message;
pub mod query;
pub mod record;
mod reply;
pub mod request;
pub mod response;
mod scan;
pub mod upgrade;

pub use error::WireError;

/// What reading from a growing buffer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// A whole value, and how many bytes of the buffer it took.
    Done {
        /// What was read.
        value: T,
        /// Bytes of the buffer that belong to it.
        used: usize,
    },
    /// The bytes so far are fine and not all of it.
    NeedMore,
}
