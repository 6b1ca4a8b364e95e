//! SIGTERM in the middle of everything.
//!
//! Always true: what was acknowledged is what is read afterwards, for as long as anything can be read; every
//! viewer is told to come back; the exit code is 0 within the time for draining.
//!
//! Read first: `help/witness.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{Broker, Http, Seen, Setup, Viewer, get, put};
use crate::help::Memory;

const KEYS: [&str; 4] = ["load-a", "load-b", "load-c", "load-d"];
const PRODUCERS: usize = 8;
const VIEWERS: usize = 40;
/// As the default; the broker may take that long.
const DRAIN: Duration = Duration::from_secs(5);

/// What was acknowledged: by key and revision, the record.
type Acknowledged = BTreeMap<(String, u64), String>;

/// Writes, ten at a time, until the broker will not have it any more.
fn produce(broker: &Broker, number: usize, writes: &AtomicUsize) -> Acknowledged {
    let (mut connection, mut acknowledged) = (broker.http(), Acknowledged::new());
    for batch in 0.. {
        let states = (0..10).map(|at| format!("\"{number}.{batch}.{at}\""));
        let key = KEYS[(number + batch) % KEYS.len()];
        let states: Vec<String> = states.collect();
        let bytes: Vec<u8> = states.iter().flat_map(|state| put(key, state).bytes()).collect();
        connection.try_send(&bytes);
        for state in &states {
            if connection.peek_some().is_none() {
                return acknowledged;
            }
            let answer = connection.answer();
            if answer.status() == 503 {
                continue;
            }
            assert!(matches!(answer.status(), 200 | 201), "{}", answer.status());
            let record = answer.record();
            assert_eq!(&record.data, state);
            acknowledged.insert((record.key.clone(), record.rev), record.text);
            writes.fetch_add(1, Ordering::Relaxed);
        }
    }
    acknowledged
}

/// Watches until the end: the close code, and the newest record of each key.
fn watch(mut viewer: Viewer) -> (u16, Acknowledged) {
    let mut newest: BTreeMap<String, (u64, String)> = BTreeMap::new();
    loop {
        match viewer.next() {
            Seen::Record(record) => {
                let before = newest.insert(record.key.clone(), (record.rev, record.text));
                assert!(before.is_none_or(|(rev, _)| rev < record.rev), "{} went back", record.key);
            }
            Seen::Syncing(_) | Seen::Synced(_) => {}
            Seen::Trouble(trouble) => panic!("{trouble:?}"),
            Seen::Closed(code) => {
                return (code, newest.into_iter().map(|(key, (rev, text))| ((key, rev), text)).collect());
            }
        }
    }
}

/// A request for each key that is begun and not ended: a stopping broker waits for the rest of it.
fn begun_reads(broker: &Broker) -> Vec<(Http, Vec<u8>)> {
    let begin = |key: &&str| {
        let mut connection = broker.http();
        let bytes = get(key).bytes();
        // The answer to the first request shows that the broker has read as far as the second.
        connection.send(&[get("nothing").bytes(), bytes[..10].to_vec()].concat());
        connection.answer().expect(404);
        (connection, bytes[10..].to_vec())
    };
    KEYS.iter().map(begin).collect()
}

/// Producers go on until the broker has gone: it goes when the test fails.
struct EndsIfThisFails<'b>(&'b Broker);

impl Drop for EndsIfThisFails<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.signal(Signal::SIGKILL);
        }
    }
}

#[track_caller]
fn merge(into: &mut Acknowledged, from: Acknowledged, is_own: bool) {
    for ((key, rev), text) in from {
        let known = into.insert((key.clone(), rev), text.clone());
        assert!(known.is_none() || !is_own, "two writes of {key} were given revision {rev}");
        assert!(known.is_none_or(|known| known == text), "{key} has two records of revision {rev}");
    }
}

fn stopped_under_load(cores: usize) {
    let broker = Setup::cores(cores).start();
    let memory = Memory::of(&broker);
    let mut reads = begun_reads(&broker);
    let viewers: Vec<Viewer> = (0..VIEWERS).map(|_| Viewer::open(&broker, "/load-*")).collect();
    let writes = AtomicUsize::new(0);
    let (acknowledged, seen, began) = thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|number| {
                let (broker, writes) = (&broker, &writes);
                scope.spawn(move || produce(broker, number, writes))
            })
            .collect();
        let _guard = EndsIfThisFails(&broker);
        let mut load = Viewer::open(&broker, "/load-a");
        load.snapshot();
        load.records_until(|record| record.rev >= 500);
        let watching: Vec<_> = viewers.into_iter().map(|viewer| scope.spawn(move || watch(viewer))).collect();
        let began = Instant::now();
        broker.signal(Signal::SIGTERM);
        assert_eq!(load.closed(), 1012);
        drop(load);
        let mut acknowledged = Acknowledged::new();
        for producer in producers {
            merge(&mut acknowledged, producer.join().unwrap(), true);
        }
        let seen: Vec<_> = watching.into_iter().map(|viewer| viewer.join().unwrap()).collect();
        (acknowledged, seen, began)
    });
    assert!(acknowledged.len() >= 500 && acknowledged.len() == writes.load(Ordering::Relaxed));
    let mut all = acknowledged.clone();
    for (code, newest) in seen {
        assert_eq!(code, 1012, "every viewer is told to come back");
        merge(&mut all, newest, false);
    }
    // The producers are gone. What is there now is what was acknowledged last, or newer.
    for (connection, rest) in &mut reads {
        connection.send(rest);
        let record = connection.answer().expect(200).record();
        let last = acknowledged.range(..=(record.key.clone(), u64::MAX)).next_back().expect("it was written");
        assert!(
            last.0.0 == record.key && last.0.1 <= record.rev,
            "{last:?} was acknowledged, not {record:?}"
        );
        merge(&mut all, [((record.key, record.rev), record.text)].into(), false);
    }
    memory.assert_grew_less_than_mib(8);
    drop(reads);
    let (code, stderr) = broker.ended();
    assert_eq!(code, 0, "{stderr}");
    assert!(began.elapsed() < DRAIN + Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn what_was_acknowledged_under_load_is_true_on_1_core() {
    stopped_under_load(1);
}

#[test]
fn what_was_acknowledged_under_load_is_true_on_2_cores() {
    stopped_under_load(2);
}

#[test]
fn what_was_acknowledged_under_load_is_true_on_4_cores() {
    stopped_under_load(4);
}
