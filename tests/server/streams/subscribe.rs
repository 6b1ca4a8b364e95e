//! `subscribe` and `unsubscribe` on an open socket.
//!
//! Always true: a message takes effect whole or not at all.
//!
//! Read first: `streams/several.rs`.

use super::viewers;
use crate::harness::{Broker, Record, Seen, Synced, Viewer, delete, fresh, fresh_keys, prefix_of, put};

crate::on_1_2_4_cores!(
    a_subscription_gets_its_own_snapshot,
    a_subscription_brings_the_changes,
    subscribing_again_sends_the_record_again,
    an_unsubscribed_key_is_silent,
    both_in_one_message_unsubscribe_first,
    all_or_nothing,
    a_prefix_can_be_subscribed_to,
    leaving_one_of_two_patterns_keeps_the_other,
    a_stream_may_be_left_empty_and_filled_again,
    what_is_owed_of_unsubscribed_keys_is_forgotten,
    what_was_given_up_says_where_it_begins_again,
    even_no_pattern_is_answered,
    commands_and_changes_at_once,
);

fn subscribe(patterns: &[&str]) -> String {
    format!("{{\"subscribe\":{patterns:?}}}")
}

fn unsubscribe(patterns: &[&str]) -> String {
    format!("{{\"unsubscribe\":{patterns:?}}}")
}

fn living(records: Vec<Record>) -> Vec<String> {
    let living = records.into_iter().filter(|record| record.rev > 0 && !record.deleted);
    living.map(|record| record.key).collect()
}

fn a_subscription_gets_its_own_snapshot(broker: &Broker) {
    let keys = fresh_keys("subscribe", 4);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={}", keys[0]));
        let (first, first_synced) = viewer.snapshot();
        assert_eq!(living(first), [keys[0].clone()]);
        viewer.say(&subscribe(&[&keys[2], &keys[3]]));
        let (records, synced) = viewer.snapshot();
        let mut seen = living(records);
        seen.sort();
        assert_eq!(seen, keys[2..], "what was watched before is not sent again");
        assert_eq!(synced.keys, keys[2..], "and it says for which");
        assert_eq!(synced.epoch, first_synced.epoch);
    }
}

fn what_was_given_up_says_where_it_begins_again(broker: &Broker) {
    let keys = fresh_keys("begins", 2);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={}", keys[0]));
        let (_, first) = viewer.snapshot();
        viewer.say(&format!("{{\"unsubscribe\":[{:?}],\"subscribe\":{keys:?}}}", keys[0]));
        let expected = Synced { epoch: first.epoch, keys: keys.clone() };
        assert_eq!(viewer.next(), Seen::Syncing(expected.clone()));
        let mut seen = [viewer.record().key, viewer.record().key];
        seen.sort();
        assert_eq!(seen.as_slice(), keys);
        assert_eq!(viewer.synced(), expected);
    }
}

fn even_no_pattern_is_answered(broker: &Broker) {
    let mut viewer = Viewer::open(broker, &format!("?keys={}", fresh("nobody")));
    viewer.snapshot();
    viewer.say(&subscribe(&[]));
    assert!(viewer.synced().keys.is_empty(), "whoever asks whether the broker lives hears of it");
}

fn a_subscription_brings_the_changes(broker: &Broker) {
    let keys = fresh_keys("subscribe-changes", 8);
    let mut viewers = viewers(broker, &format!("?keys={}", fresh("unrelated")));
    for viewer in &mut viewers {
        viewer.snapshot();
        for key in &keys {
            viewer.say(&subscribe(&[key]));
            let (records, synced) = viewer.snapshot();
            assert!(living(records).is_empty());
            assert_eq!(synced.keys.join(" "), *key);
        }
    }
    for key in &keys {
        let written = broker.ask(put(key, "1")).expect(201);
        for viewer in &mut viewers {
            assert_eq!(viewer.record().text, written.text());
        }
    }
}

