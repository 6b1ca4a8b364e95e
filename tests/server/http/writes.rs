//! `PUT` and `DELETE`: what they answer, and what a state looks like afterwards.
//!
//! Always true: a state is read back as it was written, but for insignificant white space.
//!
//! Read first: `http/mod.rs`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Broker, Request, delete, fresh, fresh_keys, get, put};

crate::on_1_2_4_cores!(
    put_makes_then_replaces,
    put_answers_with_the_record_that_get_shows,
    a_state_is_kept_as_it_was_written,
    any_json_value_is_a_state,
    other_members_of_the_body_are_ignored,
    the_content_type_of_a_put_is_not_looked_at,
    an_equal_state_is_a_new_revision,
    delete_answers_204_once_and_404_after,
    revisions_go_on_over_a_deletion,
    minimal_answers_have_an_etag_and_no_body,
    updated_at_is_the_clock_and_never_goes_back,
    keys_use_the_whole_alphabet,
    keys_of_every_core_are_seen_from_every_connection,
    the_epoch_is_one_for_all_keys,
);

fn put_makes_then_replaces(broker: &Broker) {
    let key = fresh("put");
    let first = broker.ask(put(&key, "{\"n\":1}")).expect(201);
    assert_eq!((first.record().rev, first.record().data.as_str()), (1, "{\"n\":1}"));
    let second = broker.ask(put(&key, "{\"n\":2}")).expect(200);
    assert_eq!((second.record().rev, second.record().data.as_str()), (2, "{\"n\":2}"));
    assert_eq!(second.record().key, key);
    assert!(!second.record().deleted);
}

fn put_answers_with_the_record_that_get_shows(broker: &Broker) {
    let key = fresh("same-bytes");
    let written = broker.ask(put(&key, "[1,2]")).expect(201);
    let read = broker.ask(get(&key)).expect(200);
    assert_eq!(written.body, read.body);
    assert_eq!(written.etag(), read.etag());
}

fn a_state_is_kept_as_it_was_written(broker: &Broker) {
    let key = fresh("kept");
    let state = r#"{ "z" : 1.0 , "a":1e2, "big":12345678901234567890123, "neg":-0,
        "z":2,	"text":"a b\u00e9\/\n", "é":"ü" , "deep":[ [ ], { } ] }"#;
    let kept = r#"{"z":1.0,"a":1e2,"big":12345678901234567890123,"neg":-0,"z":2,"text":"a b\u00e9\/\n","é":"ü","deep":[[],{}]}"#;
    broker.ask(put(&key, state)).expect(201);
    assert_eq!(broker.ask(get(&key)).expect(200).record().data, kept);
}

fn any_json_value_is_a_state(broker: &Broker) {
    for state in ["null", "true", "false", "0", "-1.5e-3", "\"\"", "\"text\"", "[]", "{}", "[null]"] {
        let key = fresh("any");
        assert_eq!(broker.ask(put(&key, state)).expect(201).record().data, state);
        let read = broker.ask(get(&key)).expect(200).record();
        assert_eq!((read.data.as_str(), read.deleted), (state, false), "a state of null is no deletion");
    }
}

fn other_members_of_the_body_are_ignored(broker: &Broker) {
    let key = fresh("members");
    let body = r#" {"key":"other","rev":99, "data" : {"n":1} ,"updatedAt":[{"data":2}]} "#;
    let request = Request::new("PUT", &format!("/api/lux/{key}")).body(body);
    let record = broker.ask(request).expect(201).record();
    assert_eq!((record.key, record.rev, record.data), (key, 1, "{\"n\":1}".to_string()));
}

fn the_content_type_of_a_put_is_not_looked_at(broker: &Broker) {
    for kind in ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", "junk"]
    {
        broker.ask(put(&fresh("type"), "1").field("Content-Type", kind)).expect(201);
    }
}

fn an_equal_state_is_a_new_revision(broker: &Broker) {
    let key = fresh("equal");
    for rev in 1..=3 {
        assert_eq!(broker.ask(put(&key, "\"same\"")).record().rev, rev);
    }
}

