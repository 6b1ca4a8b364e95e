//! Lux, a broker for current state.
//!
//! The house has four storeys, and data goes through them one way:
//!
//! | storey | idea | module |
//! |---|---|---|
//! | wire | bytes and values | [`wire`] |
//! | conn | one peer | `conn` |
//! | shard | one core | `shard` |
//! | runtime | one process | `runtime` |
//!
//! Everything left of the runtime is pure: no socket, clock, thread, randomness, environment or log. Time
//! and seeds come in as arguments, so the whole broker, several cores included, runs inside one test.

pub mod access;
pub mod access_file;
pub mod certificate;
pub mod cli;
pub mod conn;
pub mod console;
pub mod counters;
pub mod dirty;
pub mod guard;
pub mod ids;
pub mod key;
pub mod license;
pub mod limits;
pub mod machine;
pub mod metrics;
pub mod operator_error;
pub mod runtime;
pub mod settings;
pub mod shard;
pub mod snapshot;
pub mod snapshot_dir;
pub mod terms;
pub mod time;
pub mod token_file;
pub mod toml_lines;
pub mod wire;
