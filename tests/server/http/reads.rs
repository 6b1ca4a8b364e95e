//! `GET` and `HEAD` of one key.
//!
//! Always true: `HEAD` says what `GET` says, without the body.
//!
//! Read first: `http/writes.rs`.

use crate::harness::{Broker, Request, delete, fresh, get, put};

crate::on_1_2_4_cores!(
    get_shows_the_record,
    get_of_nothing_is_404,
    an_answer_is_never_stored,
    a_known_etag_gets_304,
    an_old_etag_gets_the_record,
    head_is_get_without_the_body,
    an_unknown_query_changes_nothing,
);

fn get_shows_the_record(broker: &Broker) {
    let key = fresh("get");
    broker.ask(put(&key, "{\"n\":1}")).expect(201);
    let answer = broker.ask(get(&key)).expect(200);
    let record = answer.record();
    assert_eq!((record.key, record.rev, record.data), (key, 1, "{\"n\":1}".to_string()));
    assert!(answer.etag().ends_with(".1\""), "{}", answer.etag());
}

fn get_of_nothing_is_404(broker: &Broker) {
    broker.ask(get(&fresh("nothing"))).trouble(404);
}

fn an_answer_is_never_stored(broker: &Broker) {
    let key = fresh("store");
    broker.ask(put(&key, "1")).expect(201);
    assert_eq!(broker.ask(get(&key)).field("Cache-Control"), Some("no-store"));
}

fn a_known_etag_gets_304(broker: &Broker) {
    let key = fresh("304");
    let etag = broker.ask(put(&key, "1")).expect(201).etag();
    for field in [etag.clone(), format!("W/{etag}"), format!("\"x.1\", {etag}"), "*".to_string()] {
        let answer = broker.ask(get(&key).field("If-None-Match", &field)).expect(304);
        assert!(answer.body.is_empty());
        assert_eq!(answer.etag(), etag, "a 304 carries the ETag");
    }
    broker.ask(get(&key).method("HEAD").field("If-None-Match", &etag)).expect(304);
}

fn an_old_etag_gets_the_record(broker: &Broker) {
    let key = fresh("200");
    let old = broker.ask(put(&key, "1")).expect(201).etag();
    broker.ask(put(&key, "2")).expect(200);
    for etag in [old.as_str(), "\"other.2\"", "\"\"", "\"x\", \"y\""] {
        let answer = broker.ask(get(&key).field("If-None-Match", etag)).expect(200);
        assert_eq!(answer.record().data, "2");
    }
    broker.ask(delete(&key)).expect(204);
    broker.ask(get(&key).field("If-None-Match", &old)).trouble(404);
}

fn head_is_get_without_the_body(broker: &Broker) {
    let key = fresh("head");
    broker.ask(put(&key, "[1,2,3]")).expect(201);
    let mut connection = broker.http();
    for target in [
        format!("/api/lux/{key}"),
        format!("/api/lux/{key}-not-there"),
        format!("/api/lux?prefix={key}"),
        "/healthz".to_string(),
        "/readyz".to_string(),
        "/".to_string(),
        "/lux.js".to_string(),
        "/nowhere".to_string(),
    ] {
        let body = connection.ask(&Request::new("GET", &target));
        let head = connection.ask(&Request::new("HEAD", &target));
        assert!(head.body.is_empty());
        for name in ["ETag", "Content-Length", "Content-Type", "Cache-Control"] {
            assert_eq!(head.field(name), body.field(name), "{name} of {target}");
        }
        assert_eq!(head.status(), body.status(), "{target}");
    }
}

fn an_unknown_query_changes_nothing(broker: &Broker) {
    let key = fresh("query");
    broker.ask(put(&format!("{key}?unknown=1"), "1")).expect(201);
    assert_eq!(broker.ask(get(&format!("{key}?x&y=%20&=z"))).expect(200).record().key, key);
}
