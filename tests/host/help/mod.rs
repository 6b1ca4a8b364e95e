//! What these tests do to a machine, and who watches meanwhile.
//!
//! Always true: whatever is done here to threads, namespaces or limits ends with the value that stands for
//! it. No test sleeps: time passes while the witness works, or while something is waited for.
//!
//! Read first: `witness.rs`.

pub mod memory;
pub mod namespace;
pub mod rights;
pub mod stall;
pub mod wire;
pub mod witness;

pub use memory::Memory;
pub use namespace::Namespace;
pub use witness::Witness;

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Broker, Http, PATIENCE, Request, get, put};

/// Raises this process's soft limit on descriptors: a thousand peers need as many here as at the broker.
pub fn make_room_for_peers() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit can be read");
    assert!(hard >= 4_096, "these tests need 4,096 descriptors: raise `ulimit -Hn`, which is {hard}");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the soft limit can be raised to the hard one");
}

/// Lets one second pass by the broker's own clock: a poll that nothing answers earlier.
#[track_caller]
pub fn wait_a_second(asker: &mut Http, key: &str) {
    let etag = asker.ask(&put(key, "1")).etag();
    asker.ask(&get(&format!("{key}?wait=1")).field("If-None-Match", &etag)).expect(304);
}

/// One of the broker's figures (`/metrics`), for each core in turn.
#[track_caller]
pub fn figures(asker: &mut Http, name: &str) -> Vec<u64> {
    let metrics = asker.ask(&Request::new("GET", "/metrics")).expect(200);
    let start = format!("{name}{{core=");
    let lines = metrics.text().lines().filter(|line| line.starts_with(&start));
    lines.map(|line| line.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a figure")).collect()
}

/// Connects until it is served again.
#[track_caller]
pub fn wait_until_served(broker: &Broker) {
    let until = Patience::begin();
    loop {
        let mut next = broker.http();
        next.try_send(&Request::new("GET", "/healthz").bytes());
        if next.answer().status() == 200 {
            return;
        }
        until.check("newcomers are not served again");
    }
}

/// Makes so many things at once, each on a thread of its own: over a slow wire, one after the other takes long.
#[track_caller]
pub fn all_at_once<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let make = &make;
        let makers: Vec<_> = (0..count).map(|at| scope.spawn(move || make(at))).collect();
        makers.into_iter().map(|maker| maker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// Whether an answer, or an end, can be read at once.
pub fn has_answer(peer: &Http) -> bool {
    let stream = peer.stream();
    stream.set_nonblocking(true).expect("a socket can be asked not to wait");
    let came = match stream.peek(&mut [0]) {
        Ok(_) => true,
        Err(why) => why.kind() != std::io::ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).expect("and to wait again");
    came
}

/// A deadline for what is looked at again and again.
pub struct Patience {
    began: Instant,
}

impl Patience {
    /// Begins to wait.
    pub fn begin() -> Patience {
        Patience { began: Instant::now() }
    }

    /// Fails if it has taken too long.
    #[track_caller]
    pub fn check(&self, what: &str) {
        assert!(self.began.elapsed() < PATIENCE * 2, "{what} after {:?}", self.began.elapsed());
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
