//! The `lux` program: flags to subcommand.

fn main() {}
