//! What a machine may not permit, and how that is said.
//!
//! Always true: a test that does nothing says so on the terminal, with the reason. Where `LUX_SKIP_NOTHING` is
//! set, as in `.ci/run`, it fails instead.
//!
//! Read first: nothing.

use std::io::Write;
use std::thread;

/// Whether this is root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Says why the running test does nothing here. The test harness swallows what is printed, so this goes
/// around it.
#[track_caller]
pub fn skip(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_string();
    assert!(std::env::var_os("LUX_SKIP_NOTHING").is_none(), "{test} would be skipped: {why}");
    let _ = writeln!(std::io::stderr(), "skipped {test}: {why}");
}
