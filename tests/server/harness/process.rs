//! One run of the `lux` program: its standard error line by line, its end, and the promise that it ends.
//!
//! Always true: no process outlives the test run. Dropping one kills it; where the test run itself dies,
//! a guard sees its pipe close and kills it.
//!
//! Read first: `harness/mod.rs`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::PATIENCE;

/// What a process has said and how it ended, shared with the threads that listen to it.
#[derive(Default)]
struct Heard {
    state: Mutex<HeardState>,
    changed: Condvar,
}

#[derive(Default)]
struct HeardState {
    lines: Vec<String>,
    silent: bool,
    exit: Option<ExitStatus>,
}

/// A running `lux`.
pub struct Process {
    pid: Pid,
    heard: Arc<Heard>,
    guard: Child,
}

impl Process {
    /// Starts it with its standard error listened to; its standard input is the caller's choice.
    pub fn spawn(mut command: Command) -> Process {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("lux starts");
        let pid = Pid::from_raw(child.id() as i32);
        let heard = Arc::new(Heard::default());
        let stderr = child.stderr.take().expect("standard error is piped");
        thread::spawn({
            let heard = heard.clone();
            move || {
                for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                    heard.note(|state| state.lines.push(String::from_utf8_lossy(&line).into_owned()));
                }
                heard.note(|state| state.silent = true);
            }
        });
        thread::spawn({
            let heard = heard.clone();
            move || {
                let exit = child.wait().expect("the process can be waited for");
                heard.note(|state| state.exit = Some(exit));
            }
        });
        Process { pid, heard, guard: spawn_guard(pid) }
    }

    /// The process id, for a look into `/proc`.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Waits for a line that holds `text`; `None` when the process ended without it.
    pub fn line_with(&self, text: &str) -> Option<String> {
        let found = |state: &HeardState| state.lines.iter().find(|line| line.contains(text)).cloned();
        let state = self.heard.wait(|state| found(state).is_some() || state.silent);
        found(&state)
    }

    /// Everything said on standard error so far.
    pub fn stderr(&self) -> String {
        self.heard.state.lock().unwrap().lines.join("\n")
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.heard.state.lock().unwrap().exit.is_none() {
            signal::kill(self.pid, signal).expect("the signal can be sent");
        }
    }

    /// Waits for the end: the exit code, and all of standard error.
    pub fn ended(&self) -> (i32, String) {
        let state = self.heard.wait(|state| state.silent && state.exit.is_some());
        let exit = state.exit.expect("it has ended");
        (exit.code().unwrap_or(-1), state.lines.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if !thread::panicking() {
            drop(self.heard.wait(|state| state.exit.is_some()));
        }
        if let Some(mut stdin) = self.guard.stdin.take() {
            let _ = stdin.write_all(b"done\n");
        }
        let _ = self.guard.wait();
    }
}

impl Heard {
    fn note(&self, change: impl FnOnce(&mut HeardState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait(&self, until: impl Fn(&HeardState) -> bool) -> std::sync::MutexGuard<'_, HeardState> {
        let began = Instant::now();
        let mut state = self.state.lock().unwrap();
        while !until(&state) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            assert!(!left.is_zero(), "waited {PATIENCE:?} for lux; it said:\n{}", state.lines.join("\n"));
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
        state
    }
}

/// A shell that waits for a word from us, and kills the process when our end of the pipe closes without one.
fn spawn_guard(pid: Pid) -> Child {
    Command::new("sh")
        .args(["-c", &format!("read word && exit 0; kill -9 {pid}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts")
}

/// Runs `lux` with these arguments to its end, in an environment that holds nothing but `envs`.
pub fn run_lux(args: &[&str], envs: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lux"))
        .args(args)
        .env_clear()
        .envs(envs.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("lux runs")
}
