//! The well-behaved ones: a producer and four viewers who go on while others misbehave.
//!
//! Always true: each state is seen by every viewer, as the next thing it sees, before the following one is
//! written. So nothing is late, lost, out of order or conflated for somebody who keeps up.
//!
//! Read first: `harness/viewer.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{Broker, Http, Viewer, fresh, put};

/// How many viewers watch: enough to have some on each of two or four cores, mostly.
const VIEWERS: usize = 4;

/// A producer and its viewers.
pub struct Witness {
    key: String,
    producer: Http,
    viewers: Vec<Viewer>,
    written: u64,
}

impl Witness {
    /// Connects all of them, on a key of their own.
    #[track_caller]
    pub fn of(broker: &Broker) -> Witness {
        let key = fresh("witness");
        let mut viewers: Vec<Viewer> =
            (0..VIEWERS).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
        for viewer in &mut viewers {
            viewer.snapshot();
        }
        Witness { key, producer: broker.http(), viewers, written: 0 }
    }

    /// One over these connections: where it matters which cores they are on.
    #[track_caller]
    pub fn with(key: String, producer: Http, mut viewers: Vec<Viewer>) -> Witness {
        let written = viewers.iter_mut().map(|viewer| viewer.snapshot().0[0].rev).max().unwrap_or(0);
        Witness { key, producer, viewers, written }
    }

    /// One state is written, and seen by all.
    #[track_caller]
    pub fn round(&mut self) {
        let answer = self.producer.ask(&put(&self.key, &(self.written + 1).to_string()));
        self.written += 1;
        assert!(matches!(answer.status(), 200 | 201), "{}", answer.status());
        for viewer in &mut self.viewers {
            let record = viewer.record();
            assert_eq!((record.rev, record.text.as_str()), (self.written, answer.text()));
        }
    }

    /// Goes on all the while, and once more afterwards. Gives back what came of it, and how many rounds it was.
    #[track_caller]
    pub fn during<T>(&mut self, act: impl FnOnce() -> T) -> (T, u64) {
        let (is_over, before) = (AtomicBool::new(false), self.written);
        let outcome = thread::scope(|scope| {
            let rounds = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    self.round();
                }
                self.round();
            });
            // Ends the rounds when `act` fails, too; else the scope would wait for ever.
            let over = Over(&is_over);
            let outcome = act();
            drop(over);
            rounds.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome
        });
        (outcome, self.written - before)
    }

    /// Asks the broker to stop: all viewers are told so, and it ends well.
    #[track_caller]
    pub fn end_with(mut self, broker: Broker) {
        self.round();
        broker.signal(Signal::SIGTERM);
        for viewer in &mut self.viewers {
            assert_eq!(viewer.closed(), 1012);
        }
        drop(self);
        let (code, stderr) = broker.ended();
        assert_eq!(code, 0, "{stderr}");
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
