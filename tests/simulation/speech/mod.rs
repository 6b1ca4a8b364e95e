//! How clients speak: requests, frames and events, written and read by code of the test's own.
//!
//! Always true: nothing here is shared with the broker, so that a mistake there is not made here as well.
//! Bytes may come in any pieces; whatever is not understood is an error, never skipped.
//!
//! Read first: `http.rs`, `socket.rs`, `events.rs`.

pub mod events;
pub mod http;
pub mod record;
pub mod socket;
