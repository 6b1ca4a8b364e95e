//! Versions, protocols, resumption, endings; and peers that do not speak TLS, or slowly.
//!
//! Always true: whoever cannot be served learns why, as far as there is a way to say it, and costs nobody else.
//!
//! Read first: `tls/peer.rs`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use super::Pair;
use super::peer::{Drip, Trust, answer, ask, expect_close_notify, kind, read_out, transport};
use crate::harness::{Broker, PATIENCE, Request, Setup, fresh, get, put};

#[test]
fn both_versions_are_spoken_and_http_1_1_inside() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(2));
    let pem = std::fs::read_to_string(&pair.cert).unwrap();
    for version in [&TLS12, &TLS13] {
        let mut stream = Trust::with(&pem, &[version], &["h2", "http/1.1"]).connect(&broker);
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let key = fresh("version");
        ask(&mut stream, &put(&key, "1")).expect(201);
        assert_eq!(ask(&mut stream, &get(&key)).record().data, "1");
        let without = Trust::with(&pem, &[version], &[]);
        without.ask(&broker, &get(&key)).expect(200);
        let why = Trust::with(&pem, &[version], &["h2"]).believes(&broker).unwrap_err();
        assert!(why.contains("NoApplicationProtocol"), "{why}");
    }
    broker.stop();
}

#[test]
fn sessions_are_resumed_in_both_versions() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(2));
    let pem = std::fs::read_to_string(&pair.cert).unwrap();
    for version in [&TLS12, &TLS13] {
        let trust = Trust::with(&pem, &[version], &["http/1.1"]);
        let mut first = trust.connect(&broker);
        assert_eq!(kind(&first), HandshakeKind::Full);
        ask(&mut first, &put(&fresh("resumed"), "1")).expect(201);
        for _ in 0..3 {
            // Whichever core it meets.
            let mut again = trust.connect(&broker);
            assert_eq!(kind(&again), HandshakeKind::Resumed, "{version:?}");
            ask(&mut again, &put(&fresh("resumed"), "1")).expect(201);
        }
    }
}

#[test]
fn large_states_go_in_and_out_unchanged() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(2));
    let trust = pair.trust();
    let state = format!("\"{}\"", "0123456789abcdef".repeat(15_000));
    let key = fresh("large");
    let mut viewer = trust.view(&broker, &format!("/{key}"));
    viewer.snapshot();
    let mut stream = trust.connect(&broker);
    ask(&mut stream, &put(&key, &state)).expect(201);
    assert_eq!(viewer.record().data, state);
    assert_eq!(ask(&mut stream, &get(&key)).record().data, state);
}

#[test]
fn bytes_may_come_one_at_a_time() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1));
    let pem = std::fs::read_to_string(&pair.cert).unwrap();
    for version in [&TLS12, &TLS13] {
        let trust = Trust::with(&pem, &[version], &["http/1.1"]);
        let mut stream = trust.over(Drip(transport(&broker)));
        let key = fresh("drip");
        ask(&mut stream, &put(&key, "[1,2,3]")).expect(201);
        assert_eq!(ask(&mut stream, &get(&key)).record().data, "[1,2,3]");
    }
}

#[test]
fn both_ends_say_that_they_end() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1));
    let trust = pair.trust();
    let key = fresh("ended");
    trust.ask(&broker, &put(&key, "1")).expect(201);
    // The broker ends, since it was asked to.
    let mut stream = trust.connect(&broker);
    assert!(ask(&mut stream, &get(&key).field("Connection", "close")).head.says_close());
    expect_close_notify(&mut stream);
    // The peer ends, and what it asked for before is still answered.
    let mut stream = trust.connect(&broker);
    stream.write_all(&get(&key).bytes()).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    answer(&mut stream, "GET").expect(200);
    expect_close_notify(&mut stream);
    // The peer ends without a word for it.
    let mut stream = trust.connect(&broker);
    stream.write_all(&get(&key).bytes()).unwrap();
    stream.flush().unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    answer(&mut stream, "GET").expect(200);
    // A viewer is told of a stop.
    let mut viewer = trust.view(&broker, &format!("/{key}"));
    viewer.snapshot();
    broker.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(viewer.closed(), 1012);
    assert_eq!(broker.ended().0, 0);
}

