//! What is there again after a stop, a crash, and a file that somebody spoiled.
//!
//! Always true: after a stop everything is there, in the same epoch; after anything else what was saved last, in
//! another. What is damaged is left out and said.
//!
//! Read first: `life/mod.rs`; `src/snapshot/tests.rs` spoils every byte of a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Answer, Broker, PATIENCE, Request, Setup, Viewer, delete, get, list, patch, put};

fn start(cores: usize, home: &TempDir) -> Broker {
    Setup::cores(cores).state_dir(home.path()).args(&["--snapshot-every=100ms"]).start()
}

fn epoch_of(answer: &Answer) -> String {
    answer.etag().trim_matches('"').split('.').next().unwrap().to_owned()
}

/// The one file of states.
#[track_caller]
fn file_in(home: &TempDir) -> PathBuf {
    let names = fs::read_dir(home.path().join("snapshot")).expect("there is a snapshot");
    let paths: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
    let mut states = paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "lux"));
    let found = states.next().unwrap_or_else(|| panic!("no file of states: {paths:?}")).clone();
    assert_eq!(states.next(), None, "one file at a time");
    found
}

fn metric(broker: &Broker, name: &str) -> f64 {
    let text = broker.ask(Request::new("GET", "/metrics")).expect(200).text().to_owned();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(-1.0)
}

/// Waits until what was written before is on disk: changes make the file longer.
#[track_caller]
fn wait_until_longer(broker: &Broker, than: f64) -> f64 {
    let began = Instant::now();
    loop {
        let bytes = metric(broker, "lux_snapshot_bytes");
        if bytes > than {
            return bytes;
        }
        assert!(began.elapsed() < PATIENCE, "{bytes} bytes, and not more:\n{}", broker.stderr());
    }
}

/// A broker that was killed: what it had saved of `board` is 1, and what it had not is 2.
fn killed(home: &TempDir) -> String {
    let broker = start(2, home);
    let before = wait_until_longer(&broker, 0.0);
    let epoch = epoch_of(&broker.ask(put("board", "1")));
    wait_until_longer(&broker, before);
    epoch
}

#[test]
fn a_stop_and_a_start_change_nothing_whatever_the_number_of_cores() {
    let home = TempDir::new().unwrap();
    let first = start(1, &home);
    let epoch = epoch_of(&first.ask(put("board", "{\"n\":1}")).expect(201));
    first.ask(patch("board", "{\"m\":2}")).expect(200);
    for at in 0..300 {
        first.ask(put(&format!("device-{at}"), &at.to_string()));
    }
    first.ask(put("gone", "1")).expect(201);
    first.ask(delete("gone")).expect(204);
    let (record, listing) =
        (first.ask(get("board")).text().to_owned(), first.ask(list("")).text().to_owned());
    first.stop();
    for cores in [2, 4, 1] {
        let broker = start(cores, &home);
        assert_eq!(broker.ask(get("board")).text(), record, "on {cores} cores");
        assert_eq!(broker.ask(list("")).text(), listing);
        broker.ask(get("gone")).trouble(404);
        let mut resumed = Viewer::open(&broker, &format!("/board?since={epoch}.2"));
        resumed.synced();
        let mut told = Viewer::open(&broker, &format!("/gone?since={epoch}.1"));
        assert!(told.record().deleted, "it ended while the viewer was away");
        drop((resumed, told));
        broker.stop();
    }
    let last = start(2, &home);
    let etag = format!("\"{epoch}.2\"");
    last.ask(put("board", "3").field("If-Match", &etag)).expect(200);
    assert_eq!(last.ask(put("gone", "1")).expect(201).record().rev, 3, "revisions go on over a deletion");
    assert_eq!(epoch_of(&last.ask(get("board"))), epoch);
    assert!(last.stop().contains("and so is their epoch"));
}

#[test]
fn a_viewer_that_comes_back_gets_only_what_it_missed() {
    let home = TempDir::new().unwrap();
    let first = start(2, &home);
    let known = first.ask(put("board", "1")).etag().trim_matches('"').to_owned();
    let mut viewer = Viewer::open(&first, "/board");
    viewer.snapshot();
    first.signal(Signal::SIGTERM);
    assert_eq!(viewer.closed(), 1012);
    drop(viewer);
    first.ended();
    let broker = start(2, &home);
    let mut viewer = Viewer::open(&broker, &format!("/board?since={known}"));
    viewer.synced();
    broker.ask(put("board", "2"));
    assert_eq!(viewer.record().rev, 2);
}

