//! What this machine gives the broker: kernel, io_uring, descriptors, memory, the port.
//!
//! Always true: [`Machine::look`] changes nothing; the ring and the socket that are tried are closed again. Everything
//! is a plain fact, and what follows from it is decided elsewhere.
//!
//! Read first: `operator_error.rs`.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{AccessFlags, access};

use crate::operator_error::OperatorError;
use crate::settings::cores_of_machine;

/// Where the kernel says who may use io_uring: 0 everybody, 1 a group, 2 nobody.
const URING_DISABLED_PATH: &str = "/proc/sys/kernel/io_uring_disabled";

/// The facts.
#[derive(Debug)]
pub struct Machine {
    /// As `uname -r` says it.
    pub kernel: String,
    /// Whether a ring for each core could be made, or what stands in its way.
    pub ring: Result<(), OperatorError>,
    /// Open files this process may have: at most so many, and now.
    pub descriptors: Bounds,
    /// Bytes this process may lock.
    pub locked_memory: Bounds,
    /// Cores this process may use.
    pub cores: usize,
    /// Bytes that the machine has, or the control group allows, whichever is less.
    pub memory_bytes: Option<u64>,
    /// Whether the port is free.
    pub port: Port,
    /// Whether state can be kept where the settings say.
    pub state_dir: Place,
}

/// A resource limit (`setrlimit(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// In force now.
    pub soft: u64,
    /// As far as the process may raise it by itself; `u64::MAX` is no limit.
    pub hard: u64,
}

/// What became of an attempt to listen.
#[derive(Debug, PartialEq, Eq)]
pub enum Port {
    /// Nobody listens there.
    Free,
    /// Somebody does.
    Taken,
    /// Ports below 1024 need a capability.
    Forbidden,
    /// No address of this machine, or something else; as the system says it.
    Unusable(String),
}

/// What can be done with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is there and can be written.
    Writable,
    /// It is not there and can be made.
    Makeable,
    /// Neither.
    Closed,
}

impl Machine {
    /// Looks at this machine, for a broker of so many cores that listens there and keeps its state here.
    pub fn look(listen: SocketAddr, state_dir: &Path, cores: usize) -> Machine {
        Machine {
            kernel: read_line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            ring: try_rings(cores),
            descriptors: bounds(Resource::RLIMIT_NOFILE),
            locked_memory: bounds(Resource::RLIMIT_MEMLOCK),
            cores: cores_of_machine(),
            memory_bytes: memory_bytes(),
            port: try_port(listen),
            state_dir: look_at(state_dir),
        }
    }

    /// The kernel's major and minor version.
    pub fn kernel_version(&self) -> Option<(u32, u32)> {
        let mut parts = self.kernel.split(['.', '-']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

/// Operations that a core may hand to the kernel at once.
pub const RING_ENTRIES: u32 = 1024;
/// Completions that may wait to be looked at.
const COMPLETION_ENTRIES: u32 = 8192;

/// The ring that each core has, of [`RING_ENTRIES`].
pub fn ring_of_a_core() -> io_uring::Builder {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_cqsize(COMPLETION_ENTRIES).setup_clamp().setup_coop_taskrun();
    ring
}

/// Makes the rings of so many cores, all at once and as large as they will be, since kernels differ in what
/// they count against locked memory; and closes them again.
fn try_rings(cores: usize) -> Result<(), OperatorError> {
    let rings: io::Result<Vec<_>> = (0..cores).map(|_| ring_of_a_core().build(RING_ENTRIES)).collect();
    rings.map(drop).map_err(|error| explain_ring(&error))
}

/// Why the kernel gives no ring, and what to change.
pub fn explain_ring(error: &io::Error) -> OperatorError {
    let disabled = read_line(URING_DISABLED_PATH).and_then(|text| text.parse().ok());
    explain_ring_with(error, disabled)
}

fn explain_ring_with(error: &io::Error, disabled: Option<u8>) -> OperatorError {
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

fn bounds(resource: Resource) -> Bounds {
    let (soft, hard) = getrlimit(resource).unwrap_or((u64::MAX, u64::MAX));
    Bounds { soft, hard }
}

/// Without SO_REUSEPORT, so that a port which another process shares counts as taken.
fn try_port(listen: SocketAddr) -> Port {
    match TcpListener::bind(listen) {
        Ok(_) => Port::Free,
        Err(error) => match error.kind() {
            ErrorKind::AddrInUse => Port::Taken,
            ErrorKind::PermissionDenied => Port::Forbidden,
            _ => Port::Unusable(error.to_string()),
        },
    }
}

fn look_at(directory: &Path) -> Place {
    let writable = |path: &Path| access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
    if directory.exists() {
        return if directory.is_dir() && writable(directory) { Place::Writable } else { Place::Closed };
    }
    let above =
        directory.ancestors().skip(1).map(|path| if path == Path::new("") { Path::new(".") } else { path });
    match above.into_iter().find(|path| path.exists()) {
        Some(nearest) if nearest.is_dir() && writable(nearest) => Place::Makeable,
        Some(_) | None => Place::Closed,
    }
}

fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_total(&text));
    machine.into_iter().chain(cgroup_memory_max()).min()
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The control group's own bound (version 2); "max", or no such file, is none.
fn cgroup_memory_max() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    read_line(&format!("/sys/fs/cgroup/{own}/memory.max"))?.parse().ok()
}

fn read_line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_obstacle_to_a_ring_has_its_own_way_out() {
        let remedy = |errno: Errno, disabled| explain_ring_with(&io::Error::from(errno), disabled).remedy;
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

    #[test]
    fn a_port_that_somebody_holds_is_taken() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        assert_eq!(try_port(address), Port::Taken);
        drop(holder);
        assert_eq!(try_port(address), Port::Free);
        assert!(matches!(try_port("192.0.2.1:0".parse().unwrap()), Port::Unusable(_)));
    }

    #[test]
    fn directories_are_judged_without_making_them() {
        let temp = tempfile::tempdir().unwrap();
        let deep = temp.path().join("not/yet");
        assert_eq!(look_at(temp.path()), Place::Writable);
        assert_eq!(look_at(&deep), Place::Makeable);
        assert!(!deep.exists());
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!((look_at(&file), look_at(&file.join("below"))), (Place::Closed, Place::Closed));
    }

    #[test]
    fn numbers_are_read_from_what_the_kernel_writes() {
        assert_eq!(mem_total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16_777_216));
        let machine = Machine::look("127.0.0.1:0".parse().unwrap(), Path::new("."), 1);
        assert!(machine.kernel_version().is_some_and(|(major, _)| major >= 4), "{}", machine.kernel);
        assert!(machine.cores > 0 && machine.descriptors.soft > 0);
    }
}
