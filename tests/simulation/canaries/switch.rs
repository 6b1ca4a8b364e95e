//! Which known defect is switched on, in a copy of the broker that has them all (`scripts/canaries`).
//!
//! Always true: at most one is; without `LUX_CANARY` in the environment, none.
//!
//! Read first: `docs/testing.md`, on canaries.

use std::sync::LazyLock;

static CHOSEN: LazyLock<String> = LazyLock::new(|| std::env::var("LUX_CANARY").unwrap_or_default());

/// Whether the defect of this name is switched on.
pub fn on(name: &str) -> bool {
    CHOSEN.as_str() == name
}
