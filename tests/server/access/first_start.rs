//! A broker that knows no key: it makes one, or is told to do without.
//!
//! Always true: it never runs open by accident.
//!
//! Read first: `access/mod.rs`.

use std::fs;
use std::path::Path;

use crate::harness::{Setup, Viewer, get, put};

/// The key in the `curl` line that the first start shows.
fn shown_key(stderr: &str) -> String {
    let after = stderr.split("Bearer ").nth(1).unwrap_or_else(|| panic!("no curl line in:\n{stderr}"));
    after.split(|c: char| matches!(c, '\'' | '"') || c.is_whitespace()).next().unwrap().to_string()
}

fn all_files_under(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        bytes.extend(if path.is_dir() { all_files_under(&path) } else { fs::read(path).unwrap() });
    }
    bytes
}

#[test]
fn the_first_start_makes_a_key_and_shows_it_once() {
    let home = tempfile::tempdir().unwrap();
    let first = Setup::cores(2).without_key().state_dir(home.path()).start();
    first.line_with("curl ");
    first.line_with(&format!("http://{}/", first.address));
    let key = shown_key(&first.stderr());
    assert!((16..=128).contains(&key.len()));
    first.ask(get("board").anonymous()).trouble(401);
    first.ask(get("board")).trouble(401);
    first.ask(put("board", "1").bearer(&key)).expect(201);
    Viewer::open_with(&first, "/*", &[("authorization", &format!("Bearer {key}"))]).snapshot();
    let stderr = first.stop();
    assert!(stderr.matches(&key).count() <= 2, "once alone and once in the curl line:\n{stderr}");

    let kept = all_files_under(home.path());
    assert!(!kept.is_empty(), "something is kept");
    assert!(!kept.windows(key.len()).any(|window| window == key.as_bytes()), "only its hash is kept");

    let second = Setup::cores(2).without_key().state_dir(home.path()).start();
    // The state is back, too.
    second.ask(put("board", "1").bearer(&key)).expect(200);
    let stderr = second.stop();
    assert!(!stderr.contains("curl ") && !stderr.contains(&key), "shown once:\n{stderr}");
}

#[test]
fn a_broker_with_a_key_makes_none() {
    let broker = Setup::cores(1).start();
    broker.ask(get("board")).trouble(404);
    let stderr = broker.stop();
    assert!(!stderr.contains("Bearer"), "{stderr}");
}

#[test]
fn a_broker_runs_open_only_when_told() {
    let broker = Setup::cores(2).without_key().args(&["--insecure-open"]).start();
    broker.ask(put("board", "1").anonymous()).expect(201);
    broker.ask(get("board").anonymous()).expect(200);
    Viewer::open_with(&broker, "/*", &[]).snapshot();
    broker.line_with("--insecure-open");
    broker.stop();
}

#[test]
fn a_key_that_is_none_is_an_error() {
    for bad in ["short", &"x".repeat(129), "has a space in the middle", "käse-käse-käse-käse"] {
        let (code, stderr) = Setup::cores(1).without_key().env("LUX_API_KEY", bad).start_refused();
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("LUX_API_KEY") && !stderr.contains(bad), "{stderr}");
    }
}
