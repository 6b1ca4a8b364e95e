//! What a broker tells of its license, and that it is no other broker for it.
//!
//! Always true: log, metrics and `lux check` agree; SIGHUP reads the license again.
//!
//! Read first: `license/mod.rs`.

use std::fs;

use nix::sys::signal::Signal;

use super::Vendor;
use crate::harness::{Broker, Request, Setup, Viewer, delete, get, list, patch, put};

/// The lines of `/metrics` about the license, without remarks.
fn metrics(broker: &Broker) -> Vec<String> {
    let page = broker.ask(Request::new("GET", "/metrics")).expect(200);
    page.text().lines().filter(|line| line.starts_with("lux_license_")).map(str::to_owned).collect()
}

#[test]
fn without_a_license_it_says_so_once() {
    let broker = Setup::cores(2).start();
    broker.line_with("no license: this is an evaluation");
    assert_eq!(metrics(&broker), ["lux_license_info{tier=\"none\",state=\"evaluation\",key=\"none\"} 1"]);
    assert_eq!(broker.stop().matches("evaluation").count(), 1);
}

#[test]
fn a_license_is_told_in_log_and_metrics() {
    let vendor = Vendor::new();
    let key = vendor.path("vendor.pub");
    for (ended, state, line) in [
        (None, "valid", "licensed"),
        (Some(3), "grace", "the license has ended; renew it"),
        (Some(40), "expired", "the license has ended, and its grace"),
    ] {
        let file = vendor.keep("license", vendor.license(ended));
        let broker = Setup::cores(2).args(&["--license", &file, "--vendor-key", &key]).start();
        let said = broker.line_with(line);
        assert!(said.contains("Example GmbH") && said.contains("team"), "{said}");
        broker.line_with("with a key from a file, not with the vendor's");
        let told = metrics(&broker);
        assert_eq!(told[0], format!("lux_license_info{{tier=\"team\",state=\"{state}\",key=\"other\"}} 1"));
        let seconds = told[1].strip_prefix("lux_license_expiry_timestamp_seconds ").unwrap();
        assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000, "{seconds}");
        broker.stop();
    }
}

#[test]
fn a_broken_license_is_a_warning_and_an_evaluation() {
    let vendor = Vendor::new();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("license"), vendor.license(None).replace("team", "free")).unwrap();
    let broker = Setup::cores(1).state_dir(home.path()).start();
    let said = broker.line_with("the license is not usable");
    assert!(said.contains("WARN") && said.contains("does not fit") && said.contains("evaluation"), "{said}");
    assert!(metrics(&broker)[0].contains("evaluation"));
    broker.ask(put("board", "1")).expect(201);
    broker.stop();
    let broker = Setup::cores(1).args(&["--license", "no-such-file"]).start();
    broker.line_with("no-such-file");
    broker.stop();
}

#[test]
fn sighup_reads_it_again() {
    let vendor = Vendor::new();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("license");
    let broker =
        Setup::cores(2).state_dir(home.path()).args(&["--vendor-key", &vendor.path("vendor.pub")]).start();
    broker.line_with("no license");
    fs::write(&file, vendor.license(None)).unwrap();
    broker.signal(Signal::SIGHUP);
    broker.line_with("licensed");
    broker.line_with("the key file was read again");
    let is_told = || metrics(&broker)[0].contains("state=\"valid\"");
    // The cores hear of it one by one.
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    while !is_told() {
        assert!(std::time::Instant::now() < until, "{:?}", metrics(&broker));
    }
    broker.stop();
}

#[test]
fn check_shows_it_and_never_fails_for_it() {
    let vendor = Vendor::new();
    let key = vendor.path("vendor.pub");
    let line = |setup: Setup| {
        let done = setup.check();
        assert_eq!(done.status.code(), Some(0));
        let out = String::from_utf8(done.stdout).unwrap();
        out.lines().find(|line| line.split_whitespace().nth(1) == Some("license")).unwrap().to_owned()
    };
    assert!(line(Setup::cores(1)).contains("✓ license") && line(Setup::cores(1)).contains("evaluation"));
    let file = vendor.keep("license", vendor.license(None));
    assert!(line(Setup::cores(1).args(&["--license", &file])).contains("! license"), "another vendor's");
    let said = line(Setup::cores(1).args(&["--license", &file, "--vendor-key", &key]));
    assert!(said.contains("Example GmbH") && said.contains("not the vendor's"), "{said}");
}

/// The same requests to a broker with these arguments: all it answered, without epoch and times.
fn answers(args: &[&str]) -> Vec<String> {
    let broker = Setup::cores(2).limit("state_bytes", "1 KiB").args(args).start();
    let mut viewer = Viewer::open(&broker, "/*");
    let epoch = viewer.snapshot().1.epoch;
    let large = format!("\"{}\"", "x".repeat(2_000));
    let mut requests = vec![
        put("board", "{\"a\":1}"),
        put("board", "{\"a\":2}").field("If-None-Match", "*"),
        patch("board", "{\"b\":[1,2]}"),
        get("board"),
        put("large", &large),
        get("nobody"),
        get("board").anonymous(),
        list("?prefix=b"),
        delete("board"),
        delete("board"),
        Request::new("GET", "/nowhere"),
    ];
    requests.extend((0..30).map(|at| put("busy", &at.to_string())));
    // The epoch is drawn anew in each life, and the time goes on.
    let plain = |text: &str| {
        let text = text.replace(&epoch, "EPOCH");
        let (first, rest) = text.split_once("\"updatedAt\":").unwrap_or((&text, ""));
        format!("{first}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    let mut all: Vec<String> = requests
        .into_iter()
        .map(|request| {
            let answer = broker.ask(request);
            let etag = answer.field("ETag").unwrap_or("-").to_owned();
            plain(&format!("{} {etag} {}", answer.status(), answer.text()))
        })
        .collect();
    let last = viewer.records_until(|record| record.key == "busy" && record.data == "29").pop().unwrap();
    all.push(format!("{} {} {}", last.key, last.rev, last.data));
    drop(viewer);
    broker.stop();
    all
}

#[test]
fn the_answers_are_the_same_with_any_license_and_with_none() {
    let vendor = Vendor::new();
    let key = vendor.path("vendor.pub");
    let without = answers(&[]);
    assert!(without.iter().any(|answer| answer.starts_with("201")), "{without:?}");
    assert!(without.iter().any(|answer| answer.starts_with("413")), "limits are met as well: {without:?}");
    for ended in [None, Some(3), Some(400)] {
        let file = vendor.keep("license", vendor.license(ended));
        assert_eq!(answers(&["--license", &file, "--vendor-key", &key]), without, "ended {ended:?} days ago");
        assert_eq!(answers(&["--license", &file]), without, "one that is not the vendor's");
    }
}
