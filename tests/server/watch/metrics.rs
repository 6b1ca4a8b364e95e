//! `/metrics`: in the ecosystem's format, and true.
//!
//! Always true: figures are compared with what was done to the broker, and nothing else was.
//!
//! Read first: `watch/mod.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{Broker, Request, Setup, Viewer, delete, get, put};

/// Every sample by its name with its labels, as it stands in the text.
pub fn samples(broker: &Broker) -> BTreeMap<String, f64> {
    let text = text(broker);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number in {line}")))
        })
        .collect()
}

/// What Prometheus would read.
pub fn text(broker: &Broker) -> String {
    broker.ask(Request::new("GET", "/metrics")).expect(200).text().to_owned()
}

/// The sum over all samples whose name and labels begin and contain this.
fn sum(samples: &BTreeMap<String, f64>, name: &str, label: &str) -> f64 {
    let is_it = |sample: &str| {
        let (own, labels) = sample.split_once('{').unwrap_or((sample, ""));
        own == name && labels.contains(label)
    };
    samples.iter().filter(|(sample, _)| is_it(sample)).map(|(_, value)| value).sum()
}

#[test]
fn writes_are_counted_by_what_became_of_them() {
    let broker = Setup::cores(2).limit("state_bytes", "64 B").start();
    for key in ["a", "b", "c"] {
        broker.ask(put(key, "1")).expect(201);
    }
    broker.ask(put("a", "2")).expect(200);
    broker.ask(put("a", "3").field("If-Match", "\"other.1\"")).expect(412);
    broker.ask(delete("b")).expect(204);
    broker.ask(delete("b")).expect(404);
    let patch = Request::new("PATCH", "/api/lux/c")
        .field("Content-Type", "application/merge-patch+json")
        .body(format!("{{\"long\":\"{}\"}}", "x".repeat(80)));
    broker.ask(patch).expect(413);
    let samples = samples(&broker);
    for (outcome, count) in [
        ("created", 3.0),
        ("replaced", 1.0),
        ("conflict", 1.0),
        ("deleted", 1.0),
        ("missing", 1.0),
        ("refused", 1.0),
    ] {
        let label = format!("outcome=\"{outcome}\"");
        assert_eq!(sum(&samples, "lux_writes_total", &label), count, "{outcome}");
    }
    assert_eq!(sum(&samples, "lux_keys", ""), 2.0);
    broker.stop();
}

#[test]
fn viewers_their_deliveries_and_their_ages_are_counted() {
    let broker = Setup::cores(2).start();
    let mut viewers: Vec<Viewer> = (0..6).map(|_| Viewer::open(&broker, "/board")).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    let before = samples(&broker);
    for n in 1..=20 {
        broker.ask(put("board", &n.to_string()));
        for viewer in &mut viewers {
            assert_eq!(viewer.record().rev, n);
        }
    }
    let after = samples(&broker);
    let grown = |name: &str| sum(&after, name, "") - sum(&before, name, "");
    assert_eq!(sum(&after, "lux_viewers", ""), 6.0);
    assert_eq!(grown("lux_deliveries_total"), 120.0);
    assert_eq!(grown("lux_conflated_total"), 0.0);
    assert_eq!(grown("lux_delivery_age_seconds_count"), 120.0);
    assert_eq!(sum(&after, "lux_delivery_age_seconds_bucket", "le=\"+Inf\""), 120.0);
    assert!(sum(&after, "lux_delivery_age_seconds_sum", "") < 60.0, "each was written a moment before");
    assert_eq!(sum(&after, "lux_viewers_behind", ""), 0.0);
    assert_eq!(sum(&after, "lux_core_up", ""), 2.0);
    assert!(grown("lux_loop_busy_seconds_total") > 0.0);
    // A snapshot is no change: how old it is says nothing of how fast the broker is.
    Viewer::open(&broker, "/board").snapshot();
    assert_eq!(sum(&samples(&broker), "lux_delivery_age_seconds_count", ""), 120.0);
    broker.stop();
}

#[test]
fn the_process_is_shown_by_the_names_that_everybody_uses() {
    let broker = Setup::cores(2).start();
    let few = samples(&broker);
    let mut connections = broker.connections(20);
    for connection in &mut connections {
        connection.ask(&get("nothing")).expect(404);
    }
    let many = samples(&broker);
    let resident = many["process_resident_memory_bytes"];
    let kib = broker.resident_kib() as f64;
    assert!(resident > kib * 512.0 && resident < kib * 2048.0, "{resident} bytes, {kib} KiB");
    assert!(many["process_open_fds"] >= few["process_open_fds"] + 20.0);
    assert!(many["process_max_fds"] >= many["process_open_fds"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - many["process_start_time_seconds"];
    assert!((0.0..600.0).contains(&age), "it began {age} s ago");
    assert!(many["process_cpu_seconds_total"] > 0.0);
    drop(connections);
    broker.stop();
}

#[test]
fn the_format_is_what_its_specification_says() {
    let broker = Setup::cores(2).start();
    broker.ask(put("board", "1")).expect(201);
    let answer = broker.ask(Request::new("GET", "/metrics")).expect(200);
    let content_type = answer.field("Content-Type").unwrap_or_default().to_owned();
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let text = answer.text();
    assert!(text.ends_with('\n'));
    let (mut family, mut kinds, mut seen) = (String::new(), BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(rest.len() > family.len() + 5, "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family, "HELP, then TYPE");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            assert!(seen.insert(sample.to_owned()), "{sample} comes twice");
            let name = sample.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_histogram = kinds[&family] == "histogram";
            assert_eq!(if is_histogram { base.unwrap_or(name) } else { name }, family);
        }
    }
    for (name, kind) in &kinds {
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(name.starts_with("lux_") || name.starts_with("process_"), "{name}");
        assert!(!name.contains("_ms") && !name.contains("milli"), "{name}: base units");
    }
    broker.stop();
}

#[test]
fn only_who_reads_everything_may_see_them() {
    let broker = Setup::cores(1).start();
    broker.ask(Request::new("GET", "/metrics").anonymous()).expect(401);
    broker.ask(get("_explain?key=a").anonymous()).expect(401);
    broker.stop();
}
