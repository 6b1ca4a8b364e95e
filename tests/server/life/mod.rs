//! Starting and stopping.
//!
//! Always true: a start that fails says why in one sentence and with exit code 2; a stop that was asked for
//! ends with 0, and whoever was connected is told.
//!
//! Read first: `harness/process.rs`.

mod draining;
mod handed_over;
mod reloading;
mod snapshots;
mod starting;
mod supervised;
