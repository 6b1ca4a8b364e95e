//! Limits on streams: patterns watched, the size of a message.
//!
//! Always true: a refused subscription leaves the stream as it was.
//!
//! Read first: `limits/mod.rs`.

use std::sync::OnceLock;

use crate::harness::socket::upgrade;
use crate::harness::{Broker, RawSocket, Setup, Viewer, frame, put, shared};

fn narrow() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Setup::cores(2).limit("patterns", "3").limit("message_bytes", "1 KiB").start())
}

#[test]
fn a_stream_watches_so_many_patterns() {
    Viewer::of(narrow(), &["a", "b", "c*"]).snapshot();
    let refused = narrow().ask(upgrade("?keys=a,b,c,d"));
    assert!(matches!(refused.status(), 413 | 429), "{}", refused.status());
    let status = refused.status();
    refused.trouble(status).names(3);
}

#[test]
fn a_subscription_past_the_limit_is_an_error() {
    let mut viewer = Viewer::of(narrow(), &["sub-a", "sub-b"]);
    viewer.snapshot();
    viewer.say("{\"subscribe\":[\"sub-c\",\"sub-d\"]}");
    viewer.trouble().names(3);
    viewer.say("{\"subscribe\":[\"sub-c\"]}");
    viewer.snapshot();
    viewer.say("{\"subscribe\":[\"sub-d\"]}");
    viewer.trouble().names(3);
    // What is watched already takes no more room; what is left makes some, in the same message too.
    viewer.say("{\"subscribe\":[\"sub-a\",\"sub-b\",\"sub-c\"]}");
    viewer.snapshot();
    viewer.say("{\"unsubscribe\":[\"sub-a\"],\"subscribe\":[\"sub-d\"]}");
    viewer.snapshot();
    narrow().ask(put("sub-d", "1")).expect(201);
    assert_eq!(viewer.record().key, "sub-d");
}

#[test]
fn a_message_past_the_limit_closes_with_1009() {
    let mut socket = RawSocket::open_synced(narrow(), "/messages");
    socket.send(&frame(0x81, &[b' '; 1_024]));
    assert!(socket.text().starts_with("{\"error\""));
    socket.send(&frame(0x81, &[b' '; 1_025]));
    assert_eq!(socket.close_code(), 1009);
}

#[test]
fn a_thousand_patterns_are_watched_by_default() {
    let patterns: Vec<String> = (0..1_024).map(|at| format!("many-{at}")).collect();
    let broker = shared(2);
    let mut viewer = Viewer::of(broker, &["many-0"]);
    viewer.snapshot();
    viewer.say(&format!("{{\"subscribe\":{patterns:?}}}"));
    viewer.snapshot();
    viewer.say("{\"subscribe\":[\"many-1024\"]}");
    viewer.trouble().names(1_024);
    broker.ask(put("many-1000", "1")).expect(201);
    assert_eq!(viewer.record().key, "many-1000");
}
