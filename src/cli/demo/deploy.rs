//! A deployment that goes through its steps, and then the next one.
//!
//! Always true: progress only grows until it is over; most reach the end, some are rolled back.
//!
//! Read first: `producer.rs`.

use serde::Serialize;

use super::dice::Dice;
use super::producer::{Producer, Step, timestamp};

/// The key it writes.
pub const KEY: &str = "deploy-web";
const STEPS: [(&str, u64); 6] =
    [("build", 12), ("test", 34), ("push image", 46), ("roll out", 70), ("verify", 90), ("done", 100)];
const AUTHORS: [&str; 5] = ["amira", "jonas", "li-wei", "sofia", "tomasz"];

/// The pipeline.
pub struct Deploy {
    build: u64,
    /// What comes next in the running deployment.
    next: Next,
}

enum Next {
    Start,
    Step(usize),
    Roll(u64),
    Undo,
}

#[derive(Serialize)]
struct State {
    service: &'static str,
    version: String,
    environment: &'static str,
    author: &'static str,
    status: &'static str,
    step: &'static str,
    progress_percent: u64,
    instances_updated: u64,
    instances_total: u64,
    started_at: String,
}

#[derive(Serialize)]
struct Change {
    status: &'static str,
    step: &'static str,
    progress_percent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    instances_updated: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

const INSTANCES: u64 = 6;
const ROLL_OUT: usize = 3;
const LAST: usize = STEPS.len() - 1;

impl Deploy {
    /// Before its first deployment.
    pub fn new() -> Deploy {
        Deploy { build: 318, next: Next::Start }
    }

    fn start(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        self.build += 1;
        self.next = Next::Step(0);
        let state = State {
            service: "web",
            version: format!("2026.{}.{}", self.build / 10, self.build % 10),
            environment: "production",
            author: dice.pick::<&str>(&AUTHORS),
            status: "queued",
            step: "queued",
            progress_percent: 0,
            instances_updated: 0,
            instances_total: INSTANCES,
            started_at: timestamp(wall_ms),
        };
        Step::put(KEY, &state, 1_500)
    }

    fn advance(&mut self, at: usize, dice: &mut Dice, wall_ms: u64) -> Step {
        let (step, progress_percent) = STEPS[at];
        let is_last = at == LAST;
        self.next = match at {
            ROLL_OUT => Next::Roll(1),
            LAST => Next::Start,
            _ if at + 1 == LAST && dice.once_in(6) => Next::Undo,
            _ => Next::Step(at + 1),
        };
        let change = Change {
            status: if is_last { "succeeded" } else { "running" },
            step,
            progress_percent,
            instances_updated: None,
            finished_at: is_last.then(|| timestamp(wall_ms)),
        };
        let rest = if is_last { 9_000.0 } else { dice.between(1_200.0, 3_200.0) };
        Step::patch(KEY, &change, rest as u64)
    }

    fn roll(&mut self, instance: u64, dice: &mut Dice) -> Step {
        self.next = if instance == INSTANCES { Next::Step(ROLL_OUT + 1) } else { Next::Roll(instance + 1) };
        let (step, from) = STEPS[ROLL_OUT];
        let change = Change {
            status: "running",
            step,
            progress_percent: from + instance * 3,
            instances_updated: Some(instance),
            finished_at: None,
        };
        Step::patch(KEY, &change, dice.between(600.0, 1_400.0) as u64)
    }

    fn undo(&mut self, wall_ms: u64) -> Step {
        self.next = Next::Start;
        let change = Change {
            status: "rolled back",
            step: "verify failed: error rate above 2 %",
            progress_percent: 100,
            instances_updated: Some(0),
            finished_at: Some(timestamp(wall_ms)),
        };
        Step::patch(KEY, &change, 8_000)
    }
}

impl Producer for Deploy {
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        match self.next {
            Next::Start => self.start(dice, wall_ms),
            Next::Step(at) => self.advance(at, dice, wall_ms),
            Next::Roll(instance) => self.roll(instance, dice),
            Next::Undo => self.undo(wall_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::producer::tests::story;
    use super::*;

    #[test]
    fn each_deployment_goes_forward_and_ends() {
        let told = story(&mut Deploy::new(), 3, 2_000);
        let (mut version, mut progress) = (String::new(), 0);
        let mut endings = BTreeSet::new();
        let mut versions = BTreeSet::new();
        for states in &told {
            let state = &states[KEY];
            let now = state["progress_percent"].as_u64().unwrap();
            if state["version"] == version.as_str() {
                assert!(now > progress, "{version}: {progress} then {now}");
            } else {
                assert!(version.is_empty() || progress == 100, "{version} ended at {progress}");
                version = state["version"].as_str().unwrap().to_owned();
                assert!(versions.insert(version.clone()));
            }
            progress = now;
            if now == 100 {
                endings.insert(state["status"].as_str().unwrap().to_owned());
                assert!(state["finished_at"].is_string());
            }
        }
        let expected = ["rolled back", "succeeded"].map(str::to_owned);
        assert_eq!(endings.into_iter().collect::<Vec<_>>(), expected);
    }
}
