//! Every row of the contract's table of requests.
//!
//! Always true: each check runs with 1, 2 and 4 cores, on keys of its own.
//!
//! Read first: `harness/mod.rs`.

mod asked_in_other_ways;
mod conditions;
mod connections;
mod cors;
mod lists;
mod patches;
mod reads;
mod service;
mod waits;
mod writes;
