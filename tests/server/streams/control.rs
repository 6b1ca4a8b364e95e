//! Control frames of a viewer: pings, pongs, the closing handshake.
//!
//! Always true: they are answered at once, whatever else is owed.
//!
//! Read first: `harness/socket.rs`.

use crate::harness::socket::subprotocols;
use crate::harness::{Broker, RawSocket, Viewer, frame, fresh, put};

crate::on_1_2_4_cores!(
    a_ping_is_answered_with_its_payload,
    many_pings_are_answered_in_order,
    an_unasked_pong_is_nothing,
    a_close_is_answered_with_its_code,
    nothing_follows_a_close,
    a_connection_that_ends_without_a_close_is_forgotten,
    a_pong_does_not_wait_behind_states,
);

fn a_ping_is_answered_with_its_payload(broker: &Broker) {
    for _ in 0..4 {
        let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("ping")));
        for payload in [&b""[..], b"x", b"\x00\xff\x80 any bytes", &[7; 125]] {
            socket.round_trip(payload);
        }
    }
}

fn many_pings_are_answered_in_order(broker: &Broker) {
    let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("pings")));
    // A peer may answer only the newest of several pings (RFC 6455, section 5.5.3), never an older one later.
    let bytes: Vec<u8> = (0..200_u8).flat_map(|n| frame(0x89, &[n])).collect();
    socket.send(&bytes);
    let mut last = None;
    while last != Some(199) {
        let pong = socket.next().expect("a pong, not the end");
        assert_eq!((pong.opcode, pong.payload.len()), (10, 1));
        assert!(last < Some(pong.payload[0]));
        last = Some(pong.payload[0]);
    }
}

fn an_unasked_pong_is_nothing(broker: &Broker) {
    let key = fresh("pong");
    let mut socket = RawSocket::open_synced(broker, &format!("/{key}"));
    socket.send(&[frame(0x8a, b""), frame(0x8a, b"whatever")].concat());
    broker.ask(put(&key, "1")).expect(201);
    assert!(socket.text().contains("\"rev\":1"));
}

fn a_close_is_answered_with_its_code(broker: &Broker) {
    for (payload, code) in [
        (&b"\x03\xe8"[..], 1000),
        (b"\x03\xe9going away", 1001),
        (b"\x0b\xb8", 3000),
        (b"\x13\x87\xe2\x82\xac", 4999),
        (b"", 1005),
    ] {
        let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("close")));
        socket.send(&frame(0x88, payload));
        let answer = socket.close_code();
        assert!(answer == code || (code == 1005 && answer == 1000), "{answer} for {code}");
        socket.expect_end();
    }
    let mut viewer = Viewer::open(broker, &format!("/{}", fresh("close")));
    viewer.close(1000);
    assert_eq!(viewer.closed(), 1000);
}

fn nothing_follows_a_close(broker: &Broker) {
    let key = fresh("after-close");
    let mut socket = RawSocket::open_synced(broker, &format!("/{key}"));
    let bytes = [frame(0x88, b"\x03\xe8"), frame(0x89, b"late"), frame(0x81, b"late")].concat();
    socket.send(&bytes);
    broker.ask(put(&key, "1")).expect(201);
    assert_eq!(socket.close_code(), 1000);
    socket.expect_end();
}

fn a_connection_that_ends_without_a_close_is_forgotten(broker: &Broker) {
    let key = fresh("vanished");
    for _ in 0..20 {
        let mut socket = RawSocket::open(broker, &format!("/{key}"));
        socket.text();
    }
    let mut viewer = Viewer::open(broker, &format!("/{key}"));
    viewer.snapshot();
    for rev in 1..=5 {
        broker.ask(put(&key, "1"));
        assert_eq!(viewer.record().rev, rev);
    }
}

fn a_pong_does_not_wait_behind_states(broker: &Broker) {
    // A hundred large states are owed when the ping comes: its pong is among the first things to arrive
    // once the viewer reads, not behind them all.
    let stem = fresh("control-first");
    let state = format!("\"{}\"", "x".repeat(250_000));
    let mut producer = broker.http();
    for n in 0..100 {
        producer.ask(&put(&format!("{stem}-{n}"), &state)).expect(201);
    }
    let mut socket = RawSocket::open(broker, &format!("/{stem}-*"));
    socket.send(&frame(0x89, b"first"));
    let mut states = 0;
    loop {
        let frame = socket.next().expect("a pong, not the end");
        match frame.opcode {
            10 => break,
            _ => states += 1,
        }
    }
    assert!(states < 60, "{states} large states came before the pong");
}

#[test]
fn the_subprotocol_is_chosen() {
    let broker = crate::harness::shared(2);
    let viewer = Viewer::open_with(broker, "/some-key", &[("sec-websocket-protocol", &subprotocols())]);
    assert_eq!(viewer.protocol.as_deref(), Some("lux.v1"));
    let none = Viewer::open(broker, "/some-key");
    assert_eq!(none.protocol, None);
}
