//! Bytes to values and back: everything a peer may say, and everything we say to one.
//!
//! Always true: nothing here knows a connection, a clock or a store. "Not yet" is an answer
//! ([`Progress::NeedMore`]); an error is a [`WireError`] that knows its own reply.
//!
//! Read first: `key.rs`, then `error.rs`.

pub mod error;

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
