//! What comes and goes: imports that run from 0 to 100 %, incidents that are opened and closed.
//!
//! Always true: a job or an incident has a number of its own, and its key is deleted when it is over.
//!
//! Read first: `producer.rs`.

use serde::Serialize;

use super::dice::Dice;
use super::producer::{Producer, Step, timestamp};

const SOURCES: [&str; 4] = ["catalogue.csv", "price-list.xml", "stock-levels.json", "customers.parquet"];
const TROUBLES: [(&str, &str, &str); 5] = [
    ("checkout answers slowly", "checkout", "high"),
    ("search returns stale results", "search", "medium"),
    ("mails to customers are late", "mailer", "low"),
    ("payments of one provider fail", "payments", "critical"),
    ("image thumbnails are missing", "media", "low"),
];
const PEOPLE: [&str; 4] = ["Amira", "Jonas", "Sofia", "Tomasz"];

/// Imports, one after the other.
pub struct Imports {
    number: u64,
    rows_total: u64,
    rows_done: u64,
    stage: ImportStage,
}

enum ImportStage {
    Start,
    Running,
    Finished,
}

#[derive(Serialize)]
struct ImportState {
    source: &'static str,
    status: &'static str,
    progress_percent: u64,
    rows_done: u64,
    rows_total: u64,
    rows_rejected: u64,
    started_at: String,
}

#[derive(Serialize)]
struct ImportChange {
    status: &'static str,
    progress_percent: u64,
    rows_done: u64,
    rows_rejected: u64,
}

impl Imports {
    /// Before the first.
    pub fn new() -> Imports {
        Imports { number: 4_711, rows_total: 0, rows_done: 0, stage: ImportStage::Start }
    }

    fn key(&self) -> String {
        format!("job-import-{}", self.number)
    }

    fn start(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        self.number += 1;
        self.rows_total = dice.between(8_000.0, 60_000.0) as u64;
        self.rows_done = 0;
        self.stage = ImportStage::Running;
        let state = ImportState {
            source: dice.pick::<&str>(&SOURCES),
            status: "running",
            progress_percent: 0,
            rows_done: 0,
            rows_total: self.rows_total,
            rows_rejected: 0,
            started_at: timestamp(wall_ms),
        };
        Step::put(self.key(), &state, 500)
    }

    fn run(&mut self, dice: &mut Dice) -> Step {
        let rows = self.rows_total as f64 * dice.between(0.01, 0.06);
        self.rows_done = (self.rows_done + rows as u64 + 1).min(self.rows_total);
        let is_done = self.rows_done == self.rows_total;
        if is_done {
            self.stage = ImportStage::Finished;
        }
        let change = ImportChange {
            status: if is_done { "done" } else { "running" },
            progress_percent: self.rows_done * 100 / self.rows_total,
            rows_done: self.rows_done,
            rows_rejected: self.rows_done / 1_900,
        };
        Step::patch(self.key(), &change, if is_done { 4_000 } else { 450 })
    }

    fn end(&mut self) -> Step {
        self.stage = ImportStage::Start;
        Step::delete(self.key(), 2_500)
    }
}

impl Producer for Imports {
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        match self.stage {
            ImportStage::Start => self.start(dice, wall_ms),
            ImportStage::Running => self.run(dice),
            ImportStage::Finished => self.end(),
        }
    }
}

/// Incidents, one after the other.
pub struct Incidents {
    number: u64,
    stage: IncidentStage,
}

enum IncidentStage {
    Open,
    Mitigate,
    Resolve,
    Close,
}

#[derive(Serialize)]
struct Incident {
    title: &'static str,
    service: &'static str,
    severity: &'static str,
    status: &'static str,
    assigned_to: Option<&'static str>,
    opened_at: String,
    updates: u64,
}

#[derive(Serialize)]
struct IncidentChange {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<String>,
    updates: u64,
}

impl Incidents {
    /// Before the first.
    pub fn new() -> Incidents {
        Incidents { number: 208, stage: IncidentStage::Open }
    }

    fn key(&self) -> String {
        format!("incident-{}", self.number)
    }

    fn open(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        self.number += 1;
        let (title, service, severity) = *dice.pick(&TROUBLES);
        let opened_at = timestamp(wall_ms);
        let state =
            Incident { title, service, severity, status: "open", assigned_to: None, opened_at, updates: 0 };
        Step::put(self.key(), &state, dice.between(5_000.0, 9_000.0) as u64)
    }
}

impl Producer for Incidents {
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        match self.stage {
            IncidentStage::Open => {
                self.stage = IncidentStage::Mitigate;
                self.open(dice, wall_ms)
            }
            IncidentStage::Mitigate => {
                self.stage = IncidentStage::Resolve;
                let assigned_to = Some(*dice.pick(&PEOPLE));
                let change =
                    IncidentChange { status: "mitigating", assigned_to, resolved_at: None, updates: 1 };
                Step::patch(self.key(), &change, dice.between(8_000.0, 15_000.0) as u64)
            }
            IncidentStage::Resolve => {
                self.stage = IncidentStage::Close;
                let resolved_at = Some(timestamp(wall_ms));
                let change =
                    IncidentChange { status: "resolved", assigned_to: None, resolved_at, updates: 2 };
                Step::patch(self.key(), &change, 6_000)
            }
            IncidentStage::Close => {
                self.stage = IncidentStage::Open;
                Step::delete(self.key(), dice.between(4_000.0, 12_000.0) as u64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::producer::tests::story;
    use super::*;

    #[test]
    fn an_import_runs_to_its_end_and_is_gone() {
        let told = story(&mut Imports::new(), 2, 2_000);
        let (mut key, mut progress, mut jobs) = (String::new(), 0, BTreeSet::new());
        for states in &told {
            assert!(states.len() <= 1);
            let Some((name, state)) = states.first_key_value() else {
                assert_eq!(progress, 100, "{key} is deleted before its end");
                continue;
            };
            let now = state["progress_percent"].as_u64().unwrap();
            if *name != key {
                assert!(now == 0 && jobs.insert(name.clone()));
                key.clone_from(name);
            } else {
                assert!(now >= progress && now <= 100);
            }
            assert!(state["rows_done"].as_u64() <= state["rows_total"].as_u64());
            progress = now;
        }
        assert!(jobs.len() > 10);
    }

    #[test]
    fn an_incident_has_a_life() {
        let told = story(&mut Incidents::new(), 2, 400);
        let mut lives: Vec<String> = Vec::new();
        for states in &told {
            match states.first_key_value() {
                Some((_, state)) => lives.push(state["status"].as_str().unwrap().to_owned()),
                None => lives.push("gone".to_owned()),
            }
        }
        for life in lives.chunks(4) {
            assert_eq!(life, ["open", "mitigating", "resolved", "gone"]);
        }
        assert!(told[1].values().next().unwrap()["assigned_to"].is_string());
    }
}
