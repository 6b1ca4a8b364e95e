//! How many connections the process has descriptors for.
//!
//! Always true: the broker stops accepting while it still has descriptors, so it can tell whoever comes too
//! late, and neither spins on an accept that cannot succeed nor loses a connection it has.
//!
//! Read first: `limits.rs`.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::limits::refused_at_once;

/// For the ring, the loop, and the listening sockets.
const RESERVED_PER_CORE: usize = 8;
/// For the process: standard streams, files that are read again, the log.
const RESERVED: usize = 16;

/// Raises the soft limit on descriptors to the hard one, and says what it is then.
pub fn raise_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// The most connections a core may have: what the operator allows, clear of the limit on descriptors.
pub fn connections_per_core(wanted: usize, cores: usize) -> usize {
    let possible = share(raise_limit(), cores);
    if possible < wanted {
        tracing::info!(
            connections_per_core = possible,
            "the limit on descriptors allows fewer connections than configured; raise LimitNOFILE for more"
        );
    }
    wanted.min(possible)
}

fn share(descriptors: u64, cores: usize) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let left = descriptors.saturating_sub(RESERVED + RESERVED_PER_CORE * cores);
    let connections = left / cores;
    (connections - refused_at_once(connections).min(connections)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cores_together_stay_clear_of_the_limit() {
        for (descriptors, cores) in [(64, 2), (1_024, 1), (1_024, 4), (20_000, 2), (1_048_576, 64)] {
            let most = share(descriptors, cores);
            let per_core = most + refused_at_once(most) + RESERVED_PER_CORE;
            let used = per_core * cores + RESERVED;
            assert!(used as u64 <= descriptors, "{descriptors} over {cores}: {used}");
        }
        assert_eq!(share(10, 1), 1, "it still serves somebody");
    }
}
