//! Everything left of the runtime, built alone from the broker's own sources.
//!
//! Always true: nothing here but paths; what the broker runs is what is fuzzed.
//!
//! Read first: `../../src/lib.rs`.

#[path = "../../src/access/mod.rs"]
pub mod access;
#[path = "../../src/conn/mod.rs"]
pub mod conn;
#[path = "../../src/console/mod.rs"]
pub mod console;
#[path = "../../src/counters.rs"]
pub mod counters;
#[path = "../../src/dirty.rs"]
pub mod dirty;
#[path = "../../src/guard/mod.rs"]
pub mod guard;
#[path = "../../src/ids.rs"]
pub mod ids;
#[path = "../../src/key.rs"]
pub mod key;
#[path = "../../src/limits.rs"]
pub mod limits;
#[path = "../../src/metrics.rs"]
pub mod metrics;
#[path = "../../src/operator_error.rs"]
pub mod operator_error;
#[path = "../../src/shard/mod.rs"]
pub mod shard;
#[path = "../../src/terms.rs"]
pub mod terms;
#[path = "../../src/time.rs"]
pub mod time;
#[path = "../../src/toml_lines.rs"]
pub mod toml_lines;
#[path = "../../src/wire/mod.rs"]
pub mod wire;
