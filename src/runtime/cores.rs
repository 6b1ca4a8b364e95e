//! One thread and one ring per core.
//!
//! Always true: a core's thread builds its own ring, says whether it could, and then runs nothing but its
//! loop. Threads are pinned only where every core of the machine gets one: a broker that was given fewer
//! leaves it to the kernel where they run.
//!
//! Read first: `runtime/worker.rs`.

use std::io;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::operator_error::OperatorError;

/// Operations that may be handed to the kernel at once.
const RING_ENTRIES: u32 = 1024;
/// Completions that may wait to be looked at.
const COMPLETION_ENTRIES: u32 = 8192;
/// Where the kernel says who may use io_uring: 0 everybody, 1 a group, 2 nobody.
const DISABLED_PATH: &str = "/proc/sys/kernel/io_uring_disabled";

/// Builds the ring and the loop's runtime on this thread.
///
/// # Errors
/// io_uring is missing or forbidden, and what to change.
pub fn build_ring() -> Result<tokio_uring::Runtime, OperatorError> {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_cqsize(COMPLETION_ENTRIES).setup_clamp().setup_coop_taskrun();
    let mut builder = tokio_uring::builder();
    builder.entries(RING_ENTRIES).uring_builder(&ring);
    tokio_uring::Runtime::new(&builder).map_err(|error| explain(&error))
}

/// Why the kernel gives no ring, and what to change.
pub fn explain(error: &io::Error) -> OperatorError {
    let disabled = std::fs::read_to_string(DISABLED_PATH).ok().and_then(|text| text.trim().parse().ok());
    explain_with(error, disabled)
}

fn explain_with(error: &io::Error, disabled: Option<u8>) -> OperatorError {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let (why, remedy) = match (errno, disabled) {
        (Errno::EPERM, Some(2)) => (
            "kernel.io_uring_disabled is 2".to_owned(),
            "let root run `sysctl -w kernel.io_uring_disabled=0`, and keep it in /etc/sysctl.d",
        ),
        (Errno::EPERM, Some(1)) => (
            "kernel.io_uring_disabled is 1, so only one group may use it".to_owned(),
            "add this user to the group in `sysctl kernel.io_uring_group`, or set kernel.io_uring_disabled=0",
        ),
        (Errno::EPERM | Errno::EACCES, _) => (
            "a seccomp profile forbids it, as Docker's default one does".to_owned(),
            "start the container with --security-opt seccomp=unconfined, or with a profile that allows \
             io_uring_setup, io_uring_enter and io_uring_register",
        ),
        (Errno::ENOSYS, _) => (
            "this kernel does not have it, or a sandbox hides it".to_owned(),
            "use Linux 6.1 or later, outside of sandboxes such as gVisor",
        ),
        (Errno::EINVAL, _) => {
            ("this kernel's is too old".to_owned(), "use Linux 6.1 or later; Lux needs 5.19 at least")
        }
        (Errno::ENOMEM, _) => (
            "there is no memory that may be locked for it".to_owned(),
            "raise `ulimit -l`, LimitMEMLOCK= in the systemd unit, or the container's memory limit",
        ),
        (Errno::EMFILE | Errno::ENFILE, _) => (
            "no file descriptor is left".to_owned(),
            "raise `ulimit -n`, or LimitNOFILE= in the systemd unit",
        ),
        (_, _) => (error.to_string(), "run `lux check` as the user that runs Lux"),
    };
    OperatorError::new(format!("the kernel gives Lux no io_uring: {why}"), remedy)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_obstacle_to_a_ring_has_its_own_way_out() {
        let remedy = |errno: Errno, disabled| explain_with(&io::Error::from(errno), disabled).remedy;
        for (errno, disabled, hint) in [
            (Errno::EPERM, Some(2), "kernel.io_uring_disabled=0"),
            (Errno::EPERM, Some(1), "io_uring_group"),
            (Errno::EPERM, Some(0), "seccomp"),
            (Errno::EPERM, None, "seccomp"),
            (Errno::ENOSYS, None, "6.1"),
            (Errno::EINVAL, Some(0), "5.19"),
            (Errno::ENOMEM, Some(0), "ulimit -l"),
            (Errno::EMFILE, Some(0), "ulimit -n"),
            (Errno::EIO, Some(0), "lux check"),
        ] {
            assert!(remedy(errno, disabled).contains(hint), "{errno} {disabled:?}");
        }
    }
}