#[test]
fn plain_http_is_told_to_use_https() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(2));
    for request in [get("a"), put("a", "1"), Request::new("HEAD", "/healthz"), Request::new("POST", "/")] {
        let mut http = broker.http();
        http.send(&request.bytes());
        let answer = http.answer();
        assert!(answer.head.says_close());
        assert!(answer.trouble(400).message.contains("https://"));
        http.expect_end();
    }
    // Also one that is still sending.
    let mut http = broker.http();
    http.send(
        format!(
            "PUT /api/lux/a HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n{}",
            "x".repeat(99_999)
        )
        .as_bytes(),
    );
    http.answer().trouble(400);
    pair.trust().ask(&broker, &get(&fresh("none"))).trouble(404);
}

#[test]
fn what_is_neither_gets_an_alert_and_no_more() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1));
    let version_1 = [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3];
    for bytes in [&[0x80; 64][..], &[0; 64], &[0x16, 3, 1, 0xff, 0xff, 1], &version_1, &[0x17, 3, 3, 0, 1, 7]]
    {
        let mut stream = transport(&broker);
        stream.write_all(bytes).unwrap();
        let said = read_out(&mut stream);
        assert!(said.is_empty() || said[0] == 21, "an alert or nothing: {said:?}");
    }
    // In the middle of a session: a record that nobody can have encrypted.
    let trust = pair.trust();
    let mut stream = trust.connect(&broker);
    ask(&mut stream, &get(&fresh("none"))).trouble(404);
    stream.sock.write_all(&[0x17, 3, 3, 0, 20]).unwrap();
    stream.sock.write_all(&[7; 20]).unwrap();
    assert!(stream.read(&mut [0; 64]).is_err(), "it ends, and not well");
    nobody_is_left(&broker, &trust);
}

#[test]
fn a_handshake_that_takes_too_long_ends() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1).limit("head_timeout", "300ms"));
    let trust = pair.trust();
    let mut silent = transport(&broker);
    let mut half = transport(&broker);
    half.write_all(&[0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc, 3, 3]).unwrap();
    let mut drip = transport(&broker);
    drip.write_all(&[0x16]).unwrap();
    let began = Instant::now();
    for stream in [&mut silent, &mut half, &mut drip] {
        read_out(stream);
    }
    assert!(began.elapsed() < PATIENCE / 3, "no longer than a head may take, and not as long as a body");
    // One whose handshake is over has no longer for its request, and is told.
    let mut stream = trust.connect(&broker);
    stream.write_all(b"GET / HT").unwrap();
    answer(&mut stream, "GET").trouble(408);
    expect_close_notify(&mut stream);
    nobody_is_left(&broker, &trust);
}

#[test]
fn a_full_broker_says_so_over_tls_too() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1).limit("connections", "1"));
    let trust = pair.trust();
    let mut stream = trust.connect(&broker);
    ask(&mut stream, &put("a", "1")).expect(201);
    let mut other = trust.connect(&broker);
    assert_eq!(answer(&mut other, "GET").trouble(503).code, "too_many_connections");
    expect_close_notify(&mut other);
    ask(&mut stream, &get("a")).expect(200);
}

#[test]
fn many_handshakes_at_once_are_all_served_and_delay_nobody() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1));
    let trust = pair.trust();
    let key = fresh("storm");
    let mut viewer = trust.view(&broker, &format!("/{key}"));
    viewer.snapshot();
    let mut producer = trust.connect(&broker);
    std::thread::scope(|scope| {
        let storm: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..20).for_each(|_| {
                        trust.ask(&broker, &get(&fresh("none"))).trouble(404);
                    })
                })
            })
            .collect();
        let mut rev = 0;
        while rev < 20 || storm.iter().any(|thread| !thread.is_finished()) {
            rev += 1;
            let status = if rev == 1 { 201 } else { 200 };
            ask(&mut producer, &put(&key, &rev.to_string())).expect(status);
            assert_eq!(viewer.record().rev, rev);
        }
    });
    drop((viewer, producer));
    nobody_is_left(&broker, &trust);
}

/// Waits until the broker has no connection but the one that asks.
#[track_caller]
fn nobody_is_left(broker: &Broker, trust: &Trust) {
    let began = Instant::now();
    let mut stream = trust.connect(broker);
    loop {
        let metrics = ask(&mut stream, &Request::new("GET", "/metrics"));
        let text = String::from_utf8(metrics.body).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("lux_connections{") || line.starts_with("lux_connections "));
        let count: u64 = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        if count == 1 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{count} connections are left:\n{text}");
    }
}
