//! Network namespaces: hosts of their own, on this machine.
//!
//! Always true: a socket belongs to the namespace in which it was opened, wherever it is used later; the
//! machine's own network is never touched. A namespace goes when the last socket, process and value that
//! stand in it have gone.
//!
//! Read first: network_namespaces(7).

use std::fs::File;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::rights::{is_root, skip};

/// One of them.
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// So many new ones, with nothing in them but a loopback. `None`, said aloud, where that is not permitted.
    pub fn several<const COUNT: usize>() -> Option<[Namespace; COUNT]> {
        if !is_root() {
            skip("network namespaces take root");
            return None;
        }
        let all: Result<Vec<Namespace>, _> = (0..COUNT).map(|_| Namespace::new()).collect();
        match all {
            Ok(all) => all.try_into().ok(),
            Err(why) => {
                skip(&format!("no network namespace can be made ({why})"));
                None
            }
        }
    }

    fn new() -> Result<Namespace, nix::Error> {
        let file = thread::scope(|scope| {
            let make = || {
                unshare(CloneFlags::CLONE_NEWNET)?;
                Ok(File::open("/proc/thread-self/ns/net").expect("a thread can see where it is"))
            };
            scope.spawn(make).join().expect("no panic")
        })?;
        let namespace = Namespace { file };
        namespace.shell("ip link set lo up");
        Ok(namespace)
    }

    /// Does something inside it.
    #[track_caller]
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let outcome = thread::scope(|scope| {
            let inside = || {
                setns(&self.file, CloneFlags::CLONE_NEWNET).expect("a namespace can be entered");
                act()
            };
            scope.spawn(inside).join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs a line of shell inside it, which must succeed.
    #[track_caller]
    pub fn shell(&self, line: &str) {
        let output = self.run(|| Command::new("sh").args(["-ec", line]).output().expect("sh runs"));
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