fn subscribing_again_sends_the_record_again(broker: &Broker) {
    let key = fresh("again");
    let written = broker.ask(put(&key, "1")).expect(201);
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={key}"));
        viewer.snapshot();
        for _ in 0..3 {
            viewer.say(&subscribe(&[&key]));
            let (records, synced) = viewer.snapshot();
            assert_eq!(records.len(), 1);
            assert_eq!(records[0].text, written.text());
            assert_eq!(synced.keys.join(" "), *key);
        }
    }
}

fn an_unsubscribed_key_is_silent(broker: &Broker) {
    let keys = fresh_keys("unsubscribe", 8);
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={}", keys.join(",")));
        viewer.snapshot();
        viewer.say(&unsubscribe(&[&keys[1], &keys[2]]));
        // The snapshot of the next command comes after the one before was obeyed.
        viewer.say(&subscribe(&[&keys[0]]));
        viewer.snapshot();
        for _ in 0..3 {
            broker.ask(put(&keys[1], "\"unwatched\""));
            broker.ask(put(&keys[2], "\"unwatched\""));
            for key in [&keys[0], &keys[7]] {
                broker.ask(put(key, "\"watched\""));
                assert_eq!(&viewer.record().key, key);
            }
        }
    }
}

fn both_in_one_message_unsubscribe_first(broker: &Broker) {
    let [stays, goes] = [fresh("both-stays"), fresh("both-goes")];
    broker.ask(put(&stays, "1")).expect(201);
    broker.ask(put(&goes, "1")).expect(201);
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={stays},{goes}"));
        viewer.snapshot();
        viewer.say(&format!("{{\"subscribe\":[{stays:?}],\"unsubscribe\":[{stays:?},{goes:?}]}}"));
        let (records, synced) = viewer.snapshot();
        assert_eq!((living(records), synced.keys), (vec![stays.clone()], vec![stays.clone()]));
        for _ in 0..3 {
            broker.ask(put(&goes, "2"));
            broker.ask(put(&stays, "2"));
            assert_eq!(viewer.record().key, stays);
        }
    }
}

fn all_or_nothing(broker: &Broker) {
    let [watched, good] = [fresh("nothing-watched"), fresh("nothing-good")];
    broker.ask(put(&good, "1")).expect(201);
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={watched}"));
        viewer.snapshot();
        for text in [
            subscribe(&[&good, "no/key"]),
            subscribe(&[&good, ""]),
            format!("{{\"unsubscribe\":[{watched:?}],\"subscribe\":[{good:?},\"_reserved\"]}}"),
            format!("{{\"unsubscribe\":[{watched:?},\"a b\"],\"subscribe\":[{good:?}]}}"),
        ] {
            viewer.say(&text);
            viewer.trouble();
        }
        for _ in 0..3 {
            broker.ask(put(&good, "2"));
            broker.ask(put(&watched, "2"));
            assert_eq!(viewer.record().key, watched, "still this one, and not the other");
        }
    }
}

fn a_prefix_can_be_subscribed_to(broker: &Broker) {
    let keys = fresh_keys("subscribe-prefix", 12);
    let pattern = format!("{}*", prefix_of(&keys));
    for key in &keys[..6] {
        broker.ask(put(key, "1")).expect(201);
    }
    let mut viewers = viewers(broker, &format!("?keys={}", fresh("unrelated")));
    for viewer in &mut viewers {
        viewer.snapshot();
        viewer.say(&subscribe(&[&pattern]));
        let (records, synced) = viewer.snapshot();
        let mut seen = living(records);
        seen.sort();
        assert_eq!((seen.as_slice(), synced.keys), (&keys[..6], vec![pattern.clone()]));
    }
    for key in &keys[6..] {
        broker.ask(put(key, "1")).expect(201);
        for viewer in &mut viewers {
            assert_eq!(&viewer.record().key, key);
        }
    }
    broker.ask(delete(&keys[0])).expect(204);
    for viewer in &mut viewers {
        assert!(viewer.record().deleted);
        // A pattern is left as it was named; its keys are not named one by one.
        viewer.say(&unsubscribe(&[&pattern]));
    }
}

