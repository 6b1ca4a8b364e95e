//! One core of a running broker, held still as a debugger would: the kernel does not run its thread.
//!
//! Always true: the other threads go on. The core goes on where it was when the value is dropped, and when
//! the test fails.
//!
//! Read first: ptrace(2), `PTRACE_SEIZE` and `PTRACE_INTERRUPT`.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::rights::skip;
use crate::harness::Broker;

/// A core that does nothing.
pub struct Stalled {
    // Dropping it lets the core go on.
    hold: Option<Sender<()>>,
    tracer: Option<JoinHandle<()>>,
}

impl Stalled {
    /// Holds a core still. `None`, said aloud, where threads may not be traced.
    pub fn core(broker: &Broker, core: usize) -> Option<Stalled> {
        let thread = thread_of(broker, core);
        let (hold, held) = channel();
        let (say, said) = channel();
        // What a thread traces is its own: all calls have to come from the same one.
        let tracer = thread::spawn(move || trace(thread, &say, &held));
        match said.recv().expect("the tracer says how it went") {
            Ok(()) => Some(Stalled { hold: Some(hold), tracer: Some(tracer) }),
            Err(why) => {
                skip(&format!("threads of the broker may not be traced ({why})"));
                None
            }
        }
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        drop(self.hold.take());
        if let Some(tracer) = self.tracer.take() {
            let _ = tracer.join();
        }
    }
}

fn trace(thread: Pid, say: &Sender<Result<(), Errno>>, held: &Receiver<()>) {
    if let Err(why) = ptrace::seize(thread, ptrace::Options::empty()) {
        let _ = say.send(Err(why));
        return;
    }
    let stopped =
        ptrace::interrupt(thread).and_then(|()| waitpid(thread, Some(WaitPidFlag::__WALL)).map(drop));
    let _ = say.send(stopped);
    let _ = held.recv();
    let _ = ptrace::detach(thread, None);
}

/// The thread of a core, by its name.
fn thread_of(broker: &Broker, core: usize) -> Pid {
    let tasks = fs::read_dir(format!("/proc/{}/task", broker.pid())).expect("it runs");
    let is_it = |path: &std::path::PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == format!("lux-core-{core}"))
    };
    let path = tasks.map(|task| task.expect("a thread").path()).find(is_it).expect("the core has a thread");
    let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    Pid::from_raw(id.expect("a thread's number"))
}
