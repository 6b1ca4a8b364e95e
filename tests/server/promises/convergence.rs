//! Many viewers and many producers, all at once: everyone ends on the last revision.
//!
//! Always true: revisions only rise, whatever is skipped.
//!
//! Read first: `promises/mod.rs`.

use std::collections::BTreeMap;
use std::thread;

use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Dice, Viewer, delete, fresh, fresh_keys, get, patch, prefix_of, put};

crate::on_1_2_4_cores!(
    two_hundred_viewers_end_on_the_last_revision,
    many_keys_and_many_producers_converge,
    every_change_of_a_slow_pace_is_seen_by_all,
);

fn two_hundred_viewers_end_on_the_last_revision(broker: &Broker) {
    let key = fresh("two-hundred");
    let mut viewers: Vec<Viewer> = (0..200).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut producer = broker.http();
                for n in 0..100 {
                    producer.ask(&put(&key, &n.to_string()));
                }
            });
        }
        for some in viewers.chunks_mut(50) {
            scope.spawn(|| {
                for viewer in some {
                    viewer.snapshot();
                }
            });
        }
    });
    let last = broker.ask(put(&key, "\"last\"")).record();
    assert_eq!(last.rev, 301);
    for viewer in &mut viewers {
        // The snapshot may have been the last of the three hundred, but not this one.
        let seen = viewer.records_until(|record| record.rev == last.rev);
        assert_rising(&seen);
        assert_eq!(seen.last().unwrap(), &last);
    }
}

fn many_keys_and_many_producers_converge(broker: &Broker) {
    let keys = fresh_keys("converge", 12);
    let prefix = format!("{}*", prefix_of(&keys));
    let mut viewers: Vec<Viewer> = (0..8).map(|_| Viewer::open(broker, &format!("/{prefix}"))).collect();
    viewers.extend((0..4).map(|_| Viewer::open(broker, &format!("?keys={}", keys.join(",")))));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    thread::scope(|scope| {
        for seed in 0..3 {
            let keys = &keys;
            scope.spawn(move || {
                let (mut producer, mut dice) = (broker.http(), Dice(seed));
                for n in 0..300 {
                    let key = &keys[dice.below(keys.len())];
                    let request = match dice.below(8) {
                        0 => delete(key),
                        1 | 2 => patch(key, &format!("{{\"n\":{n}}}")),
                        _ => put(key, &format!("{{\"n\":{n}}}")),
                    };
                    producer.ask(&request);
                }
            });
        }
    });
    // A last word on each key, so that its end is known.
    let last: BTreeMap<String, String> =
        keys.iter().map(|key| (key.clone(), broker.ask(put(key, "\"last\"")).text().to_string())).collect();
    for viewer in &mut viewers {
        let (mut newest, mut left) = (BTreeMap::new(), keys.len());
        while left > 0 {
            let record = viewer.record();
            assert!(newest.insert(record.key.clone(), record.rev) < Some(record.rev), "monotonic per key");
            left -= usize::from(last[&record.key] == record.text);
        }
    }
    for key in &keys {
        assert_eq!(broker.ask(get(key)).text(), last[key]);
    }
}

fn every_change_of_a_slow_pace_is_seen_by_all(broker: &Broker) {
    let key = fresh("slow-pace");
    let mut viewers: Vec<Viewer> = (0..30).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    for rev in 1..=20 {
        let written = broker.ask(put(&key, &rev.to_string()));
        for viewer in &mut viewers {
            assert_eq!(viewer.record().text, written.text());
        }
    }
}
