//! `PATCH`: JSON Merge Patch, applied by the broker.
//!
//! Always true: what a patch does not touch stays as its producer wrote it.
//!
//! Read first: `http/writes.rs`.

use std::thread;

use crate::harness::{Broker, Request, fresh, get, patch, put};

crate::on_1_2_4_cores!(
    a_patch_merges,
    a_patch_as_plain_json_is_under_data,
    a_patch_of_nothing_makes_the_key,
    a_patch_of_null_makes_the_state_null,
    members_keep_their_place_and_text,
    the_table_of_the_rfc,
    a_patch_of_another_kind_is_refused,
    patches_of_many_producers_never_lose_each_other,
);

fn a_patch_merges(broker: &Broker) {
    let key = fresh("patch");
    broker.ask(put(&key, r#"{"a":1,"b":{"c":2,"d":3}}"#)).expect(201);
    let patched = broker.ask(patch(&key, r#"{"b":{"c":null,"e":4},"f":5}"#)).expect(200);
    assert_eq!(patched.record().data, r#"{"a":1,"b":{"d":3,"e":4},"f":5}"#);
    assert_eq!(patched.record().rev, 2);
    let read = broker.ask(get(&key)).expect(200);
    assert_eq!((read.body.clone(), read.etag()), (patched.body.clone(), patched.etag()));
}

fn a_patch_as_plain_json_is_under_data(broker: &Broker) {
    let key = fresh("plain");
    broker.ask(put(&key, r#"{"a":1}"#)).expect(201);
    for (kind, body, after) in [
        ("application/json", r#"{"data":{"b":2},"ignored":0}"#, r#"{"a":1,"b":2}"#),
        ("application/json; charset=utf-8", r#"{"data":{"a":null}}"#, r#"{"b":2}"#),
        ("Application/Merge-Patch+JSON;charset=UTF-8", r#"{"data":3}"#, r#"{"b":2,"data":3}"#),
    ] {
        let request =
            Request::new("PATCH", &format!("/api/lux/{key}")).field("Content-Type", kind).body(body);
        assert_eq!(broker.ask(request).expect(200).record().data, after, "{kind}");
    }
}

fn a_patch_of_nothing_makes_the_key(broker: &Broker) {
    let key = fresh("patch-makes");
    let made = broker.ask(patch(&key, r#"{"a":{"b":null,"c":1},"d":null}"#)).expect(201);
    assert_eq!(made.record().data, r#"{"a":{"c":1}}"#);
    broker.ask(crate::harness::delete(&key)).expect(204);
    let again = broker.ask(patch(&key, r#"{"e":1}"#)).expect(201);
    assert_eq!((again.record().data.as_str(), again.record().rev), (r#"{"e":1}"#, 3));
}

fn a_patch_of_null_makes_the_state_null(broker: &Broker) {
    let key = fresh("patch-null");
    broker.ask(put(&key, "{\"a\":1}")).expect(201);
    let record = broker.ask(patch(&key, "null")).expect(200).record();
    assert_eq!((record.data.as_str(), record.deleted, record.rev), ("null", false, 2));
    assert_eq!(broker.ask(get(&key)).expect(200).record().data, "null");
}

fn members_keep_their_place_and_text(broker: &Broker) {
    let key = fresh("place");
    let state = r#"{"z":1.00,"m":"\u0041","a":{"y":1E5,"x":[1.0,2]},"q":0}"#;
    broker.ask(put(&key, state)).expect(201);
    let patched = broker.ask(patch(&key, r#"{ "new":  1e1, "m":"B", "a":{"x":null,"w":-0.0} }"#)).expect(200);
    assert_eq!(patched.record().data, r#"{"z":1.00,"m":"B","a":{"y":1E5,"w":-0.0},"q":0,"new":1e1}"#);
}

/// RFC 7396, appendix A: the state before, the patch, the state after.
const TABLE: [[&str; 3]; 15] = [
    [r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
    [r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#],
    [r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#],
    [r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#],
    [r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
    [r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#],
    [r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#],
    [r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#],
    [r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#],
    [r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#],
    [r#"{"a":"foo"}"#, r#"null"#, r#"null"#],
    [r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#],
    [r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#],
    [r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#],
    [r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#],
];

fn the_table_of_the_rfc(broker: &Broker) {
    let mut connection = broker.http();
    for [before, change, after] in TABLE {
        let key = fresh("rfc7396");
        connection.ask(&put(&key, before)).expect(201);
        let patched = connection.ask(&patch(&key, change)).expect(200).record();
        assert_eq!(patched.data, after, "{before} patched with {change}");
    }
}

fn a_patch_of_another_kind_is_refused(broker: &Broker) {
    let key = fresh("patch-kind");
    broker.ask(put(&key, "{}")).expect(201);
    for kind in ["application/json-patch+json", "text/plain"] {
        let request =
            Request::new("PATCH", &format!("/api/lux/{key}")).field("Content-Type", kind).body("{}");
        broker.ask(request).trouble(415);
    }
    assert_eq!(broker.ask(get(&key)).expect(200).record().rev, 1);
}

fn patches_of_many_producers_never_lose_each_other(broker: &Broker) {
    const PRODUCERS: usize = 8;
    const PATCHES: usize = 40;
    let key = fresh("many-patches");
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let key = &key;
            scope.spawn(move || {
                let mut connection = broker.http();
                for n in 1..=PATCHES {
                    let change = format!("{{\"p{producer}\":{n},\"field-{producer}-{n}\":true}}");
                    let record = connection.ask(&patch(key, &change)).record();
                    assert_eq!(record.value()[format!("p{producer}")], n, "one's own patch is in the answer");
                }
            });
        }
    });
    let last = broker.ask(get(&key)).expect(200).record();
    assert_eq!(last.rev, (PRODUCERS * PATCHES) as u64, "each patch is one revision");
    let members = last.value().as_object().unwrap().clone();
    assert_eq!(members.len(), PRODUCERS + PRODUCERS * PATCHES, "no member is lost");
    for producer in 0..PRODUCERS {
        assert_eq!(members[&format!("p{producer}")], PATCHES);
    }
}
