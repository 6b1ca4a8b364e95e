//! A quiet key among busy ones.
//!
//! Always true: its single change waits for at most one turn of the others.
//!
//! Read first: `promises/mod.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::{Broker, Viewer, fresh, fresh_keys, prefix_of, put};

crate::on_1_2_4_cores!(a_quiet_key_gets_its_turn, a_turn_of_many_keys_repeats_none,);

fn a_quiet_key_gets_its_turn(broker: &Broker) {
    let busy = fresh_keys("busy", 4);
    let quiet = fresh("quiet");
    let state = format!("\"{}\"", "x".repeat(5_000));
    let done = AtomicBool::new(false);
    let mut viewer = Viewer::open(broker, &format!("?keys={},{quiet}", busy.join(",")));
    viewer.snapshot();
    thread::scope(|scope| {
        for key in &busy {
            let (state, done) = (&state, &done);
            scope.spawn(move || {
                let mut producer = broker.http();
                while !done.load(Ordering::Relaxed) {
                    producer.ask(&put(key, state));
                }
            });
        }
        for n in 1..=20 {
            broker.ask(put(&quiet, "\"a single change\""));
            let seen = viewer.records_until(|record| record.key == quiet);
            assert_eq!(seen.last().unwrap().rev, n);
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn a_turn_of_many_keys_repeats_none(broker: &Broker) {
    // A viewer that sleeps is owed each of the keys once, however often the first of them changed.
    let keys = fresh_keys("turn", 40);
    let prefix = format!("{}*", prefix_of(&keys));
    let large = format!("\"{}\"", "x".repeat(200_000));
    let mut viewer = Viewer::open(broker, &format!("/{prefix}"));
    viewer.snapshot();
    let mut producer = broker.http();
    for round in 0..4 {
        for key in &keys {
            producer.ask(&put(key, &large));
        }
        for _ in 0..10 {
            producer.ask(&put(&keys[0], &format!("{round}")));
        }
    }
    let last = producer.ask(&put(&keys[39], "\"last\"")).record();
    let seen = viewer.records_until(|record| record.text == last.text);
    // 8 MB a round do not fit a socket: most of what was written has been replaced before it left.
    let of_first = seen.iter().filter(|record| record.key == keys[0]).count();
    let of_second = seen.iter().filter(|record| record.key == keys[1]).count();
    assert!(of_second <= 4, "{of_second} of at most 4");
    assert!(of_first <= 44, "{of_first}");
    for key in &keys[1..39] {
        assert!(
            seen.iter().any(|record| record.key == *key && record.rev == 4) || {
                viewer.records_until(|record| record.key == *key).last().unwrap().rev == 4
            }
        );
    }
}
