//! The access log: a line for every request, and for each stream's beginning and end.
//!
//! Always true: no secret, no query and no state stands in it, and nothing a peer sends makes a second line.
//!
//! Read first: `guards/mod.rs`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{API_KEY, Broker, Events, PATIENCE, Request, Setup, Viewer, get, put};

#[test]
fn each_request_has_its_line() {
    let broker = Setup::cores(2).args(&["--access-log", "json"]).start();
    let mut peer = broker.http();
    let agent = |request: Request| request.field("User-Agent", "a \"test\"\tof 100%");
    peer.ask(&agent(put("logged", "{\"secret\":\"state\"}"))).expect(201);
    peer.ask(&agent(Request::new("GET", "/api/lux/logged?wait=soon"))).expect(400);
    peer.ask(&get("logged").anonymous()).expect(401);
    peer.ask(&Request::new("DELETE", "/api/lux/logged%2dtwo")).expect(404);
    let mut broken = broker.http();
    broken.send(b"NO SUCH THING\r\n\r\n");
    broken.answer().expect(400);
    let mut viewer = Viewer::open(&broker, &format!("/logged?apiKey={API_KEY}"));
    viewer.snapshot();
    let mut events = Events::open(&broker, "/logged?since=x");
    events.event();
    viewer.close(4000);
    broker.line_with("\"event\":\"stream_ended\"");
    let all = broker.stop();
    let lines: Vec<&str> = all.lines().filter(|line| line.starts_with('{')).collect();
    let find = |parts: &[&str]| {
        let has = |line: &&&str| parts.iter().all(|part| line.contains(part));
        lines.iter().find(has).unwrap_or_else(|| panic!("no line with {parts:?} in\n{all}"))
    };
    let written = find(&["\"method\":\"PUT\"", "\"path\":\"/api/lux/logged\"", "\"status\":201"]);
    assert!(written.contains("\"key\":\"LUX_API_KEY\"") && written.contains("\"address\":\"127.0.0.1\""));
    assert!(written.contains(r#""agent":"a \\x22test\\x22\\x09of 100%""#), "{written}");
    assert!(written.contains("\"us\":") && written.contains("\"event\":\"request\""));
    find(&["\"method\":\"GET\"", "\"path\":\"/api/lux/logged\"", "\"status\":400"]);
    assert!(!find(&["\"status\":401"]).contains("\"key\""));
    find(&["\"path\":\"/api/lux/logged%2dtwo\"", "\"status\":404"]);
    assert!(!find(&["\"status\":400", "\"event\":\"request\",\"status\""]).contains("path"));
    find(&["\"event\":\"stream_began\"", "\"status\":101", "\"path\":\"/api/lux/stream/logged\""]);
    find(&["\"event\":\"stream_began\"", "\"status\":200"]);
    find(&["\"event\":\"stream_ended\"", "\"code\":4000", "\"us\":"]);
    for word in [API_KEY, "secret", "since", "wait", "apiKey"] {
        assert!(lines.iter().all(|line| !line.contains(word)), "{word} in\n{all}");
    }
}

/// Waits until a file holds a text.
#[track_caller]
fn wait_for(path: &Path, text: &str) -> String {
    let began = Instant::now();
    loop {
        let found = fs::read_to_string(path).unwrap_or_default();
        if found.contains(text) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{text} is not in {found}");
        std::thread::yield_now();
    }
}

fn to_file(path: &Path) -> Broker {
    let path = path.to_str().expect("UTF-8");
    Setup::cores(1).args(&["--access-log", "text", "--access-log-file", path]).start()
}

#[test]
fn a_file_may_be_moved_away_and_is_opened_again() {
    let dir = TempDir::new().expect("a directory");
    let (path, moved) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let broker = to_file(&path);
    broker.ask(put("first", "1")).expect(201);
    let line = wait_for(&path, "/api/lux/first");
    assert!(line.contains(" request PUT /api/lux/first 201 ") && line.contains(" from=127.0.0.1 "), "{line}");
    fs::rename(&path, &moved).expect("it can be moved");
    broker.signal(Signal::SIGHUP);
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < PATIENCE, "the file was not opened again");
        std::thread::yield_now();
    }
    broker.ask(put("second", "1")).expect(201);
    assert!(!wait_for(&path, "/api/lux/second").contains("/api/lux/first"));
    assert!(!fs::read_to_string(&moved).unwrap().contains("/api/lux/second"));
    broker.stop();
}

#[test]
fn without_being_asked_for_nothing_is_written_and_a_bad_file_is_said() {
    let broker = Setup::cores(1).start();
    broker.ask(put("quiet", "1")).expect(201);
    assert!(!broker.stop().contains("quiet"));
    let flags = ["--access-log", "text", "--access-log-file", "/nonexistent/access.log"];
    let (code, stderr) = Setup::cores(1).args(&flags).start_refused();
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--access-log-file"), "{stderr}");
}

/// A reader of the log that does not read holds nobody up.
#[test]
fn a_log_that_nobody_reads_blocks_nobody() {
    const REQUESTS: usize = 20_000;
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    // Open at both ends, and never read: 64 KiB go in, then writers wait.
    let _both = fs::OpenOptions::new().read(true).write(true).open(&path).expect("it opens");
    let broker = to_file(&path);
    let mut viewer = Viewer::open(&broker, "/flood");
    viewer.snapshot();
    let mut peer = broker.http();
    let ask = get("flood").bytes().repeat(100);
    for _ in 0..REQUESTS / 100 {
        peer.send(&ask);
        for _ in 0..100 {
            peer.answer().expect(404);
        }
    }
    peer.ask(&put("flood", "1")).expect(201);
    assert_eq!(viewer.record().data, "1");
    let metrics = peer.ask(&Request::new("GET", "/metrics")).expect(200);
    let dropped = metrics
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("lux_access_log_dropped_total{core=\"0\"} "));
    assert!(dropped.expect("a figure").parse::<u64>().expect("a number") > 0, "all were kept somewhere");
    let stderr = broker.stop();
    assert!(!stderr.contains("fault"), "{stderr}");
}
