//! What a viewer is promised: monotonic, convergent, fresh, bounded, fair, complete, control first.
//!
//! Always true: these checks load the broker, but nothing in them depends on how fast it is.
//!
//! Read first: `harness/viewer.rs`.

mod complete_start;
mod convergence;
mod counters;
mod fairness;
mod slow_viewers;
