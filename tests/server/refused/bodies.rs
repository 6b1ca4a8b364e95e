//! Bodies that are no states.
//!
//! Always true: a refused write leaves the state as it was, and the connection open where its end is known.
//!
//! Read first: `refused/mod.rs`.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::assert_others_go_on;
use crate::harness::{Broker, Request, fresh, get, patch, put};

crate::on_1_2_4_cores!(
    bodies_without_a_state_are_refused,
    text_that_is_not_utf8_is_refused,
    a_state_may_be_256_kib_and_no_more,
    a_body_of_300_kib_is_refused_in_every_framing,
    a_413_reaches_a_client_that_is_still_sending,
    nesting_goes_to_128,
    a_patch_is_held_to_the_same_bounds,
    a_patch_may_not_make_a_state_too_large,
    a_refused_write_changes_nothing,
);

fn raw(key: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new("PUT", &format!("/api/lux/{key}")).body(body)
}

fn bodies_without_a_state_are_refused(broker: &Broker) {
    let key = fresh("no-state");
    let mut connection = broker.http();
    connection.ask(&Request::new("PUT", &format!("/api/lux/{key}"))).trouble(400);
    for body in [
        "",
        " ",
        "{\"data\":}",
        "{}",
        "{\"date\":1}",
        "{\"Data\":1}",
        "[]",
        "1",
        "null",
        "\"data\"",
        "[{\"data\":1}]",
        "{\"data\":1",
        "{\"data\":1}}",
        "{\"data\":1} x",
        "{\"data\":1}{\"data\":2}",
        "{\"data\":1,}",
        "{\"data\":1 \"b\":2}",
        "{data:1}",
        "{'data':1}",
        "{\"data\":01}",
        "{\"data\":1.}",
        "{\"data\":.5}",
        "{\"data\":+1}",
        "{\"data\":NaN}",
        "{\"data\":-}",
        "{\"data\":1e}",
        "{\"data\":tru}",
        "{\"data\":\"\t\"}",
        "{\"data\":\"\\x\"}",
        "{\"data\":\"\\u12\"}",
        "{\"data\":\"open}",
        "{\"data\":[1,]}",
        "{\"data\":{\"a\"}}",
        "{\"data\":{\"a\":1,}}",
        "{\"data\":[1}",
        "{\"data\":/**/1}",
        "{\"data\":1,\"data\":1}",
        "{\"data\":1,\"d\\u0061ta\":2}",
        "{\"other\":}",
        "{\"other\":1,\"data\":2,\"third\":x}",
        "\u{feff}{\"data\":1}",
        "{\"data\":\u{a0}1}",
        "{\"data\":1}\0",
    ] {
        let answer = connection.ask(&raw(&key, body));
        assert_eq!(answer.status(), 400, "{body:?}");
        assert!(!answer.head.says_close(), "{body:?}: the connection goes on");
        answer.trouble(400);
    }
    connection.ask(&get(&key)).trouble(404);
}

fn text_that_is_not_utf8_is_refused(broker: &Broker) {
    let key = fresh("utf8");
    let mut connection = broker.http();
    for bytes in
        [&b"\xff"[..], b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\x80ok", b"\xe2\x82"]
    {
        let inside = |before: &str, after: &str| [before.as_bytes(), bytes, after.as_bytes()].concat();
        for body in [
            inside("{\"data\":\"", "\"}"),
            inside("{\"data\":{\"", "\":1}}"),
            inside("{\"data\":1,\"ignored\":\"", "\"}"),
            inside("{\"data\":1,\"", "\":1}"),
        ] {
            connection.ask(&raw(&key, body)).trouble(400);
        }
    }
    connection.ask(&get(&key)).trouble(404);
}

fn a_state_may_be_256_kib_and_no_more(broker: &Broker) {
    const STATE_BYTES_MAX: usize = 256 * 1024;
    let key = fresh("large");
    let largest = format!("\"{}\"", "x".repeat(STATE_BYTES_MAX - 2));
    let mut connection = broker.http();
    connection.ask(&put(&key, &largest)).expect(201);
    assert!(connection.ask(&get(&key)).expect(200).record().data == largest);
    // White space is not kept, so it does not count; the body has 4 KiB more for it.
    let spaces = " ".repeat(4_000);
    assert!(connection.ask(&put(&key, &format!("{spaces}{largest}"))).expect(200).record().data == largest);
    let refused = connection.ask(&put(&key, &format!("\"{}\"", "x".repeat(STATE_BYTES_MAX - 1))));
    refused.trouble(413).names(STATE_BYTES_MAX);
    connection.ask(&get(&key)).expect(200);
}

fn a_body_of_300_kib_is_refused_in_every_framing(broker: &Broker) {
    let key = fresh("300-kib");
    let body = format!("{{\"data\":\"{}\"}}", "x".repeat(300 * 1024));
    let chunks: Vec<&[u8]> = body.as_bytes().chunks(10_000).collect();
    let request = raw(&key, body.as_bytes());
    for request in [request.clone(), request.chunks(&chunks)] {
        let mut connection = broker.http();
        // Whether the broker reads it all or closes early, the answer arrives.
        connection.try_send(&request.bytes());
        connection.answer().trouble(413).names(260 * 1024);
    }
    broker.ask(get(&key)).trouble(404);
    assert_others_go_on(broker);
}

fn a_413_reaches_a_client_that_is_still_sending(broker: &Broker) {
    for declared in ["Content-Length: 80000000", "Transfer-Encoding: chunked"] {
        for mut connection in broker.connections(4) {
            let mut stream = connection.stream();
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                let done = &done;
                scope.spawn(move || {
                    let head = Request::new("PUT", "/api/lux/still-sending").head_bytes();
                    let head = [&head[..head.len() - 2], declared.as_bytes(), b"\r\n\r\n"].concat();
                    let _ = stream.write_all(&head);
                    let piece = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
                    // Goes on until the answer has been read, or until the broker will take no more.
                    while !done.load(Ordering::Relaxed) && stream.write_all(&piece).is_ok() {}
                });
                let answer = connection.answer();
                done.store(true, Ordering::Relaxed);
                assert!(answer.head.says_close());
                answer.trouble(413);
            });
        }
    }
    assert_others_go_on(broker);
}

