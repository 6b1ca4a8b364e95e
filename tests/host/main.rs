//! Lux on a machine that does not do what it should: the real binary, with the kernel, the clock, the disk,
//! the network or its own peers against it.
//!
//! Always true: each test bounds the memory that it took and says what a well-behaved viewer and its producer
//! noticed meanwhile (`help/witness.rs`): nothing. What a machine does not permit is skipped aloud
//! (`help/rights.rs`), and never in `.ci/run`.
//!
//! Read first: `help/mod.rs`. The broker is unchanged; whatever goes wrong is done to it from outside.

mod clock;
mod descriptors;
mod disk;
mod help;
mod loss;
mod shedding;
mod slow;
mod stalls;
mod starting;
mod stopping;
mod vanished;

// The broker under test and its clients are those of `tests/server`; not all of them are needed here.
#[allow(dead_code, unused_imports)]
#[path = "../server/harness/mod.rs"]
mod harness;
