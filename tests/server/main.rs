//! Lux from outside: the real binary over the loopback, against the contract.
//!
//! Always true: what is asserted here is what a producer, a viewer or an operator would notice. Nothing is
//! taken from the broker's own code; requests are raw bytes, streams are read by tungstenite or by hand.
//!
//! Read first: `harness/mod.rs`. Then any folder: `http` (the table of requests), `refused` (what bad input
//! gets), `streams`, `access` (keys, grants, origins), `limits`, `promises` (to a viewer), `life`,
//! `tls`.
//! gets), `streams`, `access` (keys, grants, origins), `limits`, `guards` (rates, proxies, the access log),
//! `promises` (to a viewer), `life`, `watch`.

mod access;
mod guards;
mod harness;
mod http;
mod license;
mod life;
mod limits;
mod promises;
mod refused;
mod streams;
mod tls;
mod watch;
