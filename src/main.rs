//! The `lux` program: flags to subcommand.
//!
//! Always true: everything it can do is in the library, so that tests can do it too.
//!
//! Read first: `cli/mod.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lux::cli::main()
}
