//! Names that are no keys.
//!
//! Always true: they are refused as they stand, wherever they stand; no path is normalised.
//!
//! Read first: `refused/mod.rs`.

use super::assert_others_go_on;
use crate::harness::{Broker, Request, get, put};

crate::on_1_2_4_cores!(
    names_outside_the_contract_are_refused,
    a_slash_makes_no_key,
    percent_signs_without_hex_are_refused,
    the_same_names_are_refused_in_queries,
);

fn names_outside_the_contract_are_refused(broker: &Broker) {
    let long = "k".repeat(129);
    let mut connection = broker.http();
    for name in [
        "stream",
        ".",
        "..",
        "%2e%2E",
        "%2e",
        "_",
        "_lux",
        "%5Flux",
        "%00",
        "a%00",
        "a%2Fb",
        "%2F",
        "a%20b",
        "caf%C3%A9",
        "a%FF",
        "a*",
        "a+b",
        "a@b",
        "a,b",
        "a;b",
        "a=b",
        "a!b",
        "%7f",
        "a%0d%0ab",
        "a%25b",
        &long,
    ] {
        for request in [put(name, "1"), get(name), crate::harness::delete(name)] {
            // `/api/lux/stream` is the address of streams, so reading it asks for one of those.
            if name == "stream" && request.method == "GET" {
                continue;
            }
            let answer = connection.ask(&request);
            let allowed: &[u16] = if name == "stream" { &[400, 405] } else { &[400] };
            assert!(allowed.contains(&answer.status()), "{} {name}: {}", request.method, answer.status());
            let status = answer.status();
            answer.trouble(status);
        }
    }
    assert_others_go_on(broker);
}

fn a_slash_makes_no_key(broker: &Broker) {
    let mut connection = broker.http();
    for name in ["a/b", "a/", "/a", "../a", "a/../b", "./a", ""] {
        let answer = connection.ask(&put(name, "1"));
        assert!(matches!(answer.status(), 400 | 404 | 405), "{name}: {}", answer.status());
        let status = answer.status();
        answer.trouble(status);
    }
    for key in ["a", "b"] {
        connection.ask(&get(key)).trouble(404);
    }
}

fn percent_signs_without_hex_are_refused(broker: &Broker) {
    for name in ["%", "a%", "a%2", "a%zz", "a%2g", "%%41", "a% 41"] {
        let answer = broker.ask(put(name, "1"));
        answer.trouble(400);
    }
}

fn the_same_names_are_refused_in_queries(broker: &Broker) {
    let mut connection = broker.http();
    for query in ["?prefix=a%2Fb", "?prefix=a%00", "?prefix=%C3%A9", "?prefix=%"] {
        connection.ask(&Request::new("GET", &format!("/api/lux{query}"))).trouble(400);
    }
    let long = format!("?keys={}", "k".repeat(129));
    for rest in ["?keys=a,b%2Fc", "?keys=_a", "?keys=a*b", "?keys=**", "/a%00", "/a/b", "/..", &long] {
        let request = Request::new("GET", &format!("/api/lux/stream{rest}"));
        let answer = broker.ask(request.field("Accept", "text/event-stream"));
        assert!(matches!(answer.status(), 400 | 404), "{rest}: {}", answer.status());
        let status = answer.status();
        answer.trouble(status);
    }
}
