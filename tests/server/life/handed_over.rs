//! The listening socket comes from outside, and stays when the broker goes.
//!
//! Always true: while no broker runs, nobody is refused; whoever connects is answered by the next one.
//!
//! Read first: `life/mod.rs`, `harness/broker.rs` (`hand_over`).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{Answer, Broker, Http, PATIENCE, Request, Setup, Viewer, get, put};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_socket_that_was_handed_over_is_where_it_listens() {
    for cores in [1, 2, 4] {
        let (socket, address) = listener();
        let broker = Setup::cores(cores).listen("127.0.0.1:1".parse().unwrap()).hand_over(&socket).start();
        assert_eq!(broker.address, address, "`listen` is not used");
        broker.ask(put("board", "1")).expect(201);
        let mut viewer = Viewer::open(&broker, "/board");
        assert_eq!(viewer.snapshot().0[0].data, "1");
        drop(viewer);
        broker.stop();
    }
}

#[test]
fn whoever_connects_between_two_brokers_is_answered_by_the_next() {
    for cores in [1, 2, 4] {
        let (socket, address) = listener();
        let first = Setup::cores(cores).hand_over(&socket).start();
        let began = Instant::now();
        first.stop();
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "nobody was there to wait for: {:?}",
            began.elapsed()
        );
        let mut early: Vec<Http> =
            (0..20).map(|_| Http::over(TcpStream::connect(address).expect("not refused"))).collect();
        for (at, connection) in early.iter_mut().enumerate() {
            connection.send(&put(&format!("early-{at}"), "1").bytes());
        }
        let broker = Setup::cores(cores).hand_over(&socket).start();
        for connection in &mut early {
            connection.answer().expect(201);
        }
        drop(early);
        broker.stop();
    }
}

#[test]
fn a_broker_that_was_killed_leaves_the_socket_open() {
    let (socket, address) = listener();
    for _ in 0..5 {
        let broker = Setup::cores(2).hand_over(&socket).start();
        broker.ask(put("board", "1")).expect(201);
        // Dropped, and so killed.
    }
    let mut early = Http::over(TcpStream::connect(address).expect("not refused"));
    early.send(&get("board").bytes());
    let broker = Setup::cores(2).hand_over(&socket).start();
    early.answer().trouble(404);
    drop(early);
    broker.stop();
}

/// Ends the clients, also where the test fails: else they would go on for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One request on a connection of its own. `None` is what no client may ever see: it was not let in, or was
/// left without an answer.
fn whole_exchange(address: SocketAddr, request: &Request) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(&request.bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Answer::parse(&answer, "PUT", true).map(|(answer, _)| answer.status())
}

fn restarts_refuse_nobody(cores: usize) {
    const RESTARTS: usize = 6;
    let (socket, address) = listener();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = |at: usize| {
            let request = put(&format!("client-{at}"), "1").field("Connection", "close");
            let is_over = &is_over;
            move || {
                let mut statuses = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    statuses.push(whole_exchange(address, &request));
                }
                statuses
            }
        };
        let over = Over(&is_over);
        let clients: Vec<_> = (0..4).map(|at| scope.spawn(client(at))).collect();
        for _ in 0..RESTARTS {
            let broker = Setup::cores(cores).hand_over(&socket).start();
            broker.ask(put("board", "1"));
            broker.stop();
        }
        drop(over);
        // Those that have connected already wait for a broker.
        let last = Setup::cores(cores).hand_over(&socket).start();
        let statuses: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        let written = statuses.iter().filter(|status| matches!(status, Some(200 | 201))).count();
        let others: Vec<_> =
            statuses.iter().filter(|status| !matches!(status, Some(200 | 201 | 503))).collect();
        assert!(
            others.is_empty(),
            "of {} requests {} found no answer: {others:?}",
            statuses.len(),
            others.len()
        );
        assert!(written > RESTARTS, "there was traffic: {written} of {}", statuses.len());
        last.stop();
    });
}

#[test]
fn restarts_under_load_refuse_nobody_on_1_core() {
    restarts_refuse_nobody(1);
}

#[test]
fn restarts_under_load_refuse_nobody_on_4_cores() {
    restarts_refuse_nobody(4);
}

/// How many connections each core has.
fn connections_per_core(broker: &Broker) -> Vec<usize> {
    let page = broker.ask(Request::new("GET", "/metrics")).expect(200);
    let lines = page.text().lines().filter_map(|line| line.strip_prefix("lux_connections{core="));
    lines.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_shared_socket_is_shared_fairly() {
    const CORES: usize = 4;
    const CONNECTIONS: usize = 400;
    let (socket, _) = listener();
    // Most of them wait before the first core is up, and would be easy prey for it.
    let early: Vec<TcpStream> =
        (0..120).map(|_| TcpStream::connect(socket.local_addr().unwrap()).unwrap()).collect();
    let broker = Setup::cores(CORES).hand_over(&socket).start();
    let mut connections = broker.connections(CONNECTIONS - early.len());
    for connection in &mut connections {
        connection.ask(&get("board")).trouble(404);
    }
    let counts = connections_per_core(&broker);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    // So far ahead a core may be, and so many accepts may be on their way then.
    assert!(most - least <= 32 + 1 + 8 + 1, "{counts:?}");
    assert!(counts.len() == CORES && counts.iter().sum::<usize>() > CONNECTIONS, "{counts:?}");
    // One core's viewers leave; the others' places are not held against newcomers.
    drop((connections, early));
    broker.connections(50).iter_mut().for_each(|connection| {
        connection.ask(&get("board")).trouble(404);
    });
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.ended().0, 0);
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    let (socket, address) = listener();
    let broker = Setup::cores(2).hand_over_as(&socket, "LISTEN_PID=1 LISTEN_FDS=1").start();
    assert_ne!(broker.address, address);
    broker.ask(get("board")).trouble(404);
    broker.stop();
}

#[test]
fn what_cannot_be_listened_on_is_refused_in_one_sentence() {
    let (socket, _) = listener();
    let two = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a.socket:b.socket";
    let (code, stderr) = Setup::cores(2).hand_over_as(&socket, two).start_refused();
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("2 sockets") && stderr.contains("a.socket, b.socket"), "{stderr}");
    // Descriptor 3 of a unit with `Accept=yes` is one peer, not a listening socket.
    let peer = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let (code, stderr) =
        Setup::cores(2).hand_over(&TcpListener::from(std::os::fd::OwnedFd::from(peer))).start_refused();
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("not a listening socket") && stderr.contains("Accept=no"), "{stderr}");
}
