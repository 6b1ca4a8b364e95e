//! What an operator sees of a running broker: figures, why a screen is old, lines in the log.
//!
//! Always true: what is asserted is what a dashboard, a terminal or a log reader would show.
//!
//! Read first: docs/operations.md, "Metrics", "Explain" and "Logs".

mod documents;
mod explain;
mod metrics;
