//! Servers that are started for one measurement each, on one processor.
//!
//! Always true: a server ends when what holds it goes away, whatever happened.
//!
//! Read first: `compare/mod.rs`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::compare::Compare;
use crate::compare::peer::{self, Peer};
use crate::failure::Failure;
use crate::scenario::Course;
use crate::scenario::fanout::{self, Fanout};
use crate::speech::Kind;
use crate::target::Target;

/// Who takes part. How a peer is started and talked to stands in `compare/peer.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum Contender {
    /// The broker, on one core.
    Lux,
    /// The broker on two, one of which it shares with the generator.
    LuxOnTwo,
    /// A bare echo of the same request and answer bytes.
    Echo,
    /// A bare batched send of the same bytes to the same sockets.
    Send,
    /// A server that accepts and no more.
    Accept,
    /// nginx with nchan.
    Nchan,
    /// Mosquitto.
    Mosquitto,
    /// nats-server.
    Nats,
    /// A broker on npm's `ws`.
    NodeWs,
    /// A broker on socketify, which is uWebSockets.
    Socketify,
}

impl Contender {
    /// As tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Lux => "Lux",
            Contender::LuxOnTwo => "Lux on two cores",
            Contender::Echo => "ceiling echo",
            Contender::Send => "ceiling send",
            Contender::Accept => "ceiling accept",
            Contender::Nchan => "nchan",
            Contender::Mosquitto => "Mosquitto",
            Contender::Nats => "NATS",
            Contender::NodeWs => "Node ws",
            Contender::Socketify => "uWebSockets",
        }
    }
}

/// What is needed to start them.
pub struct Bench {
    lux: PathBuf,
    lux_args: Vec<String>,
    cpu: usize,
    own_cpu: usize,
    scratch: PathBuf,
    peers_config: PathBuf,
    peers_cache: PathBuf,
    answer_bytes: usize,
    message_bytes: usize,
}

/// A server that runs.
pub struct Running {
    child: Child,
    /// A peer's settings and files; they go with it.
    scratch: Option<PathBuf>,
    /// Where and what it is.
    pub target: Target,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It holds nothing that outlives it; but one that has workers is asked first, so that it ends them.
        if self.scratch.is_some() {
            peer::ask_to_end(&mut self.child);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(scratch) = &self.scratch {
            let _ = std::fs::remove_dir_all(scratch);
        }
    }
}

/// A key for the run; the broker keeps it nowhere.
const API_KEY: &str = "loadtest-on-loopback-only";

impl Bench {
    /// Finds the broker's program.
    ///
    /// # Errors
    /// It is not there.
    pub fn new(options: &Compare, scratch: &Path) -> Result<Bench, Failure> {
        let own = own_program()?;
        let lux = options.lux.clone().unwrap_or_else(|| own.with_file_name("lux"));
        if !lux.exists() {
            return Err(Failure::new(format!(
                "there is no {}; build it, or name it with --lux",
                lux.display()
            )));
        }
        Ok(Bench {
            lux,
            lux_args: options.lux_arg.clone(),
            cpu: options.server_cpu,
            own_cpu: options.own_cpu,
            scratch: scratch.to_owned(),
            peers_config: options.peers_config.clone(),
            peers_cache: options.peers_cache.clone(),
            answer_bytes: 0,
            message_bytes: 0,
        })
    }

    /// Asks Lux how long its answers and frames are, so that the ceilings send as much.
    ///
    /// # Errors
    /// Lux does not start or does not answer.
    pub fn learn_sizes(&mut self) -> Result<(), Failure> {
        let lux = self.start(Contender::Lux)?;
        let course = Course { seconds: 0.3, warmup: 0.2, spin: false };
        let probe = Fanout {
            viewers: 2,
            keys: 1,
            prefix: false,
            bytes: crate::compare::cases::STATE_BYTES,
            producers: 1,
            rate: None,
            burst: 1,
            pipeline: 1,
            course,
        };
        let report = fanout::run(&probe, &lux.target)?;
        let size = |name| report.get(name).filter(|size| *size > 0.0).map(|size| size as usize);
        match (size("answer bytes"), size("message bytes")) {
            (Some(answer), Some(message)) => {
                (self.answer_bytes, self.message_bytes) = (answer, message);
                Ok(())
            }
            (None, _) | (_, None) => Err(Failure::new("Lux's viewers saw nothing in the first half second")),
        }
    }

