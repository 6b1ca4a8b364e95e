//! Reloading the settings file: each thing that it changes, seen before and after; and a file that changes nothing.
//!
//! Always true: a viewer that is connected all the while stays connected, and misses nothing.
//!
//! Read first: `access/reload.rs` (the key file), `tls/certificates.rs` (the certificate).

use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Broker, PATIENCE, Request, Setup, Viewer, fresh, get, put};

/// A broker of two cores with a settings file that says this.
fn start(home: &TempDir, text: &str) -> Broker {
    write(home, text);
    let config = home.path().join("lux.toml");
    Setup::cores(2).args(&["--config", config.to_str().unwrap()]).start()
}

fn write(home: &TempDir, text: &str) {
    std::fs::write(home.path().join("lux.toml"), text).unwrap();
}

/// Reloads, and waits until the broker answers this request with this status.
#[track_caller]
fn reload_until(broker: &Broker, request: &Request, status: u16) {
    broker.signal(Signal::SIGHUP);
    let began = Instant::now();
    while broker.ask(request.clone()).status() != status {
        assert!(began.elapsed() < PATIENCE, "never {status}:\n{}", broker.stderr());
    }
}

#[test]
fn limits_origins_and_the_log_level_change_and_viewers_stay() {
    let home = TempDir::new().unwrap();
    let broker = start(&home, "log_level = \"info\"\n[limits]\nstate_bytes = \"1 KiB\"\n");
    let key = fresh("reloaded");
    let mut viewers: Vec<_> = (0..4).map(|_| Viewer::open(&broker, &format!("/{key}"))).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    let large = format!("\"{}\"", "l".repeat(2_000));
    broker.ask(put(&key, &large)).trouble(413);
    write(&home, "[limits]\nstate_bytes = \"4 KiB\"\n");
    reload_until(&broker, &put(&fresh("probe"), &large), 201);
    broker.ask(put(&key, &large)).expect(201);

    // Lower than what is there: it stays, and is still shown to newcomers; only more of it is refused.
    let from = |origin: &str| get(&key).field("Origin", origin);
    let allowed = |broker: &Broker, origin: &str| {
        broker.ask(from(origin)).head.field("Access-Control-Allow-Origin").map(str::to_string)
    };
    assert_eq!(allowed(&broker, "https://other.example").as_deref(), Some("*"));
    write(
        &home,
        "allow_origin = [\"https://wall.example\"]\nlog_level = \"error\"\n[limits]\nstate_bytes = 100\npatterns = 1\n",
    );
    reload_until(&broker, &put(&fresh("probe"), &large), 413);
    assert_eq!(allowed(&broker, "https://other.example"), None);
    assert_eq!(allowed(&broker, "https://wall.example").as_deref(), Some("https://wall.example"));
    assert_eq!(broker.ask(get(&key)).record().data, large);
    for viewer in &mut viewers {
        assert_eq!(viewer.record().data, large);
    }
    assert_eq!(Viewer::open(&broker, &format!("/{key}")).snapshot().0[0].data, large);
    broker.ask(put(&key, "1")).expect(200);
    for viewer in &mut viewers {
        assert_eq!(viewer.record().data, "1");
    }
    drop(viewers);
    let said = broker.stop();
    assert!(!said.contains("the broker has stopped"), "at `error` there is no such line:\n{said}");
}

#[test]
fn a_bad_file_names_its_line_and_changes_nothing() {
    let home = TempDir::new().unwrap();
    let broker = start(&home, "[limits]\nstate_bytes = \"1 KiB\"\n");
    let key = fresh("unchanged");
    let mut viewer = Viewer::open(&broker, &format!("/{key}"));
    viewer.snapshot();
    write(&home, "log_level = \"error\"\n[limits]\nstate_bytes = 10\nnestin = 3\n");
    broker.signal(Signal::SIGHUP);
    let line = broker.line_with("nothing was reloaded");
    assert!(line.contains("lux.toml, line 4") && line.contains("nesting"), "{line}");
    broker.ask(put(&key, "\"longer than ten bytes\"")).expect(201);
    assert_eq!(viewer.record().rev, 1);
    assert!(broker.stop().contains("the broker has stopped"), "the level is the old one");
}

#[test]
fn what_takes_a_restart_is_named_and_waits() {
    let home = TempDir::new().unwrap();
    let broker = start(&home, "");
    write(&home, "log_format = \"json\"\ntls_cert = \"a.pem\"\ntls_key = \"b.pem\"\n");
    broker.signal(Signal::SIGHUP);
    let line = broker.line_with("wait for a restart");
    assert!(line.contains("log_format (text, and json from the next start on)"), "{line}");
    assert!(line.contains("tls (off, and on from the next start on)"), "{line}");
    broker.ask(put("a", "1")).expect(201);
    let checked = Setup::cores(1).check();
    assert!(String::from_utf8(checked.stdout).unwrap().contains("listen, cores, state_dir, log_format"));
    broker.stop();
}
