//! Streams of a prefix, and of several patterns.
//!
//! Always true: the snapshot holds each watched key that has a state exactly once.
//!
//! Read first: `streams/single.rs`.

use super::viewers;
use crate::harness::{Broker, Record, Viewer, delete, fresh, fresh_keys, prefix_of, put};

crate::on_1_2_4_cores!(
    a_prefix_shows_what_is_there_and_what_is_yet_to_come,
    a_prefix_leaves_deleted_keys_out_of_its_snapshot,
    a_prefix_is_a_prefix_and_nothing_more,
    several_keys_come_over_one_socket,
    overlapping_patterns_give_one_frame_per_change,
    everything_can_be_watched,
    a_prefix_of_many_keys_has_a_whole_snapshot,
);

fn keys_of(records: &[Record]) -> Vec<String> {
    let mut keys: Vec<String> = records.iter().map(|record| record.key.clone()).collect();
    keys.sort();
    keys
}

fn a_prefix_shows_what_is_there_and_what_is_yet_to_come(broker: &Broker) {
    let keys = fresh_keys("prefix", 24);
    let prefix = prefix_of(&keys);
    for key in &keys[..12] {
        broker.ask(put(key, "1")).expect(201);
    }
    let mut viewers = viewers(broker, &format!("/{prefix}*"));
    for viewer in &mut viewers {
        assert_eq!(keys_of(&viewer.snapshot().0), keys[..12]);
    }
    for key in &keys {
        let written = broker.ask(put(key, "2"));
        for viewer in &mut viewers {
            assert_eq!(viewer.record().text, written.text());
        }
    }
    broker.ask(delete(&keys[20])).expect(204);
    for viewer in &mut viewers {
        let record = viewer.record();
        assert_eq!((record.key.as_str(), record.deleted), (keys[20].as_str(), true));
    }
}

fn a_prefix_leaves_deleted_keys_out_of_its_snapshot(broker: &Broker) {
    let keys = fresh_keys("prefix-deleted", 6);
    let prefix = prefix_of(&keys);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    broker.ask(delete(&keys[0])).expect(204);
    broker.ask(delete(&keys[3])).expect(204);
    for mut viewer in viewers(broker, &format!("/{prefix}*")) {
        let (records, _) = viewer.snapshot();
        let living: Vec<Record> = records.into_iter().filter(|record| !record.deleted).collect();
        assert_eq!(keys_of(&living), [1, 2, 4, 5].map(|at: usize| keys[at].clone()));
    }
    let mut empty = Viewer::open(broker, &format!("/{}*", fresh("nobody")));
    assert!(empty.snapshot().0.is_empty());
}

fn a_prefix_is_a_prefix_and_nothing_more(broker: &Broker) {
    let stem = fresh("exactly");
    let [inside, edge, outside] = [format!("{stem}-a"), format!("{stem}-"), stem.clone()];
    let mut viewer = Viewer::open(broker, &format!("/{stem}-*"));
    viewer.snapshot();
    for n in 1..=3 {
        broker.ask(put(&outside, "1"));
        broker.ask(put(&edge, "1"));
        assert_eq!((viewer.record().key, n), (edge.clone(), n), "the prefix itself is a key with it");
        broker.ask(put(&inside, "1"));
        assert_eq!(viewer.record().key, inside);
    }
}

fn several_keys_come_over_one_socket(broker: &Broker) {
    let keys = fresh_keys("several", 8);
    let [prefixed_a, prefixed_b] = [fresh("several-prefix"), fresh("several-prefix")];
    for key in keys.iter().chain([&prefixed_a]) {
        broker.ask(put(key, "1")).expect(201);
    }
    let patterns = format!("?keys={},several-prefix-*", keys[..6].join(","));
    let mut viewers = viewers(broker, &patterns);
    for viewer in &mut viewers {
        let seen = keys_of(&viewer.snapshot().0);
        assert!(keys[..6].iter().all(|key| seen.contains(key)) && seen.contains(&prefixed_a));
        assert!(!seen.contains(&keys[6]) && !seen.contains(&keys[7]));
    }
    for key in &keys {
        broker.ask(put(key, "2")).expect(200);
    }
    let last = broker.ask(put(&prefixed_b, "3")).expect(201).record();
    for viewer in &mut viewers {
        // Different keys may overtake each other, so they are gathered.
        let mut seen: Vec<Record> = (0..7).map(|_| viewer.record()).collect();
        seen.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(keys_of(&seen)[..6], keys[..6]);
        assert_eq!(seen[6], last);
    }
}

fn overlapping_patterns_give_one_frame_per_change(broker: &Broker) {
    let stem = fresh("overlap");
    let key = format!("{stem}-a");
    broker.ask(put(&key, "0")).expect(201);
    let mut viewers = viewers(broker, &format!("?keys={key},{stem}*,{stem}-*,{key}"));
    for viewer in &mut viewers {
        let (records, _) = viewer.snapshot();
        assert_eq!(keys_of(&records).join(" "), key, "once in the snapshot, too");
    }
    for n in 2..=20 {
        broker.ask(put(&key, "1")).expect(200);
        for viewer in &mut viewers {
            assert_eq!(viewer.record().rev, n);
        }
    }
}

fn everything_can_be_watched(broker: &Broker) {
    let key = fresh("everything");
    let mut viewer = Viewer::open(broker, "/*");
    viewer.snapshot();
    let written = broker.ask(put(&key, "1")).expect(201);
    let seen = viewer.records_until(|record| record.key == key);
    assert_eq!(seen.last().unwrap().text, written.text());
}

fn a_prefix_of_many_keys_has_a_whole_snapshot(broker: &Broker) {
    let keys = fresh_keys("whole", 1_500);
    let prefix = prefix_of(&keys);
    let state = format!("\"{}\"", "x".repeat(1_000));
    let mut producer = broker.http();
    for hundred in keys.chunks(100) {
        let bytes: Vec<u8> = hundred.iter().flat_map(|key| put(key, &state).bytes()).collect();
        producer.send(&bytes);
        for _ in hundred {
            producer.answer().expect(201);
        }
    }
    for mut viewer in viewers(broker, &format!("/{prefix}*")) {
        // More than a socket takes at once, and more than a page of a list.
        assert_eq!(keys_of(&viewer.snapshot().0), keys);
    }
}
