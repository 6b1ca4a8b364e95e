//! How many connections an address may have, and how fast it may open them.
//!
//! Always true: other addresses, and those who are connected already, are not concerned.
//!
//! Read first: `guards/mod.rs`.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::harness::{Broker, Http, PATIENCE, Request, Setup, Viewer, put};

fn health() -> Request {
    Request::new("GET", "/healthz")
}

/// A connection from another address of this machine.
fn from(last: u8, broker: &Broker) -> Http {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let own = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(&own.into()).expect("all of 127.0.0.0/8 is this machine");
    socket.connect(&broker.address.into()).expect("the broker listens");
    Http::over(TcpStream::from(socket))
}

/// One of the broker's figures, on one core.
#[track_caller]
fn figure(asker: &mut Http, name: &str) -> u64 {
    let metrics = asker.ask(&Request::new("GET", "/metrics")).expect(200);
    let start = format!("{name}{{core=\"0\"}} ");
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(&start)).expect("a figure");
    line.parse().expect("a number")
}

#[test]
fn an_address_has_as_many_connections_as_it_may() {
    let broker = Setup::cores(1).limit("connections_per_address", "4").start();
    let mut viewer = Viewer::open(&broker, "/board");
    viewer.snapshot();
    let mut held = broker.connections(3);
    held[0].ask(&health()).expect(200);
    for _ in 0..3 {
        let mut late = broker.http();
        late.try_send(&health().bytes());
        let refused = late.answer();
        assert!(refused.head.says_close());
        assert_eq!(refused.field("Retry-After"), Some("1"));
        let trouble = refused.trouble(429);
        assert_eq!(trouble.code, "too_many_connections");
        trouble.names(4);
        late.expect_end();
    }
    let mut other = from(9, &broker);
    other.ask(&put("board", "1")).expect(201);
    assert_eq!(viewer.record().data, "1");
    // Somebody leaves, and there is room again, as soon as the broker has seen it.
    drop(held.pop());
    let began = Instant::now();
    loop {
        let mut next = broker.http();
        next.try_send(&health().bytes());
        if next.answer().status() == 200 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "no room again");
    }
    broker.stop();
}

#[test]
fn a_flood_of_connections_from_one_address_is_answered_at_first_and_closed_then() {
    const FLOOD: usize = 400;
    let broker = Setup::cores(1).limit("connects_per_address", "10").start();
    let mut other = from(9, &broker);
    other.ask(&health()).expect(200);
    let mut flood = broker.connections(FLOOD);
    let (mut served, mut told, mut closed) = (0, 0, 0);
    for peer in &mut flood {
        peer.try_send(&health().bytes());
        match peer.peek_some() {
            None => closed += 1,
            Some(_) => match peer.answer().status() {
                200 => served += 1,
                429 => told += 1,
                status => panic!("{status}"),
            },
        }
    }
    assert!((10..FLOOD / 2).contains(&served), "{served} were served, at 10 a second");
    assert!(told > 0 && served + told + closed == FLOOD, "{served} {told} {closed}");
    assert_eq!(figure(&mut other, "lux_turned_away_total"), (told + closed) as u64);
    other.ask(&put("calm", "1")).expect(201);
    broker.stop();
}
