//! What the RFCs say, vector by vector, against the real binary over real sockets.
//!
//! Always true: a vector is a line of text with its RFC section, what must come back, and the bytes that go out.
//! Every vector of a table is tried; those that fail are all listed, by name. Where Lux is stricter than an RFC
//! asks, a comment beside the vector says why.
//!
//! Read first: `table.rs`; then a table, such as `http/framing.txt` or `socket/frames.txt`; then `requests.rs` and
//! `frames.rs`, which play them.

#[path = "../server/harness/mod.rs"]
#[allow(dead_code, unused_imports)]
mod harness;

mod clients;
mod echo {
    //! The layer under test with nothing behind it; a program of its own, too (`cargo run --example echo`).
    pub mod service;
}
mod frames;
mod generated;
mod requests;
mod script;
mod sweep;
mod table;
