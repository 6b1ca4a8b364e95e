//! Limits on states: how many, how much memory, how large, how deep.
//!
//! Always true: a refused write leaves everything as it was; a deletion makes room.
//!
//! Read first: `limits/mod.rs`.

use crate::harness::{Broker, Request, Setup, delete, get, patch, put};

#[test]
fn keys_are_counted_per_core() {
    let broker = Setup::cores(1).limit("keys", "3").start();
    for key in ["a", "b", "c"] {
        broker.ask(put(key, "1")).expect(201);
    }
    for _ in 0..3 {
        broker.ask(put("d", "1")).trouble(507).names(3);
        broker.ask(patch("d", "{}")).trouble(507).names(3);
    }
    broker.ask(get("d")).trouble(404);
    broker.ask(put("b", "2")).expect(200);
    broker.ask(delete("b")).expect(204);
    broker.ask(put("d", "1")).expect(201);
    broker.ask(put("b", "1")).trouble(507);
    broker.stop();
}

#[test]
fn keys_on_several_cores_fill_up_one_by_one() {
    let broker = Setup::cores(4).limit("keys", "5").start();
    let (mut made, mut refused) = (0, 0);
    for at in 0..60 {
        match broker.ask(put(&format!("k{at}"), "1")).status() {
            201 => made += 1,
            507 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(made <= 20 && refused >= 40, "{made} made");
    assert!(made > 5, "the limit is each core's own");
    broker.stop();
}

fn fill_memory(broker: &Broker, state: &str) -> usize {
    let mut made = 0;
    loop {
        let answer = broker.ask(put(&format!("m{made}"), state));
        match answer.status() {
            201 => made += 1,
            507 => {
                answer.trouble(507).names(256 * 1024);
                return made;
            }
            other => panic!("{other}"),
        }
        assert!(made < 1_000, "memory for states has no end");
    }
}

#[test]
fn memory_for_states_is_bounded() {
    for cores in [1, 2, 4] {
        let broker =
            Setup::cores(cores).limit("state_bytes", "64 KiB").limit("state_memory", "256 KiB").start();
        let state = format!("\"{}\"", "x".repeat(10_000));
        let made = fill_memory(&broker, &state);
        assert!((2..=26).contains(&made), "{made} states of 10,000 bytes in 256 KiB on {cores} cores");
        // What is there can be read, replaced by something smaller, and deleted.
        broker.ask(get("m0")).expect(200);
        broker.ask(put("m0", "1")).expect(200);
        for at in 1..made {
            broker.ask(delete(&format!("m{at}"))).expect(204);
        }
        broker.ask(put("m1", &state)).expect(201);
        broker.stop();
    }
}

#[test]
fn a_refused_replacement_keeps_the_old_state() {
    let broker = Setup::cores(1).limit("state_bytes", "64 KiB").limit("state_memory", "128 KiB").start();
    broker.ask(put("old", "\"old\"")).expect(201);
    let large = format!("\"{}\"", "x".repeat(60_000));
    let mut at = 0;
    while broker.ask(put(&format!("filler{at}"), &large)).status() == 201 {
        at += 1;
    }
    broker.ask(put("old", &large)).trouble(507);
    let record = broker.ask(get("old")).record();
    assert_eq!((record.rev, record.data.as_str()), (1, "\"old\""));
}

#[test]
fn size_depth_and_fields_can_be_set() {
    let broker = Setup::cores(2)
        .limit("state_bytes", "1 KiB")
        .limit("nesting", "3")
        .limit("head_bytes", "2 KiB")
        .limit("head_fields", "8")
        .start();
    broker.ask(put("s", &format!("\"{}\"", "x".repeat(1_022)))).expect(201);
    broker.ask(put("s", &format!("\"{}\"", "x".repeat(1_023)))).trouble(413).names(1_024);
    broker.ask(put("s", "[[[0]]]")).expect(200);
    broker.ask(put("s", "[[[[0]]]]")).trouble(413).names(3);
    let mut connection = broker.http();
    connection.try_send(&put("s", &format!("\"{}\"", "x".repeat(6_000))).bytes());
    connection.answer().trouble(413).names(5 * 1_024);
    broker.ask(get("s").field("X", &"x".repeat(2_048))).trouble(431).names(2_048);
    let many =
        (2..9).fold(Request::new("GET", "/healthz"), |request, at| request.field(&format!("X-{at}"), "y"));
    broker.ask(many).trouble(431).names(8);
    broker.stop();
}

#[test]
fn revisions_stay_above_a_forgotten_tombstone() {
    let broker = Setup::cores(1).limit("tombstones", "2").start();
    for rev in [1, 3, 5, 7] {
        assert_eq!(broker.ask(put("first", "1")).record().rev, rev);
        broker.ask(delete("first")).expect(204);
    }
    // Two more deletions push the oldest out.
    for key in ["second", "third"] {
        broker.ask(put(key, "1")).expect(201);
        broker.ask(delete(key)).expect(204);
    }
    let again = broker.ask(put("first", "1")).expect(201).record();
    assert!(again.rev > 8, "a key made again starts above the highest forgotten rev: {}", again.rev);
}
