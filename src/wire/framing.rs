//! How a request's body is delimited.
//!
//! Always true: a request has exactly one framing; a head that leaves a doubt is refused before this is made.
//!
//! Read first: `request.rs`, which decides it, and `body.rs`, which follows it.

/// How the body of a request is delimited (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}
