//! What happens at each limit: the right status, a message that names the limit, and room again afterwards.
//!
//! Always true: a limit that is reached stops what is new; what is there goes on.
//!
//! Read first: `harness/broker.rs`.

mod connections;
mod settings;
mod states;
mod streams;
