//! A clock that is set back by an hour, and forward by two.
//!
//! Always true: `updatedAt` never goes back for a key; nobody is cut off, nothing is late, and no deadline of
//! a connection moves, since these go by a clock that nobody sets. Keys end when the clock says so.
//!
//! Read first: faketime(1): the broker is told another time by a library before it, file by file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{API_KEY, Broker, Record, Setup, Viewer, fresh, put, run_lux};
use crate::help::rights::skip;
use crate::help::{Memory, Witness};

const HOUR_MS: u64 = 3_600_000;
/// Far more than the tests take between two looks at the clock.
const SLACK_MS: u64 = 300_000;

/// Where Debian puts the library.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    let found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.into_iter().find(|path| path.exists())
}

/// A broker's clock, beside this machine's.
struct Clock {
    file: PathBuf,
}

impl Clock {
    fn at(folder: &Path) -> Clock {
        let clock = Clock { file: folder.join("clock") };
        clock.set("+0");
        clock
    }

    /// Sets it so far from the machine's own, in seconds.
    fn set(&self, offset: &str) {
        // Renamed into place, so that nobody reads half of it.
        let aside = self.file.with_extension("new");
        fs::write(&aside, format!("{offset}\n")).expect("a file can be written");
        fs::rename(&aside, &self.file).expect("and renamed");
    }

    fn setup(&self, cores: usize, library: &Path) -> Setup {
        Setup::cores(cores)
            .env("LD_PRELOAD", library.to_str().expect("UTF-8"))
            .env("FAKETIME_TIMESTAMP_FILE", self.file.to_str().expect("UTF-8"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

#[track_caller]
fn write(broker: &Broker, key: &str) -> Record {
    broker.ask(put(key, "1")).record()
}

#[test]
fn a_clock_set_back_or_forward_is_noticed_by_nobody() {
    let Some(library) = library() else { return skip("libfaketime is not installed") };
    let home = tempfile::tempdir().unwrap();
    for cores in [1, 2] {
        let clock = Clock::at(home.path());
        let broker = clock.setup(cores, &library).start();
        let memory = Memory::of(&broker);
        let mut witness = Witness::of(&broker);
        let mut idle = broker.http();
        idle.ask(&put("idle", "1")).expect(201);
        let keys: Vec<String> = (0..8).map(|_| fresh("clock")).collect();
        let before: Vec<Record> = keys.iter().map(|key| write(&broker, key)).collect();
        let now = before[0].updated_at;

        clock.set("-3600");
        (0..50).for_each(|_| witness.round());
        let set_back = write(&broker, &fresh("clock")).updated_at;
        assert!(set_back.abs_diff(now - HOUR_MS) < SLACK_MS, "the clock was not set back: {set_back}");
        for (key, before) in keys.iter().zip(&before) {
            let after = write(&broker, key);
            assert_eq!(after.rev, 2);
            assert!(after.updated_at >= before.updated_at, "time went back for {key}: {before:?} {after:?}");
        }

        clock.set("+7200");
        (0..50).for_each(|_| witness.round());
        let set_forward = write(&broker, &keys[0]).updated_at;
        assert!(set_forward.abs_diff(now + 2 * HOUR_MS) < SLACK_MS, "nor forward: {set_forward}");
        // Two hours have not passed for a connection that is idle.
        idle.ask(&put("idle", "2")).expect(200);
        memory.assert_grew_less_than_mib(4);
        witness.end_with(broker);
    }
}

#[test]
fn a_key_ends_by_the_clock_and_not_before() {
    let Some(library) = library() else { return skip("libfaketime is not installed") };
    let home = tempfile::tempdir().unwrap();
    let clock = Clock::at(home.path());
    let state_dir = home.path().join("state");
    let place = state_dir.to_str().expect("UTF-8");
    let add = ["key", "add", "guest", "--read", "*", "--expires", "1h", "--state-dir", place];
    let secret = String::from_utf8(run_lux(&add, &[]).stdout).expect("UTF-8");
    let broker = clock.setup(2, &library).state_dir(&state_dir).start();
    let bearer = |key: &str| format!("Bearer {}", key.trim());
    let open = |key: &str| Viewer::open_with(&broker, "/board", &[("authorization", &bearer(key))]);
    let (mut guest, mut owner) = (open(&secret), open(API_KEY));
    guest.snapshot();
    owner.snapshot();
    let mut witness = Witness::of(&broker);

    clock.set("-3600");
    witness.round();
    broker.ask(put("board", "1")).expect(201);
    assert_eq!((guest.record().data.as_str(), owner.record().data.as_str()), ("1", "1"));

    clock.set("+7200");
    // A core looks at the clock whenever it does anything.
    broker.ask(put("board", "2")).expect(200);
    assert_eq!(guest.closed(), 4401);
    assert_eq!(owner.record().data, "2");
    drop((guest, owner));
    witness.end_with(broker);
}
