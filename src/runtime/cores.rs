//! One thread and one ring per core.
//!
//! Always true: a core's thread builds its own ring, says whether it could, and then runs nothing but its
//! loop. Threads are pinned only where every core of the machine gets one: a broker that was given fewer
//! leaves it to the kernel where they run.
//!
//! Read first: `runtime/worker.rs`.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::machine::{RING_ENTRIES, explain_ring, ring_of_a_core};
use crate::operator_error::OperatorError;

/// Builds the ring and the loop's runtime on this thread.
///
/// # Errors
/// io_uring is missing or forbidden, and what to change.
pub fn build_ring() -> Result<tokio_uring::Runtime, OperatorError> {
    let mut builder = tokio_uring::builder();
    builder.entries(RING_ENTRIES).uring_builder(&ring_of_a_core());
    tokio_uring::Runtime::new(&builder).map_err(|error| explain_ring(&error))
}

/// Pins the calling thread to the `index`-th of the processors this process may use, if there is one for
/// each core.
pub fn pin(index: usize, cores: usize) {
    let this_thread = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this_thread) else { return };
    let processors: Vec<usize> =
        (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    if processors.len() != cores || cores == 1 {
        return;
    }
    let mut only = CpuSet::new();
    if only.set(processors[index]).is_ok() && sched_setaffinity(this_thread, &only).is_err() {
        tracing::debug!(core = index, "the core's thread could not be pinned");
    }
}
