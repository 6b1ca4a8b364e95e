//! Viewers that do not read while the world goes on.
//!
//! Always true: they cost a bounded amount, slow nobody, and find the newest state when they read again.
//!
//! Read first: `promises/mod.rs`.

use std::slice::from_ref;
use std::thread;

use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Events, Record, Setup, Viewer, delete, prefix_of, put};

const WRITES: u64 = 2_000;

/// 20 KiB of state with a number in front.
fn state(n: u64) -> String {
    format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(20 * 1024))
}

/// Writes so many states to each key, several at a time.
fn write_many(broker: &Broker, keys: &[String], writes: u64) {
    let mut producer = broker.http();
    for batch in 0..writes / 10 {
        for key in keys {
            let bytes: Vec<u8> = (0..10).flat_map(|n| put(key, &state(batch * 10 + n + 1)).bytes()).collect();
            producer.send(&bytes);
            for _ in 0..10 {
                assert!(matches!(producer.answer().status(), 200 | 201));
            }
        }
    }
}

fn a_viewer_that_reads_nothing_costs_little(cores: usize) {
    let broker = Setup::cores(cores).start();
    let key = "slow".to_string();
    let mut slow: Vec<Viewer> = (0..4).map(|_| Viewer::open(&broker, "/slow")).collect();
    let mut slow_events: Vec<Events> = (0..4).map(|_| Events::open(&broker, "/slow")).collect();
    let mut fast = Viewer::open(&broker, "/slow");
    for viewer in slow.iter_mut().chain([&mut fast]) {
        viewer.snapshot();
    }
    write_many(&broker, from_ref(&key), 200);
    let before = broker.resident_kib();
    thread::scope(|scope| {
        let reader = scope.spawn(|| fast.records_until(|record| record.rev == WRITES + 200));
        write_many(&broker, from_ref(&key), WRITES);
        let seen = reader.join().unwrap();
        assert_rising(&seen);
    });
    let grown = broker.resident_kib().saturating_sub(before);
    // 40 MiB were written past eight viewers who read none of it.
    assert!(grown < 8 * 1024, "grew by {grown} KiB");
    for viewer in &mut slow {
        let seen = viewer.records_until(|record| record.rev == WRITES + 200);
        assert_rising(&seen);
        assert!(seen.len() < 600, "{} old revisions were kept for a viewer that did not read", seen.len());
    }
    for events in &mut slow_events {
        let mut last = 0;
        while last < WRITES + 200 {
            let event = events.event();
            if event.name == "message" {
                let record = Record::parse(&event.data);
                assert!(record.rev >= last);
                last = record.rev;
            }
        }
    }
    broker.stop();
}

#[test]
fn a_viewer_that_reads_nothing_costs_little_on_1_core() {
    a_viewer_that_reads_nothing_costs_little(1);
}

#[test]
fn a_viewer_that_reads_nothing_costs_little_on_2_cores() {
    a_viewer_that_reads_nothing_costs_little(2);
}

#[test]
fn a_viewer_that_reads_nothing_costs_little_on_4_cores() {
    a_viewer_that_reads_nothing_costs_little(4);
}

crate::on_1_2_4_cores!(
    a_deletion_is_not_lost_while_a_viewer_sleeps,
    a_key_made_again_while_a_viewer_sleeps_is_there,
    a_slow_viewer_holds_nobody_up,
);

fn a_deletion_is_not_lost_while_a_viewer_sleeps(broker: &Broker) {
    let keys = crate::harness::fresh_keys("sleep-deletion", 3);
    let prefix = format!("{}*", prefix_of(&keys));
    let mut sleepers: Vec<Viewer> = (0..6).map(|_| Viewer::open(broker, &format!("/{prefix}"))).collect();
    for viewer in &mut sleepers {
        viewer.snapshot();
    }
    write_many(broker, &keys, 150);
    for key in &keys {
        broker.ask(delete(key)).expect(204);
    }
    for viewer in &mut sleepers {
        let mut left = keys.clone();
        let mut newest = std::collections::BTreeMap::new();
        while !left.is_empty() {
            let record = viewer.record();
            assert!(newest.insert(record.key.clone(), record.rev) < Some(record.rev), "monotonic per key");
            left.retain(|key| *key != record.key || !record.deleted);
        }
        assert!(newest.values().all(|rev| *rev == 151));
    }
}

fn a_key_made_again_while_a_viewer_sleeps_is_there(broker: &Broker) {
    let key = crate::harness::fresh("sleep-again");
    let mut sleepers: Vec<Viewer> = (0..6).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    for viewer in &mut sleepers {
        viewer.snapshot();
    }
    for _ in 0..10 {
        write_many(broker, from_ref(&key), 20);
        broker.ask(delete(&key)).expect(204);
    }
    let last = broker.ask(put(&key, "\"at last\"")).expect(201).record();
    for viewer in &mut sleepers {
        let seen = viewer.records_until(|record| record.rev == last.rev);
        assert_rising(&seen);
        assert_eq!(seen.last().unwrap(), &last);
    }
}

fn a_slow_viewer_holds_nobody_up(broker: &Broker) {
    let key = crate::harness::fresh("slow-company");
    let mut sleepers: Vec<Viewer> = (0..12).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    let mut awake: Vec<Viewer> = (0..6).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    for viewer in sleepers.iter_mut().chain(&mut awake) {
        viewer.snapshot();
    }
    write_many(broker, from_ref(&key), 200);
    // The sleepers' sockets are full by now. Those who read still get each change before the next one.
    for viewer in &mut awake {
        viewer.records_until(|record| record.rev == 200);
    }
    for n in 201..=230 {
        broker.ask(put(&key, &state(n))).expect(200);
        for viewer in &mut awake {
            assert_eq!(viewer.record().rev, n);
        }
    }
}
