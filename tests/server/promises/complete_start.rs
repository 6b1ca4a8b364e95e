//! A viewer that arrives in the middle of things.
//!
//! Always true: the snapshot and the changes after it leave no gap.
//!
//! Read first: `promises/mod.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Viewer, fresh, fresh_keys, get, prefix_of, put};

crate::on_1_2_4_cores!(
    a_viewer_that_arrives_amid_writes_misses_nothing,
    what_was_acknowledged_before_the_start_is_in_the_snapshot,
    a_prefix_that_grows_while_it_is_first_watched_is_whole,
);

fn a_viewer_that_arrives_amid_writes_misses_nothing(broker: &Broker) {
    const WRITES: u64 = 400;
    let key = fresh("amid");
    thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let mut producer = broker.http();
            for n in 1..=WRITES {
                producer.ask(&put(&key, &n.to_string()));
            }
        });
        let mut viewers = Vec::new();
        while !producer.is_finished() && viewers.len() < 60 {
            viewers.push(Viewer::open(broker, &format!("/{key}")));
        }
        producer.join().unwrap();
        for viewer in &mut viewers {
            let mut seen = viewer.snapshot().0;
            assert_eq!(seen.len(), 1, "one key has one record in the snapshot");
            if seen[0].rev < WRITES {
                seen.extend(viewer.records_until(|record| record.rev == WRITES));
            }
            assert_rising(&seen);
        }
    });
}

fn what_was_acknowledged_before_the_start_is_in_the_snapshot(broker: &Broker) {
    let mut producer = broker.http();
    for key in fresh_keys("before", 20) {
        for n in 1..=3 {
            let written = producer.ask(&put(&key, &n.to_string()));
            let mut viewer = Viewer::open(broker, &format!("/{key}"));
            assert_eq!(viewer.record().text, written.text());
        }
    }
}

fn a_prefix_that_grows_while_it_is_first_watched_is_whole(broker: &Broker) {
    let keys = fresh_keys("grows", 200);
    let prefix = format!("{}*", prefix_of(&keys));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut producer = broker.http();
            for key in &keys {
                producer.ask(&put(key, "1")).expect(201);
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut viewers = Vec::new();
        while !done.load(Ordering::Relaxed) && viewers.len() < 40 {
            viewers.push(Viewer::open(broker, &format!("/{prefix}")));
        }
        for viewer in &mut viewers {
            let mut seen: Vec<String> = viewer.snapshot().0.into_iter().map(|record| record.key).collect();
            while seen.len() < keys.len() {
                seen.push(viewer.record().key);
            }
            seen.sort();
            assert_eq!(seen, keys, "each of them once: in the snapshot, or after it");
        }
    });
    broker.ask(get(&keys[199])).expect(200);
}
