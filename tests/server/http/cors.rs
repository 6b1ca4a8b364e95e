//! What a page on another origin needs: preflights, and answers that its script may read.
//!
//! Always true: errors are readable too, since a page has to show what is wrong.
//!
//! Read first: `http/reads.rs`.

use crate::harness::{Answer, Broker, Request, fresh, get, put};

crate::on_1_2_4_cores!(
    a_preflight_is_answered_without_a_key,
    every_answer_is_readable_from_another_origin,
    a_preflight_for_the_list_is_answered,
);

const ORIGIN: &str = "https://board.example";

fn preflight(target: &str, method: &str) -> Request {
    Request::new("OPTIONS", target)
        .anonymous()
        .field("Origin", ORIGIN)
        .field("Access-Control-Request-Method", method)
        .field("Access-Control-Request-Headers", "authorization,content-type")
}

#[track_caller]
fn assert_open_to_all(answer: &Answer) {
    let allowed = answer.field("Access-Control-Allow-Origin");
    assert!(matches!(allowed, Some("*" | ORIGIN)), "{allowed:?} in {:?}", answer.head);
    if allowed == Some(ORIGIN) {
        assert!(answer.head.elements("Vary").contains(&"origin".to_string()), "{:?}", answer.head);
    }
}

fn a_preflight_is_answered_without_a_key(broker: &Broker) {
    let mut connection = broker.http();
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let answer = connection.ask(&preflight("/api/lux/some-key", method));
        assert!(matches!(answer.status(), 200 | 204), "{:?}", answer.head);
        assert_open_to_all(&answer);
        let methods = answer.head.elements("Access-Control-Allow-Methods");
        assert!(methods.contains(&method.to_ascii_lowercase()), "{methods:?}");
        let fields = answer.head.elements("Access-Control-Allow-Headers");
        for name in ["authorization", "content-type", "if-match", "if-none-match", "prefer"] {
            assert!(fields.contains(&name.to_string()), "{name} in {fields:?}");
        }
    }
}

fn every_answer_is_readable_from_another_origin(broker: &Broker) {
    let key = fresh("cors");
    let mut connection = broker.http();
    for (request, status) in [
        (put(&key, "1"), 201),
        (get(&key), 200),
        (get(&key).field("If-None-Match", "*"), 304),
        (get("no-such-key"), 404),
        (get(&key).anonymous(), 401),
        (put(&key, ""), 400),
        (put(&key, "1").field("If-None-Match", "*"), 412),
    ] {
        let answer = connection.ask(&request.field("Origin", ORIGIN)).expect(status);
        assert_open_to_all(&answer);
        let exposed = answer.head.elements("Access-Control-Expose-Headers");
        assert!(exposed.contains(&"etag".to_string()), "{status}: {exposed:?}");
    }
}

fn a_preflight_for_the_list_is_answered(broker: &Broker) {
    for target in ["/api/lux?prefix=a", "/api/lux", "/api/lux/stream/key"] {
        let answer = broker.ask(preflight(target, "GET"));
        assert!(matches!(answer.status(), 200 | 204), "{target}: {:?}", answer.head);
        assert_open_to_all(&answer);
    }
}
