//! Breaches of RFC 6455 on an open socket, and messages that are not understood.
//!
//! Always true: a breach closes its own socket with the code that says why; a message that only makes no
//! sense is answered, and the stream goes on.
//!
//! Read first: `refused/mod.rs`, then `harness/socket.rs`.

use super::assert_others_go_on;
use crate::harness::{Broker, RawSocket, Viewer, frame, fresh, put};

crate::on_1_2_4_cores!(
    frames_that_break_the_protocol_close_with_1002,
    text_that_is_not_utf8_closes_with_1007,
    characters_may_be_cut_between_fragments,
    a_message_above_256_kib_closes_with_1009,
    a_message_of_256_kib_is_only_not_understood,
    messages_that_are_not_understood_are_answered,
    a_message_may_come_in_fragments,
    a_breach_harms_no_other_viewer,
    a_socket_cut_off_harms_nobody,
);

/// A frame's first bytes, with the mask bit, and a mask of zeros.
fn bare(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[first], length, &[0, 0, 0, 0], payload].concat()
}

#[track_caller]
fn assert_closed_with(broker: &Broker, bytes: &[u8], codes: &[u16]) {
    let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("breach")));
    socket.try_send(bytes);
    let code = socket.close_code();
    let shown = &bytes[..bytes.len().min(16)];
    assert!(codes.contains(&code), "{code} for {shown:02x?}, not {codes:?}");
    // The answer to the close ends it; some brokers do not wait for it after a breach.
    socket.try_send(&frame(0x88, &code.to_be_bytes()));
    socket.expect_end();
}

fn frames_that_break_the_protocol_close_with_1002(broker: &Broker) {
    let mut huge = vec![0xff];
    huge.extend((1_u64 << 63).to_be_bytes());
    let mut not_shortest = vec![0xff];
    not_shortest.extend(5_u64.to_be_bytes());
    for bytes in [
        b"\x81\x05hello".to_vec(),
        b"\x89\x00".to_vec(),
        b"\x81\x7e\x00\x80".to_vec(),
        frame(0xc1, b"reserved bit 1"),
        frame(0xa1, b"reserved bit 2"),
        frame(0x91, b"reserved bit 3"),
        frame(0xf9, b"ping"),
        frame(0x83, b"opcode 3"),
        frame(0x87, b"opcode 7"),
        frame(0x8b, b"opcode 11"),
        frame(0x8f, b"opcode 15"),
        frame(0x09, b"fragmented ping"),
        frame(0x0a, b"fragmented pong"),
        frame(0x08, b"\x03\xe8"),
        frame(0x89, &[b'x'; 126]),
        frame(0x88, &[[0x03, 0xe8].as_slice(), &[b'x'; 124]].concat()),
        frame(0x80, b"continues nothing"),
        frame(0x00, b"continues nothing"),
        [frame(0x01, b"begins"), frame(0x81, b"another inside")].concat(),
        [frame(0x01, b"begins"), frame(0x82, b"another inside")].concat(),
        [frame(0x01, b"begins"), frame(0x80, b"ends"), frame(0x80, b"again")].concat(),
        bare(0x81, &huge, b""),
        bare(0x89, &huge, b""),
        bare(0x81, &not_shortest, b"hello"),
        bare(0x81, &[0xfe, 0, 5], b"hello"),
        frame(0x88, b"\x03"),
        frame(0x88, &999_u16.to_be_bytes()),
        frame(0x88, &1004_u16.to_be_bytes()),
        frame(0x88, &1005_u16.to_be_bytes()),
        frame(0x88, &1006_u16.to_be_bytes()),
        frame(0x88, &1015_u16.to_be_bytes()),
        frame(0x88, &2999_u16.to_be_bytes()),
        frame(0x88, &5000_u16.to_be_bytes()),
    ] {
        assert_closed_with(broker, &bytes, &[1002]);
    }
    assert_others_go_on(broker);
}

fn text_that_is_not_utf8_closes_with_1007(broker: &Broker) {
    for bytes in [
        frame(0x81, b"\xff"),
        frame(0x81, b"{\"subscribe\":[\"\xc3\x28\"]}"),
        frame(0x81, b"cut \xe2\x82"),
        frame(0x81, b"\xed\xa0\x80"),
        frame(0x81, b"\xc0\xaf"),
        [frame(0x01, b"cut \xe2\x82"), frame(0x80, b"")].concat(),
        [frame(0x01, b"cut \xe2\x82"), frame(0x80, b"\x41")].concat(),
        [frame(0x01, b"\xf0\x9f"), frame(0x00, b"\x98"), frame(0x80, b"x")].concat(),
        frame(0x88, b"\x03\xe8reason \xff"),
        frame(0x88, b"\x03\xe8cut \xe2\x82"),
    ] {
        assert_closed_with(broker, &bytes, &[1007]);
    }
    assert_others_go_on(broker);
}

fn characters_may_be_cut_between_fragments(broker: &Broker) {
    let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("cut-character")));
    let euro = "{\"unknown\":\"€😀\"}".as_bytes();
    for at in 1..euro.len() {
        let bytes = [frame(0x01, &euro[..at]), frame(0x89, b"between"), frame(0x80, &euro[at..])].concat();
        socket.send(&bytes);
        let pong = socket.next().expect("a pong");
        assert_eq!((pong.opcode, pong.payload.as_slice()), (10, &b"between"[..]));
        assert!(socket.text().starts_with("{\"error\""), "cut at {at}");
    }
    socket.round_trip(b"still open");
}

fn a_message_above_256_kib_closes_with_1009(broker: &Broker) {
    const MESSAGE_BYTES_MAX: usize = 256 * 1024;
    let half = vec![b' '; MESSAGE_BYTES_MAX / 2];
    for bytes in [
        frame(0x81, &[b' '; MESSAGE_BYTES_MAX + 1]),
        frame(0x82, &[b' '; MESSAGE_BYTES_MAX + 1]),
        [frame(0x01, &half), frame(0x00, &half), frame(0x80, b" ")].concat(),
        // The length alone says enough: what it announces is not waited for.
        bare(0x81, &[&[0xff][..], &(1_u64 << 40).to_be_bytes()].concat(), b""),
        bare(0x82, &[&[0xff][..], &((1_u64 << 63) - 1).to_be_bytes()].concat(), b""),
    ] {
        assert_closed_with(broker, &bytes, &[1009]);
    }
    assert_others_go_on(broker);
}

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
        breaker.send(b"\x81\x05hello");
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