fn leaving_one_of_two_patterns_keeps_the_other(broker: &Broker) {
    let keys = fresh_keys("two-patterns", 4);
    let prefix = format!("{}*", prefix_of(&keys));
    let mut viewer = Viewer::of(broker, &[&prefix, &keys[1]]);
    viewer.snapshot();
    viewer.say(&unsubscribe(&[&keys[1]]));
    viewer.say(&subscribe(&[&keys[0]]));
    viewer.snapshot();
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
        assert_eq!(&viewer.record().key, key, "the prefix still covers it");
    }
    viewer.say(&unsubscribe(&[&prefix]));
    viewer.say(&subscribe(&[&keys[0]]));
    viewer.snapshot();
    for _ in 0..3 {
        broker.ask(put(&keys[1], "2")).expect(200);
        broker.ask(put(&keys[0], "2")).expect(200);
        assert_eq!(viewer.record().key, keys[0]);
    }
}

fn a_stream_may_be_left_empty_and_filled_again(broker: &Broker) {
    let key = fresh("empty");
    for _ in 0..8 {
        let mut viewer = Viewer::open(broker, &format!("?keys={key}"));
        viewer.snapshot();
        for n in 0..5 {
            viewer.say(&unsubscribe(&[&key]));
            let written = broker.ask(put(&key, &n.to_string()));
            viewer.say(&subscribe(&[&key]));
            // A change that crossed the unsubscribing may still arrive; the snapshot is the newest.
            let (records, _) = viewer.snapshot();
            assert_eq!(records.last().unwrap().text, written.text());
        }
    }
}

fn what_is_owed_of_unsubscribed_keys_is_forgotten(broker: &Broker) {
    let keys = fresh_keys("owed", 100);
    let pattern = format!("{}*", prefix_of(&keys));
    let (other, state) = (fresh("not-owed"), format!("\"{}\"", "x".repeat(250_000)));
    let mut viewer = Viewer::of(broker, &[&pattern]);
    viewer.snapshot();
    let mut producer = broker.http();
    for key in &keys {
        producer.ask(&put(key, &state)).expect(201);
    }
    // Far more is owed than a socket holds when the viewer, who has read none of it, thinks better of it.
    viewer.say(&unsubscribe(&[&pattern]));
    viewer.say(&subscribe(&[&other]));
    let mut large = 0;
    loop {
        match viewer.next() {
            Seen::Record(record) => large += usize::from(record.key != other),
            Seen::Syncing(_) => {}
            Seen::Synced(synced) => break assert_eq!(synced.keys.join(" "), other),
            other => panic!("{other:?}"),
        }
    }
    assert!(large < 60, "{large} large states that nobody wants any more");
}

fn commands_and_changes_at_once(broker: &Broker) {
    const WRITES: u64 = 300;
    let keys = fresh_keys("at-once", 4);
    std::thread::scope(|scope| {
        let keys = &keys;
        for key in keys {
            scope.spawn(move || {
                let mut producer = broker.http();
                for n in 1..=WRITES {
                    producer.ask(&put(key, &n.to_string()));
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(move || {
                let mut viewer = Viewer::of(broker, &[&keys[0]]);
                viewer.snapshot();
                for round in 0..40 {
                    let key = &keys[round % keys.len()];
                    viewer.say(&subscribe(&[key]));
                    viewer.snapshot();
                    viewer.say(&unsubscribe(&[key]));
                }
                // However it came here, it ends on the newest of what it watches last.
                let all: Vec<&str> = keys.iter().map(String::as_str).collect();
                viewer.say(&subscribe(&all));
                let mut left = keys.clone();
                while !left.is_empty() {
                    if let Seen::Record(record) = viewer.next() {
                        left.retain(|key| *key != record.key || record.rev < WRITES);
                    }
                }
            });
        }
    });
}