#[test]
fn a_killed_broker_loses_what_was_not_saved_and_says_so() {
    for cores in [1, 2] {
        let home = TempDir::new().unwrap();
        let epoch = killed(&home);
        let broker = start(cores, &home);
        let answer = broker.ask(get("board")).expect(200);
        assert_eq!(answer.record().data, "1");
        assert_ne!(epoch_of(&answer), epoch, "acknowledged states may be missing");
        assert!(broker.stderr().contains("did not stop in order"), "{}", broker.stderr());
        assert!(broker.stderr().contains("last_saved_seconds_ago"), "{}", broker.stderr());
    }
}

#[test]
fn the_epoch_of_a_clean_stop_is_not_used_twice() {
    let home = TempDir::new().unwrap();
    let first = start(2, &home);
    let epoch = epoch_of(&first.ask(put("board", "1")));
    first.stop();
    let second = start(2, &home);
    let written = second.ask(put("board", "2"));
    assert_eq!(epoch_of(&written), epoch);
    // Dropped, and so killed, before anything of it may have been saved.
    drop(second);
    let third = start(2, &home);
    let answer = third.ask(get("board")).expect(200);
    assert_ne!(epoch_of(&answer), epoch, "a viewer that has seen 2 would go back to 1 unseen");
    assert!(third.ask(put("board", "3")).record().rev > 1);
}

#[test]
fn a_start_that_fails_leaves_the_clean_stop_as_it_was() {
    let home = TempDir::new().unwrap();
    let first = start(1, &home);
    let epoch = epoch_of(&first.ask(put("board", "1")));
    let address = first.address;
    first.stop();
    let holder = Setup::cores(1).listen(address).start();
    let (code, _) = Setup::cores(1).listen(address).state_dir(home.path()).start_refused();
    assert_eq!(code, 2);
    drop(holder);
    assert_eq!(epoch_of(&start(1, &home).ask(get("board"))), epoch);
}

#[test]
fn a_damaged_file_is_said_and_what_is_sound_of_it_is_served() {
    let home = TempDir::new().unwrap();
    let first = start(2, &home);
    let epoch = epoch_of(&first.ask(put("board", "\"as it was written\"")));
    first.stop();
    let path = file_in(&home);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(5).position(|five| five == b"as it").expect("the state stands in it");
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let broker = start(2, &home);
    broker.ask(get("board")).trouble(404);
    assert!(broker.stderr().contains("the snapshot is damaged; left out"), "{}", broker.stderr());
    assert_ne!(epoch_of(&broker.ask(put("board", "1"))), epoch);
}

fn spoil_header(home: &TempDir, spoil: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let first = start(1, home);
    first.ask(put("board", "1"));
    first.stop();
    let mut bytes = fs::read(file_in(home)).unwrap();
    spoil(&mut bytes);
    fs::write(file_in(home), &bytes).unwrap();
    bytes
}

#[test]
fn a_file_of_somebody_else_is_put_aside() {
    let home = TempDir::new().unwrap();
    let bytes = spoil_header(&home, |bytes| bytes[..4].copy_from_slice(b"PNG\n"));
    let path = file_in(&home);
    let broker = start(1, &home);
    broker.ask(get("board")).trouble(404);
    assert!(broker.stderr().contains("no snapshot of Lux"), "{}", broker.stderr());
    assert_eq!(fs::read(path.with_extension("refused")).unwrap(), bytes, "nobody's file is thrown away");
    broker.stop();
}

#[test]
fn a_file_of_a_newer_lux_is_not_written_over() {
    let home = TempDir::new().unwrap();
    let bytes = spoil_header(&home, |bytes| {
        bytes[8] = 9;
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    });
    let (code, said) = Setup::cores(1).state_dir(home.path()).start_refused();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("version 9") && said.contains("start the newer Lux"), "{said}");
    assert_eq!(fs::read(file_in(&home)).unwrap(), bytes);
}

#[test]
fn one_broker_has_a_state_directory() {
    let home = TempDir::new().unwrap();
    let first = start(1, &home);
    let (code, said) = Setup::cores(1).state_dir(home.path()).start_refused();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("another broker") && said.contains("--memory-only"), "{said}");
    Setup::cores(1).state_dir(home.path()).args(&["--memory-only"]).start().stop();
    first.stop();
}