fn nested(levels: usize) -> [String; 2] {
    [
        format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
        format!("{}0{}", "{\"a\":".repeat(levels), "}".repeat(levels)),
    ]
}

fn nesting_goes_to_128(broker: &Broker) {
    let mut connection = broker.http();
    let key = fresh("nesting");
    for state in nested(128) {
        let answer = connection.ask(&put(&key, &state));
        assert_eq!(answer.record().data, state);
    }
    for levels in [129, 200, 100_000] {
        for state in nested(levels).into_iter().filter(|state| state.len() < 256 * 1024) {
            connection.ask(&put(&key, &state)).trouble(413).names(128);
        }
        // Depth is no less a danger in what is ignored.
        let body = format!("{{\"data\":1,\"ignored\":{}}}", nested(levels)[0]);
        let status = connection.ask(&raw(&key, body)).status();
        assert!(matches!(status, 200 | 413), "{status}");
    }
    assert_others_go_on(broker);
}

fn a_patch_is_held_to_the_same_bounds(broker: &Broker) {
    let key = fresh("patch-bounds");
    broker.ask(put(&key, "{\"a\":1}")).expect(201);
    let mut connection = broker.http();
    for body in ["", "{", "{\"a\":}", "{\"a\":1}}", "nul"] {
        connection.ask(&patch(&key, body)).trouble(400);
    }
    connection.ask(&patch(&key, "").body(b"{\"a\":\"\xff\"}".to_vec())).trouble(400);
    connection.ask(&patch(&key, &nested(200)[1])).trouble(413);
    let plain = |body: &str| {
        patch(&key, "").without("Content-Type").field("Content-Type", "application/json").body(body)
    };
    connection.ask(&plain("{\"a\":2}")).trouble(400);
    connection.ask(&plain("{\"data\":{},\"data\":{}}")).trouble(400);
    assert_eq!(connection.ask(&get(&key)).record().rev, 1);
}

fn a_patch_may_not_make_a_state_too_large(broker: &Broker) {
    let key = fresh("patch-large");
    let half = format!("\"{}\"", "x".repeat(200 * 1024));
    broker.ask(put(&key, &format!("{{\"a\":{half}}}"))).expect(201);
    broker.ask(patch(&key, &format!("{{\"b\":{half}}}"))).trouble(413);
    let record = broker.ask(get(&key)).record();
    assert_eq!((record.rev, record.value().as_object().unwrap().len()), (1, 1));
    // Each patch nests within the bound, and together they would not.
    let key = fresh("patch-deep");
    broker.ask(put(&key, &nested(120)[1])).expect(201);
    let path = format!("{}{}{}", "{\"a\":".repeat(119), nested(100)[1], "}".repeat(119));
    broker.ask(patch(&key, &path)).trouble(413);
}

fn a_refused_write_changes_nothing(broker: &Broker) {
    let key = fresh("unchanged");
    let etag = broker.ask(put(&key, "\"as it was\"")).etag();
    for request in [raw(&key, "{\"data\":"), raw(&key, "{\"data\":1,\"data\":2}"), put(&key, &nested(129)[0])]
    {
        let status = broker.ask(request).status();
        assert!(matches!(status, 400 | 413));
    }
    assert_eq!(broker.ask(get(&key)).etag(), etag);
}
