//! How a key is shown, and what happens without one.
//!
//! Always true: `401` comes with `WWW-Authenticate: Bearer`, before anything else is looked at.
//!
//! Read first: `access/mod.rs`.

use crate::harness::socket::{subprotocols, upgrade};
use crate::harness::{
    API_KEY, Answer, Broker, Events, Request, Viewer, delete, fresh, get, list, patch, put,
};

crate::on_1_2_4_cores!(
    without_a_key_everything_is_401,
    a_wrong_key_is_401,
    a_refused_write_is_not_done,
    a_connection_goes_on_after_a_401,
    streams_take_the_key_in_three_ways,
    a_query_is_no_place_for_a_key_elsewhere,
    a_wrong_key_on_a_stream_is_401,
    the_subprotocol_without_the_key_is_not_enough,
);

#[track_caller]
fn assert_401(answer: Answer) {
    assert_eq!(answer.status(), 401, "{:?}", answer.head);
    let challenge = answer.field("WWW-Authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    answer.trouble(401);
}

fn without_a_key_everything_is_401(broker: &Broker) {
    let mut connection = broker.http();
    let key = fresh("no-key");
    for request in [get(&key), put(&key, "1"), patch(&key, "{}"), delete(&key), list("prefix=a")] {
        assert_401(connection.ask(&request.anonymous()));
    }
    assert_401(connection.ask(&Request::new("GET", "/metrics").anonymous()));
    assert_401(broker.ask(upgrade(&format!("/{key}")).anonymous()));
    assert_401(broker.ask(Request::new("GET", &format!("/api/lux/stream/{key}")).anonymous()));
}

fn a_wrong_key_is_401(broker: &Broker) {
    let mut connection = broker.http();
    let nearly =
        [&API_KEY[1..], &format!("{API_KEY}x"), &API_KEY.to_uppercase(), "", "short", &"x".repeat(128)];
    for wrong in nearly {
        assert_401(connection.ask(&get("some-key").bearer(wrong)));
    }
    for credentials in [
        format!("Basic {API_KEY}"),
        API_KEY.to_string(),
        format!("Bearer{API_KEY}"),
        format!("Bearer {API_KEY} x"),
        "Bearer".to_string(),
        format!("Bearer \"{API_KEY}\""),
        format!("Bearer x, Bearer {API_KEY}"),
    ] {
        assert_401(connection.ask(&get("some-key").anonymous().field("Authorization", &credentials)));
    }
}

fn a_refused_write_is_not_done(broker: &Broker) {
    let key = fresh("not-done");
    assert_401(broker.ask(put(&key, "1").anonymous()));
    broker.ask(get(&key)).trouble(404);
    broker.ask(put(&key, "1")).expect(201);
    assert_401(broker.ask(delete(&key).bearer("wrong-key-0123456789")));
    broker.ask(get(&key)).expect(200);
}

fn a_connection_goes_on_after_a_401(broker: &Broker) {
    let key = fresh("after-401");
    let mut connection = broker.http();
    // Each request is asked for its own key: a good one before is no credit for the next.
    for _ in 0..5 {
        connection.ask(&put(&key, "1"));
        assert_401(connection.ask(&get(&key).anonymous()));
        connection.ask(&get(&key)).expect(200);
    }
}

fn streams_take_the_key_in_three_ways(broker: &Broker) {
    let key = fresh("three-ways");
    broker.ask(put(&key, "1")).expect(201);
    let encoded: String = API_KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let bearer = format!("Bearer {API_KEY}");
    let turned = format!("lux.key.{API_KEY} ,lux.v1");
    for (rest, fields) in [
        (format!("/{key}"), vec![("authorization", bearer.as_str())]),
        (format!("/{key}?apiKey={API_KEY}"), vec![]),
        (format!("/{key}?apiKey={encoded}"), vec![]),
        (format!("?keys={key}&apiKey={API_KEY}"), vec![]),
        (format!("/{key}"), vec![("sec-websocket-protocol", &subprotocols())]),
        (format!("/{key}"), vec![("sec-websocket-protocol", &turned)]),
    ] {
        let mut viewer = Viewer::open_with(broker, &rest, &fields);
        assert_eq!(viewer.record().key, key);
        let offered = fields.iter().any(|(name, _)| *name == "sec-websocket-protocol");
        assert_eq!(viewer.protocol.as_deref(), offered.then_some("lux.v1"));
    }
    let request = Request::new("GET", &format!("/api/lux/stream/{key}?apiKey={API_KEY}")).anonymous();
    assert!(Events::open_with(broker, request).event().data.contains(&key));
}

fn a_query_is_no_place_for_a_key_elsewhere(broker: &Broker) {
    let key = fresh("query-key");
    assert_401(broker.ask(put(&format!("{key}?apiKey={API_KEY}"), "1").anonymous()));
    assert_401(broker.ask(get(&format!("{key}?apiKey={API_KEY}")).anonymous()));
    assert_401(broker.ask(Request::new("GET", &format!("/metrics?apiKey={API_KEY}")).anonymous()));
}

fn a_wrong_key_on_a_stream_is_401(broker: &Broker) {
    assert_401(broker.ask(upgrade("/some-key?apiKey=wrong-key-0123456789").anonymous()));
    let pair = upgrade("/some-key")
        .anonymous()
        .field("Sec-WebSocket-Protocol", "lux.v1, lux.key.wrong-key-0123456789");
    assert_401(broker.ask(pair));
    assert_401(broker.ask(upgrade("/some-key").bearer("wrong-key-0123456789")));
}

fn the_subprotocol_without_the_key_is_not_enough(broker: &Broker) {
    assert_401(broker.ask(upgrade("/some-key").anonymous().field("Sec-WebSocket-Protocol", "lux.v1")));
    let bearer = format!("Bearer {API_KEY}");
    let fields = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "lux.v1")];
    assert_eq!(Viewer::open_with(broker, "/some-key", &fields).protocol.as_deref(), Some("lux.v1"));
}
