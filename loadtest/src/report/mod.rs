//! What a run found, to be shown as a table, kept as JSON, drawn as SVG.
//!
//! Always true: errors, skipped and missed revisions stand in it even when they are none.
//!
//! Read first: `latency.rs`.

pub mod svg;
pub mod table;

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::fleet::load::LoadSummary;
use crate::latency::{Latencies, Summary};

/// One run of one scenario against one target.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// Who was put to the test.
    pub target: String,
    /// What was asked for.
    pub asked: Map<String, Value>,
    /// Seconds measured, warm-up left out.
    pub seconds: f64,
    /// Latencies, microseconds.
    pub latencies: Vec<Summary>,
    /// Whole numbers, by name.
    pub counts: Map<String, Value>,
    /// Other figures, by name with their unit.
    pub figures: Map<String, Value>,
    /// What went wrong, by reason.
    pub errors: Map<String, Value>,
    /// How busy the generator was.
    pub generator: Option<LoadSummary>,
}

impl Report {
    /// An empty one.
    pub fn new(scenario: &str, target: &str) -> Report {
        Report {
            scenario: scenario.to_owned(),
            target: target.to_owned(),
            asked: Map::new(),
            seconds: 0.0,
            latencies: Vec::new(),
            counts: Map::new(),
            figures: Map::new(),
            errors: Map::new(),
            generator: None,
        }
    }

    /// Notes what was asked for.
    pub fn ask(&mut self, name: &str, value: impl Into<Value>) {
        self.asked.insert(name.to_owned(), value.into());
    }

    /// Notes a count.
    pub fn count(&mut self, name: &str, value: u64) {
        self.counts.insert(name.to_owned(), value.into());
    }

    /// Notes a figure; the name ends with its unit.
    pub fn figure(&mut self, name: &str, value: f64) {
        // Three decimals are more than any of them bears.
        self.figures.insert(name.to_owned(), ((value * 1000.0).round() / 1000.0).into());
    }

    /// Notes latencies, if there are any.
    pub fn times(&mut self, name: &str, times: &Latencies) {
        if times.count() > 0 {
            self.latencies.push(times.summary(name));
        }
    }

    /// A figure or a count by name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.get(name).or_else(|| self.counts.get(name)).and_then(Value::as_f64)
    }

    /// Latencies by name.
    pub fn latency(&self, name: &str) -> Option<&Summary> {
        self.latencies.iter().find(|summary| summary.name == name)
    }

    /// How many things went wrong.
    pub fn error_count(&self) -> u64 {
        self.errors.values().filter_map(Value::as_u64).sum()
    }
}

/// Writes a file, and its folders.
///
/// # Errors
/// It cannot be written.
pub fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::of(format!("making the folder of {shown}")))?;
    }
    fs::write(path, text).map_err(Failure::of(format!("writing {shown}")))
}
