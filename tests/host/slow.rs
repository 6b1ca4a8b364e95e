//! A thousand peers who take their time.
//!
//! Always true: a head and a body have their time, counted from their beginning, and a byte now and then does
//! not make it longer; a viewer that reads nothing may take as long as it likes.
//!
//! Read first: `help/witness.rs`.

use std::thread;

use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Events, Http, Record, Request, Setup, Viewer, put};
use crate::help::{Memory, Patience, Witness, has_answer, make_room_for_peers, wait_until_served};

const PEERS: usize = 1_000;

/// Lets each of them say a byte between two rounds of the witness, until each was told that it took too long.
#[track_caller]
fn outlast(witness: &mut Witness, mut peers: Vec<Http>, seconds: usize) {
    let patience = Patience::begin();
    while !peers.is_empty() {
        witness.round();
        for peer in &mut peers {
            peer.try_send(b"x");
        }
        for mut peer in peers.extract_if(.., |peer| has_answer(peer)).collect::<Vec<_>>() {
            let answer = peer.answer();
            assert!(answer.head.says_close());
            answer.trouble(408).names(seconds);
        }
        patience.check("somebody may take for ever");
    }
    assert!(patience.elapsed().as_secs() + 1 >= seconds as u64, "after {:?}", patience.elapsed());
}

fn a_thousand(limit: &str, mib: usize, begin: impl Fn(&mut Http)) {
    make_room_for_peers();
    let broker = Setup::cores(2).limit(limit, "2s").start();
    let mut witness = Witness::of(&broker);
    let memory = Memory::of(&broker);
    let open = || -> Vec<Http> { (0..PEERS).map(|_| broker.http()).collect() };
    let mut peers = witness.during(open).0;
    peers.iter_mut().for_each(begin);
    outlast(&mut witness, peers, 2);
    wait_until_served(&broker);
    memory.assert_grew_less_than_mib(mib);
    witness.end_with(broker);
}

#[test]
fn a_thousand_slow_heads_are_told_so_and_harm_nobody() {
    a_thousand("head_timeout", 16, |peer| {
        peer.try_send(b"GET /healthz HTTP/1.1\r\nHost: lux.test\r\nX-Slow: ");
    });
}

#[test]
fn a_thousand_slow_bodies_are_told_so_and_harm_nobody() {
    // Each body is read into a buffer of 16 KiB of its own.
    a_thousand("body_timeout", 24, |peer| {
        let request = put("slow", &format!("\"{}\"", "x".repeat(200_000)));
        peer.try_send(&[request.head_bytes(), b"{\"data\":\"".to_vec()].concat());
    });
}

const WEBSOCKETS: usize = 300;
const STREAMS: usize = 100;
const WRITES: u64 = 1_500;

/// 16 KiB of state with a number in front.
fn state(n: u64) -> String {
    format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(16 * 1024))
}

fn write_past(broker: &Broker, keys: &[&str]) {
    let mut producer = broker.http();
    for n in 1..=WRITES {
        for key in keys {
            assert!(matches!(producer.ask(&put(key, &state(n))).status(), 200 | 201));
        }
    }
}

#[track_caller]
fn assert_ends_on(seen: &[Record], last: u64) {
    assert_rising(seen);
    let newest = seen.last().expect("something was seen");
    assert_eq!((newest.rev, newest.data.as_str()), (last, state(last).as_str()));
    assert!(seen.len() < 500, "{} old revisions were kept for a viewer that did not read", seen.len());
}

#[test]
fn four_hundred_viewers_that_never_read_cost_little_and_end_on_the_newest() {
    make_room_for_peers();
    let broker = Setup::cores(2).start();
    let keys = ["sleep-a", "sleep-b"];
    let mut sleepers: Vec<(Viewer, usize)> =
        (0..WEBSOCKETS).map(|at| (Viewer::open(&broker, &format!("/{}", keys[at % 2])), at % 2)).collect();
    let mut streams: Vec<(Events, usize)> =
        (0..STREAMS).map(|at| (Events::open(&broker, &format!("/{}", keys[at % 2])), at % 2)).collect();
    for (viewer, _) in &mut sleepers {
        viewer.snapshot();
    }
    let mut witness = Witness::of(&broker);
    let memory = Memory::of(&broker);
    // 24 MiB past each of them, 9 GiB past all, if anybody kept it.
    witness.during(|| {
        thread::scope(|scope| {
            keys.map(|key| scope.spawn(|| write_past(&broker, &[key])))
                .map(|producer| producer.join().unwrap())
        });
    });
    memory.assert_grew_less_than_mib(24);
    for (viewer, _) in &mut sleepers {
        assert_ends_on(&viewer.records_until(|record| record.rev == WRITES), WRITES);
    }
    for (events, _) in &mut streams {
        let mut seen: Vec<Record> = Vec::new();
        while seen.last().is_none_or(|record| record.rev < WRITES) {
            let event = events.event();
            if event.name == "message" {
                seen.push(Record::parse(&event.data));
            }
        }
        // The snapshot of a key without a state is revision 0.
        assert_ends_on(&seen, WRITES);
    }
    witness.round();
    drop((sleepers, streams));
    broker.ask(Request::new("GET", "/readyz")).expect(200);
    witness.end_with(broker);
}
