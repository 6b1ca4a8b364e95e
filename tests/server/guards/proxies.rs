//! Behind a load balancer: whose word about addresses and schemes is believed.
//!
//! Always true: what anybody may send counts for nothing unless it comes from a network that was named.
//!
//! Read first: `guards/mod.rs`.

use crate::harness::socket::upgrade;
use crate::harness::{API_KEY, Broker, Request, Setup, Viewer};

const FOR: &str = "X-Forwarded-For";

fn behind_alb() -> Setup {
    Setup::cores(1).args(&["--trusted-proxy", "127.0.0.0/8"])
}

/// A viewer as an ALB hands it on.
fn viewer_for(broker: &Broker, address: &str) -> Viewer {
    let bearer = format!("Bearer {API_KEY}");
    Viewer::open_with(broker, "/board", &[("authorization", &bearer), ("x-forwarded-for", address)])
}

#[test]
fn streams_through_a_proxy_count_for_whom_it_speaks() {
    let broker = behind_alb().limit("connections_per_address", "2").start();
    let mut held: Vec<Viewer> = (0..2).map(|_| viewer_for(&broker, "203.0.113.7")).collect();
    held.iter_mut().for_each(|viewer| drop(viewer.snapshot()));
    let refused = broker.ask(upgrade("/board").field(FOR, "198.51.100.1, 203.0.113.7"));
    assert_eq!(refused.field("Retry-After"), Some("1"));
    refused.trouble(429).names(2);
    // The proxy itself has as many connections as it likes, and others as many streams as they may.
    for at in 0..6 {
        broker.ask(Request::new("GET", "/healthz")).expect(200);
        viewer_for(&broker, &format!("203.0.113.{at}")).snapshot();
    }
    // By its first 64 bits, an IPv6 address is one with its neighbours.
    held.push(viewer_for(&broker, "2001:db8::1"));
    held.push(viewer_for(&broker, "[2001:db8::2]:443"));
    broker.ask(upgrade("/board").field(FOR, "2001:db8::3")).trouble(429);
    held.push(viewer_for(&broker, "2001:db8:0:1::3"));
    broker.stop();
}

#[test]
fn a_word_from_elsewhere_is_not_believed() {
    let broker = Setup::cores(1).args(&["--trusted-proxy", "10.0.0.0/8", "--access-log", "json"]).start();
    broker.ask(Request::new("GET", "/api/lux/forged").field(FOR, "203.0.113.7")).expect(404);
    let line = broker.line_with("/api/lux/forged");
    assert!(line.contains("\"address\":\"127.0.0.1\"") && !line.contains("203.0.113"), "{line}");
    broker.stop();
}

#[test]
fn a_believed_proxy_says_which_page_is_the_brokers_own() {
    let narrow = ["--allow-origin", "https://wall.example"];
    let own = |scheme: &str| format!("{scheme}://lux.test");
    let open = |broker: &Broker, origin: &str| {
        let request = upgrade("/board").field("X-Forwarded-Proto", "https").field("Origin", origin);
        let mut connection = broker.http();
        connection.send(&request.bytes());
        connection.head().status
    };
    let behind = behind_alb().args(&narrow).start();
    assert_eq!((open(&behind, &own("https")), open(&behind, &own("http"))), (101, 403));
    assert_eq!(open(&behind, "https://wall.example"), 101);
    assert_eq!(open(&behind, "https://lux.test.evil.example"), 403);
    let alone = Setup::cores(1).args(&narrow).start();
    assert_eq!((open(&alone, &own("https")), open(&alone, &own("http"))), (101, 101));
    behind.stop();
    alone.stop();
}

#[test]
fn networks_that_are_none_are_refused_with_what_to_write() {
    let (code, stderr) = Setup::cores(1).args(&["--trusted-proxy", "10.0.0.1/8"]).start_refused();
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("10.0.0.0/8"), "{stderr}");
}
