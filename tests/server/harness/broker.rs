//! A broker under test: `lux serve` on a free port of the loopback, with a state directory of its own.
//!
//! Always true: a started broker has said `listening on`, so it answers; it is gone when it is dropped.
//!
//! Read first: `process.rs`.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::{API_KEY, Answer, Http, Request};

/// How a broker is to be started.
pub struct Setup {
    cores: usize,
    listen: String,
    args: Vec<String>,
    envs: Vec<(String, String)>,
    config: String,
    ulimits: Vec<String>,
    user: Option<u32>,
    state_dir: Option<PathBuf>,
    handed_over: Option<(TcpListener, String)>,
}

impl Setup {
    /// A broker with so many cores, the tests' key, and the limits as they are by default.
    pub fn cores(cores: usize) -> Setup {
        Setup {
            cores,
            listen: "127.0.0.1:0".to_string(),
            args: Vec::new(),
            envs: vec![("LUX_API_KEY".to_string(), API_KEY.to_string())],
            config: String::new(),
            ulimits: Vec::new(),
            user: None,
            state_dir: None,
            handed_over: None,
        }
    }

    /// Sets one limit, in the configuration file: a count, a size as `64 KiB`, a time as `400ms`.
    pub fn limit(mut self, name: &str, value: &str) -> Setup {
        self.config.push_str(&format!("{name} = \"{value}\"\n"));
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: &[&str]) -> Setup {
        self.args.extend(args.iter().map(|arg| arg.to_string()));
        self
    }

    /// Sets a variable of its environment, which is otherwise empty.
    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.envs.push((name.to_string(), value.to_string()));
        self
    }

    /// Takes the tests' key out of its environment.
    pub fn without_key(mut self) -> Setup {
        self.envs.retain(|(name, _)| name != "LUX_API_KEY");
        self
    }

    /// Listens there, not on a free port.
    pub fn listen(mut self, address: SocketAddr) -> Setup {
        self.listen = address.to_string();
        self
    }

    /// Uses this state directory, not one of its own.
    pub fn state_dir(mut self, dir: &Path) -> Setup {
        self.state_dir = Some(dir.to_owned());
        self
    }

    /// Starts it and waits until it answers.
    #[track_caller]
    pub fn start(self) -> Broker {
        self.try_start().unwrap_or_else(|(_, stderr)| panic!("lux serve ended before it listened:\n{stderr}"))
    }

    /// Starts it where it may refuse to run: a broker that answers, or its exit code and what it said.
    pub fn try_start(self) -> Result<Broker, (i32, String)> {
        let (process, home) = self.spawn();
        let Some(line) = process.line_with("listening on http") else { return Err(process.ended()) };
        let address = line.split("://").nth(1).expect("an address follows");
        let address = address.split(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c))).next().unwrap();
        let address =
            address.trim_end_matches('.').parse().unwrap_or_else(|_| panic!("no address in {line:?}"));
        Ok(Broker { process, address, _home: home })
    }

    /// Starts it where it must refuse to run: its exit code and what it said.
    pub fn start_refused(self) -> (i32, String) {
        let (process, _home) = self.spawn();
        process.ended()
    }

    fn spawn(self) -> (Process, TempDir) {
        let (command, home) = self.command("serve");
        (Process::spawn(command), home)
    }

    fn command(self, subcommand: &str) -> (Command, TempDir) {
        let home = TempDir::new().expect("a directory for the broker");
        let program = match self.user {
            None => PathBuf::from(env!("CARGO_BIN_EXE_lux")),
            Some(user) => hand_over(home.path(), user),
        };
        let mut preparations = self.ulimits;
        if let Some((_, words)) = &self.handed_over {
            preparations.push(format!("exec 3<&0 </dev/null && export {words}"));
        }
        let mut command = match preparations.is_empty() {
            true => Command::new(program),
            false => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{} && exec \"$0\" \"$@\"", preparations.join(" && "))]);
                shell.arg(program);
                shell
            }
        };
        match self.handed_over {
            Some((listener, _)) => command.stdin(OwnedFd::from(listener)),
            None => command.stdin(Stdio::null()),
        };
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let state_dir = self.state_dir.unwrap_or_else(|| home.path().join("state"));
        command.arg(subcommand).args(["--listen", &self.listen]).args(["--cores", &self.cores.to_string()]);
        command.arg("--state-dir").arg(state_dir);
        if !self.config.is_empty() {
            let file = home.path().join("lux.toml");
            fs::write(&file, format!("[limits]\n{}", self.config)).expect("the configuration is written");
            command.arg("--config").arg(file);
        }
        command.args(&self.args).env_clear().envs(self.envs);
        (command, home)
    }
}