fn delete_answers_204_once_and_404_after(broker: &Broker) {
    let key = fresh("delete");
    broker.ask(delete(&key)).trouble(404);
    broker.ask(put(&key, "1")).expect(201);
    let gone = broker.ask(delete(&key)).expect(204);
    assert!(gone.body.is_empty());
    broker.ask(get(&key)).trouble(404);
    broker.ask(delete(&key)).trouble(404);
}

fn revisions_go_on_over_a_deletion(broker: &Broker) {
    let key = fresh("over-deletion");
    assert_eq!(broker.ask(put(&key, "1")).expect(201).record().rev, 1);
    broker.ask(delete(&key)).expect(204);
    // A deletion of nothing makes no revision, so the next state's is 3.
    broker.ask(delete(&key)).expect(404);
    assert_eq!(broker.ask(put(&key, "2")).expect(201).record().rev, 3);
    assert_eq!(broker.ask(put(&key, "3")).expect(200).record().rev, 4);
}

fn minimal_answers_have_an_etag_and_no_body(broker: &Broker) {
    let key = fresh("minimal");
    let minimal = |request: Request| request.field("Prefer", "return=minimal");
    let made = broker.ask(minimal(put(&key, "1"))).expect(204);
    assert!(made.body.is_empty());
    assert_eq!(made.etag(), broker.ask(get(&key)).expect(200).etag());
    let replaced = broker.ask(minimal(put(&key, "2"))).expect(204);
    assert_ne!(made.etag(), replaced.etag());
    let patched = broker.ask(minimal(crate::harness::patch(&key, "{\"a\":1}"))).expect(204);
    assert_eq!(patched.etag(), broker.ask(get(&key)).expect(200).etag());
}

fn updated_at_is_the_clock_and_never_goes_back(broker: &Broker) {
    let unix_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let key = fresh("clock");
    let (mut last, before) = (0, unix_ms());
    for n in 0..20 {
        let record = broker.ask(put(&key, &n.to_string())).record();
        assert!(record.updated_at >= last);
        last = record.updated_at;
    }
    // Each turn of a core reads the clock once, so a stamp may be a little older than the request.
    assert!(last + 1_000 >= before && last <= unix_ms() + 1_000, "{last} is not about now");
}

fn keys_use_the_whole_alphabet(broker: &Broker) {
    let stem = fresh("Alphabet_~:.-");
    broker.ask(put(&stem, "1")).expect(201);
    assert_eq!(broker.ask(get(&stem)).expect(200).record().key, stem);
    // Percent-encoded, it is the same key.
    let encoded: String = stem.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(broker.ask(get(&encoded)).expect(200).record().key, stem);
    let long = format!("{:x<128}", fresh("long"));
    broker.ask(put(&long, "1")).expect(201);
    assert_eq!(broker.ask(get(&long)).expect(200).record().key, long);
    broker.ask(put(&fresh("..."), "1")).expect(201);
    broker.ask(put(&fresh("streams"), "1")).expect(201);
}

fn keys_of_every_core_are_seen_from_every_connection(broker: &Broker) {
    let keys = fresh_keys("everywhere", 16);
    let mut connections = broker.connections(16);
    for (key, connection) in keys.iter().zip(&mut connections) {
        connection.ask(&put(key, &format!("\"{key}\""))).expect(201);
    }
    for connection in &mut connections {
        for key in &keys {
            assert_eq!(connection.ask(&get(key)).expect(200).record().data, format!("\"{key}\""));
        }
    }
}

fn the_epoch_is_one_for_all_keys(broker: &Broker) {
    let mut epochs: Vec<String> = Vec::new();
    for key in fresh_keys("epoch", 16) {
        let answer = broker.ask(put(&key, "1")).expect(201);
        let etag = answer.etag();
        let (epoch, rev) = etag.trim_matches('"').split_once('.').expect("<epoch>.<rev>");
        assert_eq!(rev, "1");
        epochs.push(epoch.to_string());
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
}
