//! What is written about the figures, beside the figures.
//!
//! Always true: a name that the broker shows stands in docs/operations.md with its kind, and the other way
//! round; a dashboard asks for nothing that is not there.
//!
//! Read first: `watch/metrics.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{PATIENCE, Setup};

use super::metrics::text;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Names and kinds as the broker says them, once it has written a snapshot.
fn shown() -> BTreeMap<String, String> {
    let broker = Setup::cores(1).args(&["--snapshot-every", "100ms"]).start();
    let began = Instant::now();
    let mut text = text(&broker);
    while !text.contains("lux_snapshot_age_seconds") {
        assert!(began.elapsed() < PATIENCE, "no snapshot is told of");
        text = super::metrics::text(&broker);
    }
    broker.stop();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    kinds.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn every_metric_stands_in_the_docs_and_nothing_else_does() {
    let docs = read("docs/operations.md");
    let rows = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter(|row| ["lux_", "process_"].iter().any(|start| row.starts_with(start)));
    let written: BTreeMap<String, String> = rows
        .map(|row| {
            let (name, rest) = row.split_once('`').expect("a name in its quotes");
            let kind = rest.split('|').nth(1).expect("a kind").trim();
            (name.to_owned(), kind.to_owned())
        })
        // Other tables have expressions in their first column.
        .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect();
    let shown = shown();
    // What is only shown where there is something to show.
    let written =
        written.into_iter().filter(|(name, _)| shown.contains_key(name) || !name.contains("_expiry_"));
    assert_eq!(shown, written.collect(), "left: the broker, right: docs/operations.md");
}

/// Every name in an expression that is a metric's.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &&str| word.starts_with("lux_") || word.starts_with("process_");
    words.filter(is_name).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_asks_only_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&read("grafana/lux.json")).expect("it is JSON");
    let shown = shown();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            let names = metrics_in(expression);
            assert!(!names.is_empty(), "{expression} asks for nothing");
            asked.extend(names);
        }
    }
    for name in &asked {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_there = shown.contains_key(name)
            || family.is_some_and(|family| shown.get(family).is_some_and(|kind| kind == "histogram"));
        assert!(is_there, "the dashboard asks for {name}");
    }
    // What is worth counting is worth seeing.
    let bare = |name: &String| asked.contains(name) || asked.contains(&format!("{name}_bucket"));
    let unseen: Vec<&String> = shown.keys().filter(|name| !bare(name)).collect();
    assert_eq!(unseen, Vec::<&String>::new(), "metrics that no panel shows");
}
