//! Messages that are not understood, and what a breach of RFC 6455 means to others. The breaches themselves stand in
//! `tests/conformance/socket`.
//!
//! Always true: a breach closes its own socket with the code that says why; a message that only makes no
//! sense is answered, and the stream goes on.
//!
//! Read first: `refused/mod.rs`, then `harness/socket.rs`.

use crate::harness::{Broker, RawSocket, Viewer, frame, fresh, put};

crate::on_1_2_4_cores!(
    a_message_of_256_kib_is_only_not_understood,
    messages_that_are_not_understood_are_answered,
    a_message_may_come_in_fragments,
    a_breach_harms_no_other_viewer,
    a_socket_cut_off_harms_nobody,
);

fn a_message_of_256_kib_is_only_not_understood(broker: &Broker) {
    let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("large-message")));
    let half = vec![b' '; 128 * 1024];
    for bytes in [
        frame(0x81, &[half.clone(), half.clone()].concat()),
        [frame(0x01, &half), frame(0x80, &half)].concat(),
    ] {
        socket.send(&bytes);
        assert!(socket.text().starts_with("{\"error\""));
    }
    // Fragments without end that carry nothing are no message either, however many.
    socket.send(&[frame(0x01, b""), frame(0x00, b"").repeat(5_000), frame(0x80, b"x")].concat());
    assert!(socket.text().starts_with("{\"error\""));
}

fn messages_that_are_not_understood_are_answered(broker: &Broker) {
    let key = fresh("not-understood");
    let mut viewer = Viewer::of(broker, &[&key]);
    viewer.snapshot();
    for text in [
        "",
        " ",
        "hello",
        "{",
        "[]",
        "1",
        "null",
        "\"subscribe\"",
        "{}",
        "{\"subscribe\":\"a\"}",
        "{\"subscribe\":[1]}",
        "{\"subscribe\":{}}",
        "{\"subscribe\":null}",
        "{\"Subscribe\":[\"a\"]}",
        "{\"subscribe\":[\"a\"]",
        "{\"subscribe\":[\"\"]}",
        "{\"subscribe\":[\"a/b\"]}",
        "{\"subscribe\":[\"_a\"]}",
        "{\"subscribe\":[\"a%2Db\"]}",
        "{\"subscribe\":[\"stream\"]}",
        "{\"unsubscribe\":[\"a b\"]}",
        "{\"unsubscribe\":7}",
        "{\"subscribe\":[\"a\"],\"unsubscribe\":[\"/\"]}",
        "{\"ping\":1}",
    ] {
        viewer.say(text);
        viewer.trouble();
    }
    viewer.send(tungstenite::Message::binary(&b"\x00\x01"[..]));
    viewer.trouble();
    viewer.send(tungstenite::Message::binary(&b"{\"subscribe\":[\"a\"]}"[..]));
    viewer.trouble();
    broker.ask(put(&key, "1")).expect(201);
    assert_eq!(viewer.record().data, "1", "the stream goes on");
}

fn a_message_may_come_in_fragments(broker: &Broker) {
    let (key, other) = (fresh("fragments"), fresh("fragments-other"));
    broker.ask(put(&other, "1")).expect(201);
    let mut socket = RawSocket::open_synced(broker, &format!("?keys={key}"));
    let text = format!("{{\"subscribe\":[\"{other}\"]}}");
    let mut bytes = frame(0x01, b"");
    for byte in text.as_bytes() {
        bytes.extend(frame(0x00, &[*byte]));
        bytes.extend(frame(0x8a, b"nobody asked for this pong"));
    }
    bytes.extend(frame(0x80, b""));
    socket.send(&bytes);
    assert!(socket.text().contains(&other));
    assert!(socket.text().starts_with("{\"synced\":true"));
}

fn a_breach_harms_no_other_viewer(broker: &Broker) {
    let key = fresh("bystander");
    let mut viewers: Vec<Viewer> = (0..8).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    for n in 1..=10_u64 {
        let mut breaker = RawSocket::open_synced(broker, &format!("/{key}"));
        assert!(breaker.try_send(b"\x81\x05hello"));
        broker.ask(put(&key, &n.to_string()));
        assert_eq!(breaker.close_code(), 1002);
        for viewer in &mut viewers {
            assert_eq!(viewer.record().rev, n);
        }
    }
}

fn a_socket_cut_off_harms_nobody(broker: &Broker) {
    let key = fresh("cut-off");
    let mut viewer = Viewer::open(broker, &format!("/{key}"));
    viewer.snapshot();
    let bytes = [frame(0x01, b"begun"), frame(0x89, b"ping"), frame(0x80, &[b'x'; 300])].concat();
    for at in (0..bytes.len()).step_by(7) {
        // Dropped wherever it stands, with states on their way to it.
        let mut socket = RawSocket::open_synced(broker, &format!("/{key}"));
        socket.send(&bytes[..at]);
        broker.ask(put(&key, "\"to the one that goes\""));
    }
    let last = broker.ask(put(&key, "\"last\"")).record();
    let seen = viewer.records_until(|record| record.rev >= last.rev);
    assert_eq!(seen.last().unwrap().text, last.text);
}
