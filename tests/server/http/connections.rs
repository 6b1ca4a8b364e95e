//! One connection and many requests: keep-alive, pipelining, and how it ends.
//!
//! Always true: answers come in the order of the requests, whichever core each of them had to ask.
//!
//! Read first: `http/writes.rs`.

use crate::harness::{Answer, Broker, Dice, Request, delete, fresh, fresh_keys, get, patch, put};

crate::on_1_2_4_cores!(
    a_connection_is_kept,
    pipelined_requests_are_answered_in_order,
    pipelined_writes_happen_in_order,
    a_pipeline_of_thousands_is_answered_whole,
    a_close_is_announced_and_kept,
    nothing_after_a_close_is_taken,
    a_client_that_has_finished_sending_still_gets_its_answers,
    a_client_that_goes_away_mid_request_harms_nobody,
    an_error_in_a_state_leaves_the_connection_open,
);

fn a_connection_is_kept(broker: &Broker) {
    let mut connection = broker.http();
    for key in fresh_keys("keep-alive", 50) {
        let answer = connection.ask(&put(&key, "1")).expect(201);
        assert!(!answer.head.says_close());
        connection.ask(&get(&key)).expect(200);
    }
}

fn pipelined_requests_are_answered_in_order(broker: &Broker) {
    let mut dice = Dice(7);
    for mut connection in broker.connections(8) {
        // What each key holds is followed by hand: the answers must agree, one after the other.
        let keys = fresh_keys("pipeline", 12);
        let mut held: Vec<Option<usize>> = vec![None; keys.len()];
        let (mut bytes, mut due) = (Vec::new(), Vec::new());
        for n in 0..200 {
            let at = dice.below(keys.len());
            let (request, status) = match dice.below(4) {
                0 | 1 => (put(&keys[at], &n.to_string()), if held[at].is_some() { 200 } else { 201 }),
                2 => (get(&keys[at]), if held[at].is_some() { 200 } else { 404 }),
                _ => (delete(&keys[at]), if held[at].is_some() { 204 } else { 404 }),
            };
            match request.method.as_str() {
                "PUT" => held[at] = Some(n),
                "DELETE" => held[at] = None,
                _ => {}
            }
            due.push((keys[at].clone(), status, held[at]));
            bytes.extend(request.bytes());
        }
        connection.send(&bytes);
        for (key, status, state) in due {
            let answer = connection.answer().expect(status);
            if status < 202 {
                let record = answer.record();
                assert_eq!((record.key, record.data), (key, state.unwrap().to_string()));
            }
        }
    }
}

fn pipelined_writes_happen_in_order(broker: &Broker) {
    for mut connection in broker.connections(8) {
        let key = fresh("order");
        let mut bytes = put(&key, "{\"n\":0}").bytes();
        for n in 1..=50 {
            bytes.extend(patch(&key, &format!("{{\"n\":{n}}}")).bytes());
        }
        bytes.extend(get(&key).bytes());
        connection.send(&bytes);
        connection.answer().expect(201);
        for n in 1..=50 {
            let record = connection.answer().expect(200).record();
            assert_eq!((record.rev, record.data), (n + 1, format!("{{\"n\":{n}}}")));
        }
        assert_eq!(connection.answer().expect(200).record().data, "{\"n\":50}");
    }
}

fn a_pipeline_of_thousands_is_answered_whole(broker: &Broker) {
    const REQUESTS: usize = 3_000;
    let key = fresh("thousands");
    let state = format!("\"{}\"", "x".repeat(2_000));
    broker.ask(put(&key, &state)).expect(201);
    // Six megabytes of answers nobody reads while the requests go out: the broker has to stop reading,
    // and go on when it is read from again.
    let mut connection = broker.http();
    let mut stream = connection.stream();
    let request = get(&key).bytes();
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut stream, &request.repeat(REQUESTS)).unwrap());
        for _ in 0..REQUESTS {
            assert_eq!(connection.answer().expect(200).record().data, state);
        }
    });
}

fn a_close_is_announced_and_kept(broker: &Broker) {
    let key = fresh("close");
    let mut connection = broker.http();
    let answer = connection.ask(&put(&key, "1").field("Connection", "close")).expect(201);
    assert!(answer.head.says_close());
    connection.expect_end();
}

fn nothing_after_a_close_is_taken(broker: &Broker) {
    let key = fresh("after-close");
    let mut connection = broker.http();
    let last = put(&key, "1").field("Connection", "keep-alive, Close").bytes();
    connection.send(&[last, put(&key, "2").bytes()].concat());
    connection.answer().expect(201);
    connection.expect_end();
    assert_eq!(broker.ask(get(&key)).record().data, "1");
}

fn a_client_that_has_finished_sending_still_gets_its_answers(broker: &Broker) {
    let keys = fresh_keys("half-closed", 6);
    let mut connection = broker.http();
    let bytes: Vec<u8> = keys.iter().flat_map(|key| put(key, "1").bytes()).collect();
    connection.send(&bytes);
    connection.finish_sending();
    for key in &keys {
        assert_eq!(&connection.answer().expect(201).record().key, key);
    }
    connection.expect_end();
}

fn a_client_that_goes_away_mid_request_harms_nobody(broker: &Broker) {
    let key = fresh("gone-away");
    let request = put(&key, "\"whole\"");
    let bytes = request.bytes();
    for length in 1..bytes.len() {
        let mut connection = broker.http();
        connection.send(&bytes[..length]);
    }
    broker.ask(get(&key)).expect(404);
    broker.ask(request).expect(201);
}

fn an_error_in_a_state_leaves_the_connection_open(broker: &Broker) {
    let key = fresh("open");
    let mut connection = broker.http();
    let raw = |body: &str| Request::new("PUT", &format!("/api/lux/{key}")).body(body);
    let refused = |answer: Answer, status: u16| {
        assert!(!answer.head.says_close(), "the connection goes on");
        answer.trouble(status);
    };
    for _ in 0..3 {
        refused(connection.ask(&raw("{\"data\":}")), 400);
        refused(connection.ask(&raw("")), 400);
        refused(connection.ask(&raw("{\"no\":1}")), 400);
        refused(connection.ask(&get(&key)), 404);
        refused(connection.ask(&get("_reserved")), 400);
        refused(connection.ask(&raw("{\"data\":1}").anonymous()), 401);
        refused(connection.ask(&raw("{\"data\":1}").method("POST")), 405);
        connection.ask(&raw("{\"data\":1}").field("If-Match", "\"x.1\"")).expect(412);
        connection.ask(&put(&fresh("in-between"), "1")).expect(201);
    }
}