    /// Starts one.
    ///
    /// # Errors
    /// It does not start, or does not listen within some seconds.
    pub fn start(&self, contender: Contender) -> Result<Running, Failure> {
        if let Some(peer) = Peer::of(contender) {
            return self.start_peer(peer);
        }
        let mut command = self.pinned(contender == Contender::LuxOnTwo);
        match contender {
            Contender::Lux => self.lux(&mut command, "1"),
            Contender::LuxOnTwo => self.lux(&mut command, "2"),
            Contender::Echo => self.ceiling(&mut command, "echo")?,
            Contender::Send => self.ceiling(&mut command, "send")?,
            Contender::Accept => self.ceiling(&mut command, "accept")?,
            Contender::Nchan
            | Contender::Mosquitto
            | Contender::Nats
            | Contender::NodeWs
            | Contender::Socketify => return Err(Failure::new("a peer without a line in PEERS")),
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(Failure::of("starting a server with taskset"))?;
        // taskset becomes the server: the process is the same.
        let pid = child.id();
        let found = address(&mut child);
        let target =
            found.and_then(|url| Target::new(contender.name(), Kind::Lux, &url, Some(API_KEY), Some(pid)));
        match target {
            Ok(target) => Ok(Running { child, scratch: None, target }),
            Err(failure) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failure)
            }
        }
    }

    fn start_peer(&self, peer: &Peer) -> Result<Running, Failure> {
        let scratch = self.scratch.join(peer.folder);
        std::fs::create_dir_all(&scratch).map_err(Failure::of("making a folder for a peer"))?;
        let command = || {
            let mut command = self.pinned(false);
            command.arg(self.peers_config.join(peer.folder).join("start"));
            command.arg(&self.peers_cache).arg(&scratch);
            command
        };
        let (child, url, producer_address) = peer::start(command, peer)?;
        let pid = Some(child.id());
        let mut target = Target::new(peer.contender.name(), peer.kind, &url, None, pid)?;
        target.producer_address = producer_address;
        Ok(Running { child, scratch: Some(scratch), target })
    }

    /// What begins every server's command line: its processor.
    fn pinned(&self, is_on_two: bool) -> Command {
        let mut command = Command::new("taskset");
        let cpus = if is_on_two { format!("{},{}", self.cpu, self.own_cpu) } else { self.cpu.to_string() };
        command.arg("-c").arg(cpus);
        command
    }

    fn lux(&self, command: &mut Command, cores: &str) {
        command.arg(&self.lux).args(["serve", "--listen", "127.0.0.1:0", "--cores", cores, "--state-dir"]);
        command.arg(&self.scratch).args(&self.lux_args).env("LUX_API_KEY", API_KEY);
    }

    fn ceiling(&self, command: &mut Command, kind: &str) -> Result<(), Failure> {
        command.arg(own_program()?).args(["ceiling", kind]);
        command.arg("--answer-bytes").arg(self.answer_bytes.to_string());
        command.arg("--message-bytes").arg(self.message_bytes.to_string());
        Ok(())
    }
}

fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(Failure::of("finding this program"))
}

/// Reads standard error up to the line that says where it listens, and the rest in a thread, so that the
/// server never waits for a reader.
fn address(child: &mut Child) -> Result<String, Failure> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let stderr = child.stderr.take().ok_or_else(|| Failure::new("a server without standard error"))?;
    let (say, hear) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some(at) = line.find("http://").filter(|_| line.contains("listening on")) {
                let _ = say.send(line[at..].trim().to_owned());
            }
        }
    });
    hear.recv_timeout(PATIENCE)
        .map_err(|_| Failure::new("a server did not say where it listens within ten seconds"))
}
