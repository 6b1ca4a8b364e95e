//! Rates of writes: by the key that is written, by the API key that writes.
//!
//! Always true: a write that was told 429 changed nothing.
//!
//! Read first: `guards/mod.rs`.

use crate::harness::viewer::assert_rising;
use crate::harness::{Answer, Http, PATIENCE, Setup, Viewer, delete, get, patch, put};

/// A write that may be too fast: whether it was.
#[track_caller]
fn is_too_fast(answer: Answer, most: usize) -> bool {
    if answer.status() != 429 {
        assert!(matches!(answer.status(), 200 | 201 | 204), "{}", answer.status());
        return false;
    }
    assert_eq!(answer.field("Retry-After"), Some("1"));
    assert!(!answer.head.says_close(), "the connection goes on");
    let trouble = answer.trouble(429);
    assert_eq!(trouble.code, "too_fast");
    trouble.names(most);
    true
}

/// Writes until the time that the answer named has passed.
#[track_caller]
fn write_when_allowed(producer: &mut Http, key: &str) {
    let began = std::time::Instant::now();
    while is_too_fast(producer.ask(&put(key, "\"late\"")), 5) {
        assert!(began.elapsed() < PATIENCE, "it is never allowed again");
    }
}

#[test]
fn a_key_is_written_as_often_as_it_may_and_others_are_not_concerned() {
    for cores in [1, 2] {
        let broker = Setup::cores(cores).limit("writes_per_key", "5").start();
        let mut viewer = Viewer::open(&broker, "/busy");
        viewer.snapshot();
        // Over several connections and so, with two cores, from both: the owner of the key counts.
        let mut producers = broker.connections(4);
        let mut taken = 0;
        for n in 1..=40 {
            let answer = producers[n % 4].ask(&put("busy", &n.to_string()));
            taken += u64::from(!is_too_fast(answer, 5));
        }
        assert!((5..40).contains(&taken), "{taken} of 40 at 5 a second");
        assert!(is_too_fast(producers[0].ask(&patch("busy", "{}")), 5));
        assert!(is_too_fast(producers[1].ask(&delete("busy")), 5));
        let kept = producers[2].ask(&get("busy")).expect(200).record();
        assert_eq!(kept.rev, taken, "each that was taken is a revision, and no other is");
        for n in 0..5 {
            producers[3].ask(&put(&format!("calm-{n}"), "1")).expect(201);
        }
        write_when_allowed(&mut producers[0], "busy");
        let seen = viewer.records_until(|record| record.data == "\"late\"");
        assert_rising(&seen);
        assert_eq!(seen.last().unwrap().rev, taken + 1);
        broker.stop();
    }
}

#[test]
fn an_api_key_that_runs_away_is_held_back_before_its_body_is_read() {
    let broker = Setup::cores(1).limit("writes_per_api_key", "5").start();
    let mut producer = broker.http();
    let mut taken = 0;
    for n in 0..40 {
        taken += u64::from(!is_too_fast(producer.ask(&put(&format!("many-{n}"), "1")), 5));
    }
    assert!((5..40).contains(&taken), "{taken} of 40 at 5 a second");
    producer.ask(&get("many-0")).expect(200);
    producer.ask(&get("many-39")).trouble(404);
    // A body that would be waited for is refused with its head.
    let large = put("many-0", &format!("\"{}\"", "x".repeat(100_000)));
    while !is_too_fast(producer.ask(&put("many-0", "1")), 5) {}
    producer.send(&large.field("Expect", "100-continue").head_bytes());
    producer.answer().trouble(429);
    write_when_allowed(&mut broker.http(), "many-39");
    broker.stop();
}
