//! `If-Match` and `If-None-Match` on writes: compare and set.
//!
//! Always true: a write whose condition does not hold changes nothing.
//!
//! Read first: `http/writes.rs`.

use std::thread;

use crate::harness::{Broker, Request, delete, fresh, get, patch, put};

crate::on_1_2_4_cores!(
    if_match_lets_the_right_one_through,
    if_match_stops_the_wrong_one_with_the_record,
    if_match_of_nothing_fails,
    if_none_match_star_makes_only_new_keys,
    if_none_match_of_an_etag_holds_for_others,
    an_etag_from_before_a_deletion_never_matches_again,
    a_failed_condition_makes_no_revision,
    of_many_that_compare_one_wins,
);

fn writes(key: &str) -> [Request; 3] {
    [put(key, "{\"w\":1}"), patch(key, "{\"w\":2}"), delete(key)]
}

fn if_match_lets_the_right_one_through(broker: &Broker) {
    let key = fresh("if-match");
    for request in writes(&key) {
        let etag = broker.ask(put(&key, "{}")).etag();
        let answer = broker.ask(request.field("If-Match", &format!("\"no.1\", {etag}")));
        assert!(matches!(answer.status(), 200 | 204), "{:?}", answer.head);
    }
    broker.ask(put(&key, "{}")).expect(201);
    broker.ask(put(&key, "1").field("If-Match", "*")).expect(200);
}

fn if_match_stops_the_wrong_one_with_the_record(broker: &Broker) {
    let key = fresh("if-match-not");
    let old = broker.ask(put(&key, "{\"n\":1}")).etag();
    let now = broker.ask(put(&key, "{\"n\":2}"));
    for request in writes(&key) {
        let refused = broker.ask(request.field("If-Match", &old)).expect(412);
        assert_eq!(refused.body, now.body, "the record as it is now");
    }
    // A weak tag never matches where a write depends on it (RFC 9110, section 13.1.1).
    broker.ask(put(&key, "3").field("If-Match", &format!("W/{}", now.etag()))).expect(412);
    broker.ask(put(&key, "3").field("If-Match", "\"\"")).expect(412);
}

fn if_match_of_nothing_fails(broker: &Broker) {
    let key = fresh("if-match-nothing");
    let elsewhere = broker.ask(put(&fresh("elsewhere"), "1")).etag();
    for etag in [elsewhere.as_str(), "*"] {
        broker.ask(put(&key, "1").field("If-Match", etag)).expect(412);
        broker.ask(patch(&key, "{}").field("If-Match", etag)).expect(412);
    }
    broker.ask(get(&key)).expect(404);
}

fn if_none_match_star_makes_only_new_keys(broker: &Broker) {
    let key = fresh("if-none-match");
    let create = || put(&key, "1").field("If-None-Match", "*");
    let made = broker.ask(create()).expect(201);
    assert_eq!(broker.ask(create()).expect(412).body, made.body);
    broker.ask(patch(&key, "{}").field("If-None-Match", "*")).expect(412);
    broker.ask(delete(&key)).expect(204);
    broker.ask(create()).expect(201);
}

fn if_none_match_of_an_etag_holds_for_others(broker: &Broker) {
    let key = fresh("if-none-match-etag");
    let old = broker.ask(put(&key, "1")).etag();
    let now = broker.ask(put(&key, "2")).etag();
    broker.ask(put(&key, "3").field("If-None-Match", &now)).expect(412);
    broker.ask(put(&key, "3").field("If-None-Match", &old)).expect(200);
}

fn an_etag_from_before_a_deletion_never_matches_again(broker: &Broker) {
    let key = fresh("aba");
    let before = broker.ask(put(&key, "\"same\"")).etag();
    broker.ask(delete(&key)).expect(204);
    broker.ask(put(&key, "\"same\"")).expect(201);
    broker.ask(put(&key, "\"mine\"").field("If-Match", &before)).expect(412);
}

fn a_failed_condition_makes_no_revision(broker: &Broker) {
    let key = fresh("no-revision");
    broker.ask(put(&key, "1")).expect(201);
    for request in writes(&key) {
        broker.ask(request.field("If-Match", "\"other.1\"")).expect(412);
    }
    let record = broker.ask(get(&key)).record();
    assert_eq!((record.rev, record.data.as_str()), (1, "1"));
}

fn of_many_that_compare_one_wins(broker: &Broker) {
    const PRODUCERS: u64 = 4;
    const EACH: u64 = 15;
    let key = fresh("counter");
    let first = broker.ask(put(&key, "0")).expect(201).etag();
    let epoch = first.trim_matches('"').split_once('.').expect("<epoch>.<rev>").0;
    thread::scope(|scope| {
        for _ in 0..PRODUCERS {
            scope.spawn(|| {
                let mut connection = broker.http();
                let mut now = connection.ask(&get(&key));
                for _ in 0..EACH {
                    loop {
                        let more = (now.record().number() + 1).to_string();
                        // A 412 brings the record as it is now, which is all that the next try needs.
                        let etag = format!("\"{epoch}.{}\"", now.record().rev);
                        now = connection.ask(&put(&key, &more).field("If-Match", &etag));
                        if now.status() == 200 {
                            break;
                        }
                        assert_eq!(now.status(), 412);
                    }
                }
            });
        }
    });
    let last = broker.ask(get(&key)).record();
    assert_eq!((last.number(), last.rev), (PRODUCERS * EACH, PRODUCERS * EACH + 1), "no addition is lost");
}
