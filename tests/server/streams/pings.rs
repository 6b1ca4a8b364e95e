//! The broker's own pings, with an interval that fits into a test.
//!
//! Always true: a peer that answers stays, however quiet; one that is gone is noticed.
//!
//! Read first: `streams/control.rs`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::harness::{Broker, Events, RawSocket, Setup, Viewer, frame, put};

const INTERVAL: Duration = Duration::from_millis(300);

fn restless() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Setup::cores(2).limit("ping_interval", "300ms").start())
}

#[test]
fn two_unanswered_pings_close_with_1011() {
    let mut socket = RawSocket::open_synced(restless(), "/unanswered");
    let began = Instant::now();
    let mut pings = 0;
    let code = loop {
        let frame = socket.next().expect("a close frame, not just the end");
        match frame.opcode {
            9 => pings += 1,
            8 => break u16::from_be_bytes([frame.payload[0], frame.payload[1]]),
            _ => panic!("only pings are due: {frame:?}"),
        }
    };
    assert_eq!((code, pings), (1011, 2));
    assert!(began.elapsed() >= 2 * INTERVAL - Duration::from_millis(50), "after {:?}", began.elapsed());
    socket.expect_end();
}

#[test]
fn answered_pings_keep_the_stream() {
    let mut socket = RawSocket::open_synced(restless(), "/answered");
    for _ in 0..6 {
        let ping = socket.next().expect("a ping, not the end");
        assert_eq!(ping.opcode, 9);
        socket.send(&frame(0x8a, &ping.payload));
    }
    restless().ask(put("answered", "1")).expect(201);
    assert!(socket.text().contains("\"rev\":1"));
}

#[test]
fn a_late_answer_counts() {
    let mut socket = RawSocket::open_synced(restless(), "/late");
    for _ in 0..3 {
        // The first of two goes unanswered, the second does not.
        assert_eq!(socket.next().expect("a ping").opcode, 9);
        let second = socket.next().expect("a ping");
        assert_eq!(second.opcode, 9);
        socket.send(&frame(0x8a, &second.payload));
    }
    socket.round_trip(b"still open");
}

#[test]
fn an_ordinary_client_notices_nothing() {
    // Tungstenite answers pings when it reads; the wait is for the sixth interval's poll to end.
    let mut viewer = Viewer::open(restless(), "/ordinary");
    viewer.snapshot();
    let reader = std::thread::spawn(move || viewer.record().data);
    let etag = restless().ask(put("ordinary-clock", "1")).etag();
    let poll = crate::harness::get("ordinary-clock?wait=2").field("If-None-Match", &etag);
    restless().ask(poll).expect(304);
    restless().ask(put("ordinary", "\"after the wait\"")).expect(201);
    assert_eq!(reader.join().unwrap(), "\"after the wait\"");
}

#[test]
fn a_viewer_that_reads_nothing_is_not_cut_off() {
    let broker = restless();
    let mut sleepers: Vec<Viewer> = (0..4).map(|_| Viewer::open(broker, "/asleep")).collect();
    for viewer in &mut sleepers {
        viewer.snapshot();
    }
    let large = format!("\"{}\"", "x".repeat(200_000));
    for _ in 0..40 {
        broker.ask(put("asleep", &large));
    }
    // Six intervals by the broker's own clock, while what was written fills the sleepers' sockets.
    let etag = broker.ask(put("asleep-clock", "1")).etag();
    let poll = crate::harness::get("asleep-clock?wait=2").field("If-None-Match", &etag);
    broker.ask(poll).expect(304);
    let last = broker.ask(put("asleep", "\"awake\"")).expect(200).record();
    for viewer in &mut sleepers {
        let seen = viewer.records_until(|record| record.rev == last.rev);
        assert!(seen.len() < 40, "what was replaced in between was not kept: {}", seen.len());
    }
}

#[test]
fn event_streams_get_comments() {
    let mut events = Events::open(restless(), "/comments");
    let mut comments = 0;
    while comments < 3 {
        let block = events.next_block().expect("the stream goes on");
        comments += usize::from(block.comment.is_some());
    }
    restless().ask(put("comments", "1")).expect(201);
    assert!(events.event().data.contains("\"rev\":1"));
}
