//! How many connections the process has descriptors for.
//!
//! Always true: a core stops accepting while the process still has descriptors, so it never spins on an
//! accept that cannot succeed; whoever comes then waits in the kernel's queue and is not turned away. The
//! kernel's table of them has its final size before anybody comes.
//!
//! Read first: `limits.rs`.

use std::io;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::close;

use crate::limits::descriptors_reserved;

/// How many connections each core has descriptors for. Raises the soft limit to the hard one first: shells
/// start programs with 1,024, for the sake of those that use `select(2)`. Then makes room for all of them.
pub fn for_connections(connections_max: usize, cores: usize) -> usize {
    let limit = raise_limit();
    let possible = share(limit, cores);
    make_room(possible.min(connections_max) * cores + descriptors_reserved(cores), limit);
    if possible < connections_max {
        tracing::info!(
            connections_per_core = possible,
            "the limit on descriptors allows fewer connections than configured; raise LimitNOFILE for more"
        );
    }
    possible
}

fn raise_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Makes the kernel's table of descriptors large enough for so many. Left alone it doubles as connections come, and
/// a process of several threads waits each time until every processor has looked up from what it does: 10 to 40 ms
/// in which a core serves nobody.
fn make_room(descriptors: usize, limit: u64) {
    let highest = u64::try_from(descriptors).unwrap_or(u64::MAX).min(limit).saturating_sub(1);
    let highest = i32::try_from(highest).unwrap_or(i32::MAX);
    // Nothing is lost where this fails: the table grows later.
    if let Ok(copy) = fcntl(io::stderr(), FcntlArg::F_DUPFD_CLOEXEC(highest)) {
        let _ = close(copy);
    }
}

fn share(descriptors: u64, cores: usize) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let left = descriptors.saturating_sub(descriptors_reserved(cores));
    (left / cores).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cores_together_stay_clear_of_the_limit() {
        for (descriptors, cores) in [(64, 2), (1_024, 1), (1_024, 4), (20_000, 2), (1_048_576, 64)] {
            let used = share(descriptors, cores) * cores + descriptors_reserved(cores);
            assert!(used as u64 <= descriptors, "{descriptors} over {cores}: {used}");
        }
        assert_eq!(share(10, 1), 1, "it still serves somebody");
    }
}
