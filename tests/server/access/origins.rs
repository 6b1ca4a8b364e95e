//! Origins: any by default, fewer with `--allow-origin`.
//!
//! Always true: what is not a browser has no origin and is not concerned.
//!
//! Read first: `http/cors.rs`.

use std::sync::OnceLock;

use crate::harness::socket::upgrade;
use crate::harness::{Answer, Broker, RawSocket, Request, Setup, Viewer, get, put, shared};

const GOOD: [&str; 2] = ["https://wall.example", "http://localhost:5173"];
const BAD: [&str; 6] = [
    "https://evil.example",
    "http://wall.example",
    "https://wall.example.evil.example",
    "https://wall.example:8443",
    "https://sub.wall.example",
    "null",
];

fn narrow() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    let flags = ["--allow-origin", GOOD[0], "--allow-origin", GOOD[1]];
    BROKER.get_or_init(|| Setup::cores(2).args(&flags).start())
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.field("Access-Control-Allow-Origin")
}

#[test]
fn cors_is_for_the_allowed_ones() {
    let broker = narrow();
    broker.ask(put("origin", "1"));
    for origin in GOOD {
        let answer = broker.ask(get("origin").field("Origin", origin)).expect(200);
        assert_eq!(allowed(&answer), Some(origin));
        assert!(answer.head.elements("Vary").contains(&"origin".to_string()), "or a cache mixes them up");
    }
    for origin in BAD {
        let answer = broker.ask(get("origin").field("Origin", origin));
        assert!(!matches!(allowed(&answer), Some(value) if value == "*" || value == origin), "{origin}");
    }
    broker.ask(get("origin")).expect(200);
    // Whoever sends what cannot be read is not known to be an allowed one.
    let mut connection = broker.http();
    connection.send(b"GET / HTTP/1.0\r\nOrigin: https://elsewhere.example\r\n\r\n");
    assert_eq!(allowed(&connection.answer().expect(505)), None);
}

#[test]
fn a_preflight_is_for_the_allowed_ones() {
    let preflight = |origin: &str| {
        let request = Request::new("OPTIONS", "/api/lux/origin").anonymous().field("Origin", origin);
        narrow().ask(request.field("Access-Control-Request-Method", "PUT"))
    };
    for origin in GOOD {
        assert_eq!(allowed(&preflight(origin)), Some(origin));
    }
    for origin in BAD {
        assert!(
            !matches!(allowed(&preflight(origin)), Some(value) if value == "*" || value == origin),
            "{origin}"
        );
    }
}

#[test]
fn a_handshake_is_for_the_allowed_ones() {
    for origin in GOOD {
        let mut connection = narrow().http();
        connection.send(&upgrade("/origin").field("Origin", origin).bytes());
        RawSocket::accepted(connection).round_trip(b"");
    }
    for origin in BAD {
        narrow().ask(upgrade("/origin").field("Origin", origin)).trouble(403);
    }
    Viewer::open(narrow(), "/origin").snapshot();
}

#[test]
fn any_origin_may_by_default() {
    for origin in BAD {
        let mut connection = shared(2).http();
        connection.send(&upgrade("/origin").field("Origin", origin).bytes());
        RawSocket::accepted(connection).round_trip(b"");
    }
}
