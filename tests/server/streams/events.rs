//! The same streams as Server-Sent Events.
//!
//! Always true: an event's data is the record, byte for byte; its id is what `since` takes.
//!
//! Read first: `harness/events.rs`.

use crate::harness::{API_KEY, Broker, Events, Request, delete, fresh, fresh_keys, prefix_of, put};

crate::on_1_2_4_cores!(
    a_record_is_a_message_with_an_id,
    a_deletion_and_a_missing_key_are_records_too,
    last_event_id_is_since,
    several_keys_have_no_ids,
    the_stream_is_shown_to_whoever_admits_it,
    the_stream_is_refused_to_whoever_does_not,
    an_event_stream_is_not_stored_and_open_to_all,
    a_head_request_gets_the_head_of_the_stream,
    a_large_record_is_one_event,
    events_keep_up_with_every_revision,
);

fn open_several(broker: &Broker, rest: &str) -> Vec<Events> {
    (0..6).map(|_| Events::open(broker, rest)).collect()
}

fn a_record_is_a_message_with_an_id(broker: &Broker) {
    let key = fresh("sse");
    let first = broker.ask(put(&key, "{\"text\":\"a\\nb\"}")).expect(201);
    let mut streams = open_several(broker, &format!("/{key}"));
    for stream in &mut streams {
        let event = stream.event();
        assert_eq!((event.name.as_str(), event.data.as_str()), ("message", first.text()));
        assert_eq!(event.id.as_deref(), Some(first.etag().trim_matches('"')));
        let synced = stream.event();
        assert_eq!((synced.name.as_str(), &synced.id), ("synced", &None));
        assert!(synced.data.starts_with("{\"synced\":true,\"epoch\":\""));
    }
    let second = broker.ask(put(&key, "2")).expect(200);
    for stream in &mut streams {
        let event = stream.event();
        assert_eq!((event.name.as_str(), event.data.as_str()), ("message", second.text()));
        assert_eq!(event.id.as_deref(), Some(second.etag().trim_matches('"')));
    }
}

fn a_head_request_gets_the_head_of_the_stream(broker: &Broker) {
    let mut connection = broker.http();
    connection.send(&Request::new("HEAD", "/api/lux/stream/board").bytes());
    let head = connection.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.field("Content-Type"), Some("text/event-stream"));
    connection.expect_end();
}

fn a_deletion_and_a_missing_key_are_records_too(broker: &Broker) {
    let key = fresh("sse-deletion");
    let mut stream = Events::open(broker, &format!("/{key}"));
    let never = stream.event().data;
    assert_eq!(never, format!("{{\"key\":\"{key}\",\"rev\":0,\"updatedAt\":0,\"data\":null}}"));
    assert_eq!(stream.event().name, "synced");
    broker.ask(put(&key, "1")).expect(201);
    assert!(stream.event().id.unwrap().ends_with(".1"));
    broker.ask(delete(&key)).expect(204);
    let deletion = stream.event();
    assert!(deletion.id.unwrap().ends_with(".2"));
    assert!(deletion.data.ends_with("\"data\":null,\"deleted\":true}"));
}

fn last_event_id_is_since(broker: &Broker) {
    let key = fresh("sse-since");
    let known = broker.ask(put(&key, "1")).etag().trim_matches('"').to_string();
    let ask = || Request::new("GET", &format!("/api/lux/stream/{key}")).field("Accept", "text/event-stream");
    for _ in 0..4 {
        let mut stream = Events::open_with(broker, ask().field("Last-Event-ID", &known));
        assert_eq!(stream.event().name, "synced", "nothing changed since");
    }
    broker.ask(put(&key, "2")).expect(200);
    for id in [known.as_str(), "other.1", "junk", ""] {
        let mut stream = Events::open_with(broker, ask().field("Last-Event-ID", id));
        assert!(stream.event().data.contains("\"rev\":2"), "{id:?}");
        assert_eq!(stream.event().name, "synced");
    }
    let mut stream = Events::open(broker, &format!("/{key}?since={known}"));
    assert!(stream.event().data.contains("\"rev\":2"));
}

fn several_keys_have_no_ids(broker: &Broker) {
    let keys = fresh_keys("sse-several", 6);
    let prefix = format!("{}*", prefix_of(&keys));
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    for rest in [format!("/{prefix}"), format!("?keys={}", keys.join(","))] {
        for mut stream in open_several(broker, &rest) {
            let mut seen = Vec::new();
            loop {
                let event = stream.event();
                assert_eq!(event.id, None, "an id would promise more than it can keep");
                if event.name == "synced" {
                    break;
                }
                seen.push(crate::harness::Record::parse(&event.data).key);
            }
            seen.sort();
            assert_eq!(seen, keys);
        }
    }
}

fn ask_without_accept() -> Request {
    Request::new("GET", "/api/lux/stream/accept-me")
}

fn the_stream_is_shown_to_whoever_admits_it(broker: &Broker) {
    Events::open_with(broker, ask_without_accept());
    for accept in [
        "*/*",
        "text/event-stream",
        "Text/Event-Stream",
        "text/*",
        "text/html, text/event-stream;q=0.5",
        "application/json, */*;q=0.1",
        "text/event-stream; charset=utf-8",
    ] {
        let mut stream = Events::open_with(broker, ask_without_accept().field("Accept", accept));
        assert!(stream.event().data.contains("accept-me"), "{accept}");
    }
}

fn the_stream_is_refused_to_whoever_does_not(broker: &Broker) {
    for accept in ["application/json", "text/html", "text/event-stream;q=0", "image/*", "text/event-streams"]
    {
        broker.ask(ask_without_accept().field("Accept", accept)).trouble(406);
    }
}

fn an_event_stream_is_not_stored_and_open_to_all(broker: &Broker) {
    let request = ask_without_accept().field("Origin", "https://board.example");
    let stream = Events::open_with(broker, request);
    assert!(stream.head.elements("Cache-Control").iter().any(|one| one == "no-store" || one == "no-cache"));
    assert!(matches!(stream.head.field("Access-Control-Allow-Origin"), Some("*" | "https://board.example")));
    // What a browser's EventSource can do about the key: the query.
    let target = format!("/api/lux/stream/accept-me?apiKey={API_KEY}");
    Events::open_with(broker, Request::new("GET", &target).anonymous());
}

fn a_large_record_is_one_event(broker: &Broker) {
    let key = fresh("sse-large");
    let written = broker.ask(put(&key, &format!("\"{}\"", "x".repeat(200_000)))).expect(201);
    for mut stream in open_several(broker, &format!("/{key}")) {
        assert!(stream.event().data == written.text());
    }
}

fn events_keep_up_with_every_revision(broker: &Broker) {
    let key = fresh("sse-every");
    let mut streams = open_several(broker, &format!("/{key}"));
    for stream in &mut streams {
        while stream.event().name != "synced" {}
    }
    for rev in 1..=50_u64 {
        broker.ask(put(&key, "1"));
        for stream in &mut streams {
            assert_eq!(crate::harness::Record::parse(&stream.event().data).rev, rev);
        }
    }
}
