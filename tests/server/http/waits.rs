//! `GET /{key}?wait=`: the long poll, for those who can speak nothing but plain HTTP.
//!
//! Always true: a change is never missed between two polls, since the tag says what is already known.
//!
//! Read first: `http/reads.rs`.

use std::time::{Duration, Instant};

use crate::harness::{Broker, Request, delete, fresh, fresh_keys, get, put};

crate::on_1_2_4_cores!(
    a_wait_ends_with_the_change,
    a_wait_ends_with_the_deletion,
    a_wait_without_a_change_ends_with_304,
    a_wait_that_need_not_wait_does_not,
    a_wait_that_is_no_number_is_refused,
    many_wait_for_one_change,
    a_wait_holds_back_the_answers_behind_it_and_no_others,
);

fn wait(key: &str, seconds: &str, etag: &str) -> Request {
    get(&format!("{key}?wait={seconds}")).field("If-None-Match", etag)
}

fn a_wait_ends_with_the_change(broker: &Broker) {
    let mut producer = broker.http();
    for key in fresh_keys("wait", 8) {
        let mut waiting = broker.http();
        let mut etag = producer.ask(&put(&key, "0")).expect(201).etag();
        for n in 1..=3 {
            // The largest number there is, capped: the change answers it long before.
            waiting.send(&wait(&key, "99999999999999999999", &etag).bytes());
            let written = producer.ask(&put(&key, &n.to_string())).expect(200);
            let answer = waiting.answer().expect(200);
            assert_eq!(answer.body, written.body);
            etag = answer.etag();
            assert_eq!(etag, written.etag());
        }
    }
}

fn a_wait_ends_with_the_deletion(broker: &Broker) {
    let mut producer = broker.http();
    for key in fresh_keys("wait-deletion", 8) {
        let mut waiting = broker.http();
        let etag = producer.ask(&put(&key, "0")).expect(201).etag();
        waiting.send(&wait(&key, "60", &etag).bytes());
        producer.ask(&delete(&key)).expect(204);
        waiting.answer().trouble(404);
    }
}

fn a_wait_without_a_change_ends_with_304(broker: &Broker) {
    let keys = fresh_keys("wait-304", 8);
    let mut waiting = broker.connections(8);
    let began = Instant::now();
    for (key, connection) in keys.iter().zip(&mut waiting) {
        let etag = broker.ask(put(key, "0")).expect(201).etag();
        connection.send(&wait(key, "1", &etag).bytes());
    }
    for connection in &mut waiting {
        assert!(connection.answer().expect(304).body.is_empty());
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(950), "answered after {took:?}");
    assert!(took < Duration::from_secs(10), "answered after {took:?}");
}

fn a_wait_that_need_not_wait_does_not(broker: &Broker) {
    let key = fresh("no-wait");
    let old = broker.ask(put(&key, "0")).etag();
    broker.ask(put(&key, "1")).expect(200);
    let began = Instant::now();
    broker.ask(get(&format!("{key}?wait=60"))).expect(200);
    assert_eq!(broker.ask(wait(&key, "60", &old)).expect(200).record().data, "1");
    broker.ask(wait(&fresh("no-state"), "60", &old)).trouble(404);
    broker.ask(get(&format!("{}?wait=60", fresh("no-state")))).trouble(404);
    assert!(began.elapsed() < Duration::from_secs(30));
}

fn a_wait_that_is_no_number_is_refused(broker: &Broker) {
    let key = fresh("bad-wait");
    let etag = broker.ask(put(&key, "0")).etag();
    let mut connection = broker.http();
    for seconds in ["", "soon", "-1", "1.5", "1s", "0x10", "%31%30s"] {
        connection.ask(&wait(&key, seconds, &etag)).trouble(400);
        connection.ask(&get(&format!("{key}?wait={seconds}"))).trouble(400);
    }
}

fn many_wait_for_one_change(broker: &Broker) {
    let key = fresh("crowd");
    let etag = broker.ask(put(&key, "0")).etag();
    let mut crowd = broker.connections(24);
    for connection in &mut crowd {
        connection.send(&wait(&key, "60", &etag).bytes());
    }
    let written = broker.ask(put(&key, "1")).expect(200);
    for connection in &mut crowd {
        assert_eq!(connection.answer().expect(200).body, written.body);
    }
}

fn a_wait_holds_back_the_answers_behind_it_and_no_others(broker: &Broker) {
    let (key, other) = (fresh("wait-pipe"), fresh("wait-other"));
    let etag = broker.ask(put(&key, "0")).etag();
    let mut connection = broker.http();
    let behind = put(&other, "\"behind\"").bytes();
    connection.send(&[wait(&key, "60", &etag).bytes(), behind, get(&key).bytes()].concat());
    broker.ask(put(&key, "1")).expect(200);
    assert_eq!(connection.answer().expect(200).record().data, "1");
    assert_eq!(connection.answer().expect(201).record().key, other);
    assert_eq!(connection.answer().expect(200).record().data, "1");
}
