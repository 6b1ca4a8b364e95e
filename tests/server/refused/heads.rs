//! Heads that are too large, and peers that are too slow.
//!
//! Always true: a slow peer costs a timer and nothing else; viewers and polls are not taken for idle ones.
//!
//! Read first: `refused/mod.rs`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::assert_others_go_on;
use crate::harness::{Broker, Http, Request, Setup, Viewer, fresh, get, put};

crate::on_1_2_4_cores!(
    a_head_of_more_than_16_kib_is_431,
    a_head_without_an_end_is_431,
    sixty_four_fields_are_enough,
);

fn a_head_of_more_than_16_kib_is_431(broker: &Broker) {
    let key = fresh("large-head");
    let mut connection = broker.http();
    connection.ask(&get(&key).field("X-Padding", &"x".repeat(15 * 1024))).expect(404);
    for request in [
        get(&key).field("X-Padding", &"x".repeat(17 * 1024)),
        get(&format!("{key}?{}", "x".repeat(17 * 1024))),
        (0..30).fold(get(&key), |request, at| request.field(&format!("X-{at}"), &"x".repeat(600))),
    ] {
        let mut connection = broker.http();
        connection.try_send(&request.bytes());
        let refused = connection.answer();
        assert!(refused.head.says_close());
        refused.trouble(431).names(16_384);
        connection.expect_end();
    }
    assert_others_go_on(broker);
}

fn a_head_without_an_end_is_431(broker: &Broker) {
    for endless in ["GET /api/lux/key HTTP/1.1\r\nX: ", "GET /", "", "GET / HTTP/1.1\r\n"] {
        let mut connection = broker.http();
        connection.send(endless.as_bytes());
        let mut sent = 0;
        while !connection.readable_within(Duration::from_millis(1)) && sent < 4 << 20 {
            connection.try_send(&b"abcdefgh".repeat(512));
            sent += 4096;
        }
        let answer = connection.answer();
        assert!(matches!(answer.status(), 431 | 400), "{:?}", answer.head);
        assert!(answer.head.says_close());
    }
    assert_others_go_on(broker);
}

fn sixty_four_fields_are_enough(broker: &Broker) {
    let fields = |count: usize| {
        // `Host` and `Authorization` are there already.
        (2..count).fold(Request::new("GET", "/healthz"), |request, at| request.field(&format!("X-{at}"), "y"))
    };
    let mut connection = broker.http();
    connection.ask(&fields(64)).expect(200);
    let refused = connection.ask(&fields(65));
    assert!(refused.head.says_close());
    refused.trouble(431).names(64);
    connection.expect_end();
    assert_others_go_on(broker);
}

/// A broker that loses its patience within a test's time.
fn impatient() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| {
        let setup = Setup::cores(2).limit("head_timeout", "400ms").limit("body_timeout", "400ms");
        setup.limit("idle_timeout", "400ms").start()
    })
}

/// Sends a byte at a time until there is an answer. The waits are short looks for that answer.
#[track_caller]
fn drip(connection: &mut Http, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    for byte in bytes {
        connection.try_send(&[*byte]);
        if connection.readable_within(Duration::from_millis(20)) {
            return began.elapsed();
        }
    }
    panic!("all {} bytes were taken in {:?}", bytes.len(), began.elapsed());
}

#[test]
fn a_head_that_drips_is_408() {
    let broker = impatient();
    let mut viewer = Viewer::open(broker, "/dripping-head");
    viewer.snapshot();
    for before in [&b""[..], &put("dripping-head", "1").bytes()] {
        let mut connection = broker.http();
        if !before.is_empty() {
            connection.send(before);
            connection.answer().expect(201);
        }
        let head = get("dripping-head").field("X-Padding", &"x".repeat(2_000)).bytes();
        let took = drip(&mut connection, &head);
        assert!(took >= Duration::from_millis(380), "after {took:?}");
        let refused = connection.answer();
        assert!(refused.head.says_close());
        refused.trouble(408);
        connection.expect_end();
    }
    assert_eq!(viewer.record().data, "1", "a viewer has no deadline");
    assert_others_go_on(broker);
}

#[test]
fn a_body_that_drips_is_408() {
    let request = put("dripping-body", &format!("\"{}\"", "x".repeat(2_000)));
    let chunks: Vec<&[u8]> = request.body_bytes().chunks(1).collect();
    for request in [request.clone(), request.clone().chunks(&chunks)] {
        let mut connection = impatient().http();
        connection.send(&request.head_bytes());
        drip(&mut connection, request.body_bytes());
        let refused = connection.answer();
        assert!(refused.head.says_close());
        refused.trouble(408);
        connection.expect_end();
    }
    impatient().ask(get("dripping-body")).expect(404);
}

#[test]
fn a_body_that_never_comes_is_408() {
    let mut connection = impatient().http();
    connection.send(&put("absent-body", "1").head_bytes());
    connection.answer().trouble(408);
    connection.expect_end();
}

#[test]
fn what_was_answered_is_not_answered_again() {
    // The refusal went out with the head. The rest of the body is read so that the connection can go on; where it
    // does not come, or cannot be read, the end has no words: a request has one final answer (RFC 9110, section 15).
    let refused = |rest: &[u8]| {
        let mut connection = impatient().http();
        let request = put("answered-once", "1").anonymous();
        let request = if rest.is_empty() { request } else { request.chunks(&[b"{\"data\":1}"]) };
        connection.send(&request.head_bytes());
        connection.answer().trouble(401);
        connection.try_send(rest);
        connection.expect_end();
    };
    refused(b"");
    refused(b"a\r\n{\"da");
    refused(b"no size\r\n");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let mut connection = impatient().http();
    let began = Instant::now();
    if connection.readable_within(Duration::from_secs(10)) && began.elapsed() < Duration::from_millis(380) {
        panic!("closed after {:?}", began.elapsed());
    }
    // A word of goodbye is allowed here, and not asked for.
    if let Some(bytes) = connection.take_some() {
        assert!(bytes.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&bytes));
        connection.expect_end();
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let mut connection = impatient().http();
    for _ in 0..3 {
        connection.ask(&Request::new("GET", "/healthz")).expect(200);
    }
    let began = Instant::now();
    if let Some(bytes) = connection.take_some() {
        assert!(bytes.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&bytes));
        connection.expect_end();
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(8), "after {took:?}");
}

#[test]
fn a_waiting_poll_is_not_idle() {
    let broker = impatient();
    let mut connection = broker.http();
    let etag = connection.ask(&put("poll-not-idle", "1")).expect(201).etag();
    let poll = get("poll-not-idle?wait=1").field("If-None-Match", &etag);
    connection.ask(&poll).expect(304);
    connection.ask(&Request::new("GET", "/healthz")).expect(200);
}