#[test]
fn it_is_for_its_owner_only() {
    let home = TempDir::new().unwrap();
    let broker = start(1, &home);
    broker.ask(put("board", "1"));
    broker.stop();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path().join("snapshot")), 0o700);
    for entry in fs::read_dir(home.path().join("snapshot")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn in_memory_alone_nothing_is_kept() {
    let home = TempDir::new().unwrap();
    for _ in 0..2 {
        let broker = Setup::cores(2).state_dir(home.path()).args(&["--memory-only"]).start();
        broker.ask(get("board")).trouble(404);
        broker.ask(put("board", "1")).expect(201);
        assert_eq!(metric(&broker, "lux_snapshot_bytes"), -1.0, "no figures of what there is not");
        broker.stop();
    }
    assert!(!home.path().join("snapshot").exists());
}

#[test]
fn more_than_the_limits_allow_is_served_and_leaves_no_room() {
    let home = TempDir::new().unwrap();
    let first = start(1, &home);
    for at in 0..5 {
        first.ask(put(&format!("key-{at}"), "\"some state\"")).expect(201);
    }
    first.stop();
    let small = || Setup::cores(1).state_dir(home.path()).limit("keys", "2").limit("state_bytes", "4");
    let broker = small().start();
    for at in 0..5 {
        assert_eq!(broker.ask(get(&format!("key-{at}"))).record().data, "\"some state\"");
    }
    broker.ask(put("another", "1")).trouble(507);
    broker.ask(put("key-0", "1")).expect(200);
    broker.stop();
    let broker = small().start();
    assert_eq!(broker.ask(get("key-0")).record().data, "1");
    assert_eq!(broker.ask(get("key-4")).record().data, "\"some state\"");
}

#[test]
fn a_broker_that_stops_takes_what_reaches_it_and_keeps_it() {
    for cores in [1, 2, 4] {
        let home = TempDir::new().unwrap();
        let first = start(cores, &home);
        let epoch = epoch_of(&first.ask(put("board", "1")));
        // What is begun on each core keeps it from ending before the writes are there.
        let mut writers = first.connections(8);
        for (at, writer) in writers.iter_mut().enumerate() {
            writer.ask(&get("board")).expect(200);
            writer.send(&put(&format!("late-{at}"), "1").bytes()[..10]);
        }
        let mut viewer = Viewer::open(&first, "/board");
        viewer.snapshot();
        first.signal(Signal::SIGTERM);
        assert_eq!(viewer.closed(), 1012);
        drop(viewer);
        for (at, writer) in writers.iter_mut().enumerate() {
            writer.send(&put(&format!("late-{at}"), "1").bytes()[10..]);
            let answer = writer.answer().expect(201);
            assert!(answer.head.says_close());
        }
        drop(writers);
        assert_eq!(first.ended().0, 0);
        let second = start(cores, &home);
        for at in 0..8 {
            assert_eq!(epoch_of(&second.ask(get(&format!("late-{at}"))).expect(200)), epoch);
        }
    }
}

#[test]
fn only_changes_are_written_until_they_outgrow_the_rest() {
    let home = TempDir::new().unwrap();
    let broker = start(2, &home);
    let state = format!("\"{}\"", "x".repeat(200_000));
    let mut bytes = wait_until_longer(&broker, 0.0);
    for at in 0..20 {
        broker.ask(put(&format!("large-{at}"), &state)).expect(201);
    }
    bytes = wait_until_longer(&broker, bytes + 3_900_000.0);
    broker.ask(put("small", "1")).expect(201);
    let longer = wait_until_longer(&broker, bytes);
    assert!(longer - bytes < 500.0, "one small state cost {} bytes", longer - bytes);
    // Twenty states over and over: the file is begun anew before it is much more than twice what they are.
    let began = Instant::now();
    let first = file_in(&home);
    while first.exists() {
        broker.ask(put("large-0", &state)).expect(200);
        assert!(began.elapsed() < PATIENCE, "{} bytes", metric(&broker, "lux_snapshot_bytes"));
    }
    broker.stop();
    let again = start(1, &home);
    assert_eq!(again.ask(list("?data=0")).text().matches("\"key\"").count(), 21);
}

#[test]
fn lux_check_says_how_the_snapshot_is() {
    let home = TempDir::new().unwrap();
    let setup = || Setup::cores(1).state_dir(home.path());
    let check = || {
        let output = setup().check();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(check().contains("snapshot         none yet"), "{}", check());
    let broker = start(1, &home);
    broker.ask(put("one", "1"));
    broker.ask(put("two", "2"));
    broker.ask(delete("one"));
    broker.stop();
    let said = check();
    let line = said.lines().find(|line| line.contains("snapshot  ")).unwrap();
    assert!(line.starts_with('✓') && line.contains("1 key") && line.contains("epoch goes on"), "{line}");
    let path = file_in(&home);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let said = check();
    assert!(said.contains("damaged") && said.contains("from byte"), "{said}");
    assert!(
        String::from_utf8(setup().args(&["--memory-only"]).check().stdout).unwrap().contains("memory only")
    );
}
