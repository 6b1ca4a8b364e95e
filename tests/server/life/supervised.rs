//! What a supervisor hears: systemd, or the test in its place, over a real socket.
//!
//! Always true: what is said has happened. Nothing is said that nobody asked for.
//!
//! Read first: `life/mod.rs`.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::harness::{Broker, PATIENCE, Setup, get, run_lux};

/// How long the watchdog waits in these tests; it is fed four times as often.
const WATCHDOG: Duration = Duration::from_millis(400);

/// The supervisor's end.
struct Supervisor {
    socket: UnixDatagram,
    home: TempDir,
}

impl Supervisor {
    fn new() -> Supervisor {
        let home = TempDir::new().unwrap();
        let socket = UnixDatagram::bind(home.path().join("notify")).unwrap();
        Supervisor { socket, home }
    }

    fn supervise(&self, setup: Setup) -> Setup {
        setup.env("NOTIFY_SOCKET", self.home.path().join("notify").to_str().unwrap())
    }

    fn watch(&self, setup: Setup) -> Setup {
        self.supervise(setup).env("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string())
    }

    /// The next thing it hears within that time.
    fn hears_within(&self, time: Duration) -> Option<String> {
        let mut buffer = [0; 4096];
        self.socket.set_read_timeout(Some(time)).unwrap();
        let len = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..len].to_vec()).unwrap())
    }

    /// The next thing it hears that is not the watchdog's food.
    #[track_caller]
    fn hears(&self) -> String {
        loop {
            let said = self.hears_within(PATIENCE).expect("something is said");
            if said != "WATCHDOG=1" {
                return said;
            }
        }
    }
}

#[track_caller]
fn assert_says(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line:?} in {said:?}");
    }
}

#[test]
fn ready_is_said_when_it_answers_and_stopping_before_it_ends() {
    let supervisor = Supervisor::new();
    let broker = supervisor.supervise(Setup::cores(2)).start();
    let status = format!("STATUS=listening on http://{}", broker.address);
    assert_says(&supervisor.hears(), &["READY=1", &status]);
    broker.signal(Signal::SIGTERM);
    assert_says(&supervisor.hears(), &["STOPPING=1", "STATUS=draining", "EXTEND_TIMEOUT_USEC=70000000"]);
    assert_eq!(broker.ended().0, 0);
    assert_eq!(supervisor.hears_within(Duration::from_millis(1)), None, "without a watchdog none is fed");
}

#[test]
fn a_start_that_fails_never_says_ready() {
    let supervisor = Supervisor::new();
    let listen = "192.0.2.1:7373".parse().unwrap();
    let (code, _) = supervisor.supervise(Setup::cores(1).listen(listen)).start_refused();
    assert_eq!(code, 2);
    assert_eq!(supervisor.hears_within(Duration::from_millis(1)), None);
}

#[test]
fn after_a_reload_every_core_knows_the_new_keys() {
    let supervisor = Supervisor::new();
    let home = TempDir::new().unwrap();
    let dir = home.path().to_str().unwrap();
    let broker = supervisor.supervise(Setup::cores(4).state_dir(home.path())).start();
    supervisor.hears();
    for round in 0..20 {
        let made = run_lux(&["key", "add", &format!("k{round}"), "--read", "*", "--state-dir", dir], &[]);
        let secret = String::from_utf8(made.stdout).unwrap();
        let mut connections = broker.connections(12);
        broker.signal(Signal::SIGHUP);
        assert_says(&supervisor.hears(), &["RELOADING=1", "MONOTONIC_USEC="]);
        assert_says(&supervisor.hears(), &["READY=1", "STATUS=listening on "]);
        for connection in &mut connections {
            connection.ask(&get("board").bearer(secret.trim())).trouble(404);
        }
    }
}

#[test]
fn a_reload_is_not_over_while_a_core_has_not_heard_of_it() {
    let supervisor = Supervisor::new();
    let broker = supervisor.supervise(Setup::cores(3)).start();
    supervisor.hears();
    let held = Held::core(&broker, 2);
    broker.signal(Signal::SIGHUP);
    assert_says(&supervisor.hears(), &["RELOADING=1"]);
    // A good part of the second after which the broker gives up on such a core.
    assert_eq!(supervisor.hears_within(Duration::from_millis(400)), None);
    held.let_go();
    assert_says(&supervisor.hears(), &["READY=1"]);
}

#[test]
fn a_reload_that_fails_says_the_line_and_is_over() {
    let supervisor = Supervisor::new();
    let home = TempDir::new().unwrap();
    let broker = supervisor.supervise(Setup::cores(2).state_dir(home.path())).start();
    supervisor.hears();
    fs::write(home.path().join("keys.toml"), "# mine\nkey = 3\n").unwrap();
    broker.signal(Signal::SIGHUP);
    assert_says(&supervisor.hears(), &["RELOADING=1"]);
    let said = supervisor.hears();
    assert_says(&said, &["READY=1"]);
    assert!(said.contains("everything stays as it was") && said.contains("line 2"), "{said}");
    broker.ask(get("board")).trouble(404);
}

#[test]
fn the_watchdog_is_fed_while_nothing_happens() {
    let supervisor = Supervisor::new();
    let broker = supervisor.watch(Setup::cores(4)).start();
    supervisor.hears();
    for _ in 0..8 {
        assert_eq!(supervisor.hears_within(PATIENCE).as_deref(), Some("WATCHDOG=1"));
    }
    broker.stop();
}

#[test]
fn the_watchdog_of_another_process_is_not_fed() {
    let supervisor = Supervisor::new();
    let broker = supervisor.watch(Setup::cores(1)).env("WATCHDOG_PID", "1").start();
    supervisor.hears();
    assert_eq!(supervisor.hears_within(2 * WATCHDOG), None);
    broker.stop();
}

/// One thread of a broker, held where it is.
struct Held(Pid);

impl Held {
    fn core(broker: &Broker, core: usize) -> Held {
        let name = format!("lux-core-{core}\n");
        let tasks = fs::read_dir(format!("/proc/{}/task", broker.pid())).unwrap();
        let is_core = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap() == name;
        let task = tasks.map(Result::unwrap).find(is_core).expect("a thread for each core");
        let thread = Pid::from_raw(task.file_name().to_str().unwrap().parse().unwrap());
        ptrace::seize(thread, ptrace::Options::empty()).expect("the thread may be traced");
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Held(thread)
    }

    fn let_go(self) {
        ptrace::detach(self.0, None).unwrap();
    }
}

#[test]
fn the_watchdog_starves_while_one_core_hangs() {
    let supervisor = Supervisor::new();
    let broker = supervisor.watch(Setup::cores(3)).start();
    supervisor.hears();
    let held = Held::core(&broker, 1);
    broker.line_with("a core does not move");
    // What was on its way when the core stopped is still heard; then there is silence.
    while supervisor.hears_within(Duration::from_millis(1)).is_some() {}
    assert_eq!(supervisor.hears_within(2 * WATCHDOG), None, "three cores of which one hangs");
    held.let_go();
    assert_eq!(supervisor.hears_within(PATIENCE).as_deref(), Some("WATCHDOG=1"));
    broker.stop();
}
