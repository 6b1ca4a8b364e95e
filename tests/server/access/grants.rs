//! Grants: who may read what, and write what.
//!
//! Always true: `403` says what the key may not do, and never whether the state is there.
//!
//! Read first: `access/mod.rs`.

use std::sync::OnceLock;

use super::broker_with_keys;
use crate::harness::socket::upgrade;
use crate::harness::{Broker, Events, Request, Viewer, delete, get, list, patch, put};

/// A broker with a reader of `device-*`, a writer of `device-*`, both for `job-1`, and one for all metrics.
struct Granted {
    broker: Broker,
    _home: tempfile::TempDir,
    reader: String,
    writer: String,
    both: String,
    all: String,
}

fn granted() -> &'static Granted {
    static GRANTED: OnceLock<Granted> = OnceLock::new();
    GRANTED.get_or_init(|| {
        let keys: [(&str, &[&str]); 4] = [
            ("reader", &["--read", "device-*", "--read", "door"]),
            ("writer", &["--write", "device-*"]),
            ("both", &["--read", "job-1", "--write", "job-1"]),
            ("all", &["--read", "*"]),
        ];
        let (broker, home, secrets) = broker_with_keys(2, &keys);
        let [reader, writer, both, all] = secrets.try_into().unwrap();
        Granted { broker, _home: home, reader, writer, both, all }
    })
}

#[test]
fn a_key_reads_what_it_was_granted() {
    let Granted { broker, reader, .. } = granted();
    broker.ask(put("device-read", "1")).expect(201);
    broker.ask(get("device-read").bearer(reader)).expect(200);
    broker.ask(get("device-not-there").bearer(reader)).trouble(404);
    broker.ask(get("door").bearer(reader)).trouble(404);
    for key in ["device", "door-2", "job-1", "Device-read"] {
        broker.ask(get(key).bearer(reader)).trouble(403);
    }
}

#[test]
fn a_key_writes_what_it_was_granted() {
    let Granted { broker, writer, reader, both, .. } = granted();
    broker.ask(put("device-write", "1").bearer(writer)).expect(201);
    let patched = broker.ask(patch("device-write", "{\"a\":1}").bearer(writer)).expect(204);
    assert!(patched.text().is_empty() && !patched.etag().is_empty(), "what a patch makes is for readers");
    broker.ask(delete("device-write").bearer(writer)).expect(204);
    broker.ask(get("device-write").bearer(writer)).trouble(403);
    for request in [put("device-write", "1"), patch("device-write", "{}"), delete("device-write")] {
        broker.ask(request.bearer(reader)).trouble(403);
    }
    broker.ask(put("job-1", "1").bearer(both)).expect(201);
    broker.ask(get("job-1").bearer(both)).expect(200);
    broker.ask(put("job-11", "1").bearer(both)).trouble(403);
}

#[test]
fn a_403_comes_before_any_404_or_412() {
    let Granted { broker, reader, writer, .. } = granted();
    broker.ask(put("hidden", "1")).expect(201);
    for key in ["hidden", "hidden-not-there"] {
        let refused = broker.ask(get(key).bearer(reader)).trouble(403);
        assert!(!refused.message.contains("state"), "{refused:?}");
        broker.ask(delete(key).bearer(reader)).trouble(403);
        broker.ask(put(key, "2").bearer(writer).field("If-Match", "\"x.1\"")).trouble(403);
        broker.ask(get(&format!("{key}?wait=60")).bearer(writer)).trouble(403);
    }
}

#[test]
fn who_may_not_read_gets_no_record_with_a_412() {
    let Granted { broker, writer, .. } = granted();
    broker.ask(put("device-secret", "\"seen by readers only\"")).expect(201);
    let refused = broker.ask(put("device-secret", "1").bearer(writer).field("If-Match", "\"x.1\""));
    assert!(!refused.text().contains("readers"));
    refused.trouble(412);
}

#[test]
fn a_list_must_be_covered_whole() {
    let Granted { broker, reader, writer, all, .. } = granted();
    broker.ask(put("device-listed", "1")).expect(201);
    for query in ["prefix=device-", "prefix=device-l", "prefix=device-&limit=1", "prefix=door&prefix=device-"]
    {
        let answer = broker.ask(list(query).bearer(reader));
        // A doubled parameter may be refused; what it may not do is widen the grant.
        assert!(matches!(answer.status(), 200 | 400 | 403), "{query}");
    }
    broker.ask(list("prefix=device-").bearer(reader)).expect(200);
    for query in ["prefix=device", "prefix=", "", "prefix=door", "prefix=job", "after=device-", "limit=5"] {
        broker.ask(list(query).bearer(reader)).trouble(403);
    }
    broker.ask(list("prefix=device-").bearer(writer)).trouble(403);
    broker.ask(list("").bearer(all)).expect(200);
}

#[test]
fn a_stream_must_be_covered_whole() {
    let Granted { broker, reader, writer, all, .. } = granted();
    let bearer = format!("Bearer {reader}");
    for rest in ["/device-1", "/device-*", "/device-1*", "/door", "?keys=device-1,door,device-2*"] {
        Viewer::open_with(broker, rest, &[("authorization", &bearer)]).snapshot();
        Events::open_with(broker, Request::new("GET", &format!("/api/lux/stream{rest}")).bearer(reader));
    }
    for rest in ["/device*", "/door*", "/*", "/job-1", "?keys=device-1,job-1", "?keys=door,d*"] {
        broker.ask(upgrade(rest).bearer(reader)).trouble(403);
        broker.ask(Request::new("GET", &format!("/api/lux/stream{rest}")).bearer(reader)).trouble(403);
    }
    broker.ask(upgrade("/device-1").bearer(writer)).trouble(403);
    Viewer::open_with(broker, "/*", &[("authorization", &format!("Bearer {all}"))]).snapshot();
}

#[test]
fn a_subscription_is_held_to_the_grant() {
    let Granted { broker, reader, .. } = granted();
    for key in ["device-sub", "job-sub"] {
        broker.ask(put(key, "0")).expect(201);
    }
    let mut viewer =
        Viewer::open_with(broker, "?keys=door", &[("authorization", &format!("Bearer {reader}"))]);
    viewer.snapshot();
    for patterns in [&["job-sub"][..], &["device-sub", "job-sub"], &["*"], &["device*"], &["door*"]] {
        viewer.say(&format!("{{\"subscribe\":{patterns:?}}}"));
        viewer.trouble();
    }
    viewer.say("{\"unsubscribe\":[\"door\"],\"subscribe\":[\"device-sub\",\"job-sub\"]}");
    viewer.trouble();
    for n in 1..=3 {
        broker.ask(put("job-sub", "1")).expect(200);
        broker.ask(put("device-sub", "1")).expect(200);
        broker.ask(put("door", "1"));
        assert_eq!((viewer.record().key.as_str(), n), ("door", n), "nothing of a refused message holds");
    }
    viewer.say("{\"subscribe\":[\"device-sub\"]}");
    assert_eq!(viewer.snapshot().0[0].key, "device-sub");
}

#[test]
fn metrics_and_explanations_need_a_key_that_reads_everything() {
    let Granted { broker, reader, writer, all, .. } = granted();
    for path in ["/metrics", "/api/lux/_explain?key=device-1"] {
        let request = || Request::new("GET", path);
        broker.ask(request().bearer(reader)).trouble(403);
        broker.ask(request().bearer(writer)).trouble(403);
        broker.ask(request().bearer(all)).expect(200);
    }
}
