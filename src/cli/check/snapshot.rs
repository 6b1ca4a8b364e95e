//! What `lux check` says of the snapshot: where it is, how old, how many keys, whether it is good.
//!
//! Always true: it reads every byte of it, as a start would, and changes nothing.
//!
//! Read first: `snapshot_dir/inspect.rs`.

use super::findings::{Finding, fail, ok, warn};
use crate::settings::Settings;
use crate::settings::units::{format_bytes, format_count, format_duration_ms};
use crate::snapshot_dir::SnapshotDir;
use crate::snapshot_dir::inspect::{Seen, inspect};

const NAME: &str = "snapshot";

/// Looks at the snapshot that a start with these settings would read.
pub fn finding(settings: &Settings, wall_ms: u64) -> Finding {
    if settings.memory_only {
        return ok(NAME, "none: states are kept in memory only, and end with the process");
    }
    let dir = SnapshotDir::of(&settings.state_dir);
    match inspect(&dir) {
        Ok(None) => ok(NAME, format!("none yet in {}", dir.path().display())),
        Ok(Some(seen)) => judge(&seen, wall_ms),
        Err(why) if why.contains("newer Lux") || why.contains("cannot be read") => {
            fail(NAME, why, "see which Lux wrote it and who may read it, or start with --memory-only")
        }
        Err(why) => warn(NAME, why, "a start puts it aside and begins without states; restore a backup"),
    }
}

fn judge(seen: &Seen, wall_ms: u64) -> Finding {
    let age = format_duration_ms(wall_ms.saturating_sub(seen.last_ms) / 1_000 * 1_000);
    let keys =
        if seen.keys == 1 { "1 key".to_owned() } else { format!("{} keys", format_count(seen.keys as u64)) };
    let found = format!("{keys}, {}, {age} old, in {}", format_bytes(seen.bytes), seen.path);
    if !seen.damage.is_empty() {
        let damage: Vec<String> = seen.damage.iter().map(ToString::to_string).collect();
        let found = format!("{found}; damaged: {}", damage.join(", "));
        return warn(NAME, found, "a start leaves that out and begins a new epoch; or restore a backup");
    }
    let state = match (seen.is_in_use, seen.is_clean) {
        (true, _) => "a broker is adding to it",
        (false, true) => "its epoch goes on",
        (false, false) => "of a broker that did not stop in order: a start begins a new epoch",
    };
    ok(NAME, format!("{found}; {state}"))
}