/// A start that may fail, and looks at the process: what the tests of the host need, which share this harness.
#[allow(dead_code)]
impl Setup {
    /// Allows it only so many file descriptors.
    pub fn descriptors(mut self, count: usize) -> Setup {
        self.ulimits.push(format!("ulimit -n {count}"));
        self
    }

    /// Allows it to lock only so much memory.
    pub fn locked_kib(mut self, kib: usize) -> Setup {
        self.ulimits.push(format!("ulimit -l {kib}"));
        self
    }

    /// Runs it as this user and the group of that number, from a copy that this user can reach. Takes root.
    pub fn user(mut self, id: u32) -> Setup {
        self.user = Some(id);
        self
    }

    /// Hands it this socket as systemd does, which keeps it: as descriptor 3, with these words in the
    /// environment (`$$` is the broker's process id).
    pub fn hand_over_as(mut self, listener: &TcpListener, words: &str) -> Setup {
        let listener = listener.try_clone().expect("a second descriptor");
        // systemd's own sockets do not block.
        listener.set_nonblocking(true).expect("a socket");
        self.handed_over = Some((listener, words.to_string()));
        self
    }

    /// Hands it this socket as systemd does, which keeps it.
    pub fn hand_over(self, listener: &TcpListener) -> Setup {
        self.hand_over_as(listener, "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=lux.socket")
    }

    /// Asks `lux check` what it thinks of the same start.
    pub fn check(self) -> Output {
        let (mut command, _home) = self.command("check");
        command.stdin(Stdio::null()).output().expect("lux runs")
    }
}

/// Puts a copy of the program where this user can run it, and gives them the directory.
fn hand_over(home: &Path, user: u32) -> PathBuf {
    let program = home.join("lux");
    fs::copy(env!("CARGO_BIN_EXE_lux"), &program).expect("the program can be copied");
    chown(home, Some(user), Some(user)).expect("root can give a directory away");
    program
}

/// A broker that answers.
pub struct Broker {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    _home: TempDir,
}

impl Broker {
    /// A new connection.
    pub fn http(&self) -> Http {
        Http::over(self.connect())
    }

    /// So many new connections: with SO_REUSEPORT the kernel spreads them over the cores.
    pub fn connections(&self, count: usize) -> Vec<Http> {
        (0..count).map(|_| self.http()).collect()
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn ask(&self, request: Request) -> Answer {
        self.http().ask(&request)
    }

    /// A bare connection.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .unwrap_or_else(|why| panic!("cannot connect: {why}; the broker said:\n{}", self.stderr()))
    }

    /// Everything it has said on standard error so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Waits for a line on standard error that holds `text`.
    #[track_caller]
    pub fn line_with(&self, text: &str) -> String {
        self.process.line_with(text).unwrap_or_else(|| panic!("ended without {text:?}:\n{}", self.stderr()))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end: the exit code and all it said.
    pub fn ended(&self) -> (i32, String) {
        self.process.ended()
    }

    /// Asks it to stop, and checks that it ends well.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        let (code, stderr) = self.ended();
        assert_eq!(code, 0, "a broker that was asked to stop ends with 0; it said:\n{stderr}");
        stderr
    }

    /// Resident memory now, in KiB.
    pub fn resident_kib(&self) -> usize {
        self.status_kib("VmRSS:")
    }

    fn status_kib(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("the line is there");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of kB")
    }

    /// The process id, for a look into `/proc`.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }
}

#[allow(dead_code)]
impl Broker {
    /// The most memory that was resident at any moment since the start, in KiB.
    pub fn peak_resident_kib(&self) -> usize {
        self.status_kib("VmHWM:")
    }

    /// Processor time used so far, in clock ticks (of which Linux counts 100 a second).
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        let after_name = stat.rsplit(')').next().expect("the name ends");
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}
