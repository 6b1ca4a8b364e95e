//! What keeps one peer from harming others: rates, addresses, proxies; and the log of who asked what.
//!
//! Always true: whoever stays below a limit never meets it, and who does meet it is told how long to wait.
//!
//! Read first: `docs/operations.md`, the section on guards.

mod access_log;
mod addresses;
mod proxies;
mod writes;
