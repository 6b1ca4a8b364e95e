//! The peers: who they are, and how one of them is started.
//!
//! Always true: a peer is its folder under `loadtest/peers` and its line in [`PEERS`]; it runs on the same
//! processor as everybody.
//!
//! Read first: `loadtest/peers/README.md`, `speech/mod.rs`.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::compare::server::Contender;
use crate::failure::Failure;
use crate::speech::Kind;

/// One real alternative.
pub struct Peer {
    /// As cases call it.
    pub contender: Contender,
    /// Its folder, and its name on the command line.
    pub folder: &'static str,
    /// How one talks to it.
    pub kind: Kind,
    /// Its producers have a port of their own.
    has_two_ports: bool,
}

/// All of them, in the order of the tables.
pub const PEERS: &[Peer] = &[
    Peer { contender: Contender::Nchan, folder: "nchan", kind: Kind::Nchan, has_two_ports: false },
    Peer { contender: Contender::Mosquitto, folder: "mosquitto", kind: Kind::Mqtt, has_two_ports: true },
    Peer { contender: Contender::Nats, folder: "nats", kind: Kind::Nats, has_two_ports: true },
    Peer { contender: Contender::NodeWs, folder: "node-ws", kind: Kind::Plain, has_two_ports: false },
    Peer { contender: Contender::Socketify, folder: "socketify", kind: Kind::Plain, has_two_ports: false },
];

impl Peer {
    /// The peer behind a contender, if it is one.
    pub fn of(contender: Contender) -> Option<&'static Peer> {
        PEERS.iter().find(|peer| peer.contender == contender)
    }

    /// Those with these names, in the order of the tables.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(names: &[String]) -> Result<Vec<Contender>, Failure> {
        let known: Vec<&str> = PEERS.iter().map(|peer| peer.folder).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(Failure::new(format!("there is no peer {name}; there are {}", known.join(", "))));
        }
        let wanted = |peer: &&Peer| names.iter().any(|name| name == peer.folder);
        Ok(PEERS.iter().filter(wanted).map(|peer| peer.contender).collect())
    }
}

/// Starts one with the command given so far; the process, its address, and where its producers connect to.
///
/// # Errors
/// It ends at once, or does not listen within fifteen seconds.
pub fn start(
    mut command: impl FnMut() -> Command,
    peer: &Peer,
) -> Result<(Child, String, SocketAddr), Failure> {
    // A port that was free may be taken by the time the peer gets to it.
    const ATTEMPTS: usize = 3;
    let mut started = try_to_start(command(), peer);
    for _ in 1..ATTEMPTS {
        if started.is_err() {
            started = try_to_start(command(), peer);
        }
    }
    started
}

fn try_to_start(mut command: Command, peer: &Peer) -> Result<(Child, String, SocketAddr), Failure> {
    const PATIENCE: Duration = Duration::from_secs(15);
    let ports = free_ports().map_err(Failure::of("finding free ports"))?;
    let [address, second] = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    command.args(ports.map(|port| port.to_string()));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(Failure::of(format!("starting {}", peer.folder)))?;
    let said = listen_to(&mut child);
    let producers = if peer.has_two_ports { second } else { address };
    let until = Instant::now() + PATIENCE;
    while !answers(address) || !answers(producers) {
        if Instant::now() > until || !matches!(child.try_wait(), Ok(None)) {
            ask_to_end(&mut child);
            let _ = child.kill();
            let _ = child.wait();
            let said = said.lock().map(|lines| Vec::from(lines.clone()).join(" / ")).unwrap_or_default();
            return Err(Failure::new(format!("{} did not start: {said}", peer.folder)));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((child, format!("http://{address}"), producers))
}

/// Two ports that nobody listens on, below those that the kernel gives to connections of its own choice: of ten
/// thousand viewers one might sit on it.
fn free_ports() -> std::io::Result<[u16; 2]> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let begin = (std::process::id() % u32::from(COUNT)) as u16;
    let all = (0..COUNT).map(|at| FIRST + (begin + at) % COUNT);
    let mut free = all.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    match (free.next(), free.next()) {
        (Some(one), Some(other)) => Ok([one, other]),
        (None, _) | (_, None) => Err(std::io::ErrorKind::AddrInUse.into()),
    }
}

fn answers(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// Its last words, read in a thread, so that it never waits for a reader.
fn listen_to(child: &mut Child) -> Arc<Mutex<VecDeque<String>>> {
    const LINES: usize = 3;
    let said = Arc::new(Mutex::new(VecDeque::new()));
    if let Some(stderr) = child.stderr.take() {
        let kept = said.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Ok(mut lines) = kept.lock() {
                    lines.push_back(line);
                    if lines.len() > LINES {
                        lines.pop_front();
                    }
                }
            }
        });
    }
    said
}

/// SIGTERM, and some time to follow it.
pub fn ask_to_end(child: &mut Child) {
    const PATIENCE: Duration = Duration::from_secs(3);
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_its_folder_and_is_found_by_it() {
        for peer in PEERS {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(peer.folder);
            assert!(folder.join("install").exists() && folder.join("start").exists(), "{}", folder.display());
            assert_eq!(Peer::named(&[peer.folder.to_owned()]).ok(), Some(vec![peer.contender]));
        }
        let refused = Peer::named(&["kafka".to_owned()]).expect_err("refused").to_string();
        assert!(refused.contains("kafka") && refused.contains("node-ws"), "{refused}");
    }

    #[test]
    fn a_peer_that_ends_at_once_says_why() {
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", "echo no such broker >&2; exit 1"]);
            command
        };
        let why = start(command, &PEERS[0]).expect_err("it does not start").to_string();
        assert!(why.contains("nchan did not start"), "{why}");
    }
}
