//! The other boards of the gallery: an incident that is worked on, a workflow that steps, settings and notes that lie ready.
//!
//! Always true: what people write on the pages is kept: incident, notes and settings are written whole only when they begin, and
//! then patched. A run's percentage never goes back.
//!
//! Read first: `producer.rs`; `examples/` for the producers that do something.

use serde_json::{Value, json};

use super::dice::Dice;
use super::producer::{Producer, Step, timestamp};

const INCIDENT: &str = "incident-INC-1042";
const WORKFLOW: &str = "workflow-invoice-reconcile-abc123";
const REST_MS: u64 = 1_400;
/// What happens in an incident: its status, whose note, the note, the task that is done with it.
const STAGES: [(&str, &str, &str, &str); 5] = [
    ("investigating", "ana", "p99 of checkout is 4.1 s, was 0.3 s", "find"),
    ("investigating", "bo", "status page says: payments are slow", "tell"),
    ("mitigating", "ana", "rolling back 4.12 on half of the hosts", "rollback"),
    ("monitoring", "ana", "p99 is back at 0.3 s", "verify"),
    ("resolved", "bo", "support has answered all tickets", "verify"),
];
const STEPS: [(&str, &str); 6] = [
    ("collecting", "1200 invoices, 1150 payments"),
    ("extracting", "1200 numbers read"),
    ("matching", "1150 found by number"),
    ("converting", "402,118 EUR at today's rates"),
    ("validating", "71 need a person"),
    ("posting", "1129 postings in the ledger"),
];
/// Turns that a finished run stays on the page.
const RUN_REST: usize = 3;

/// All of them, in turns.
pub struct Boards {
    turn: usize,
    incident_turn: usize,
    run_turn: usize,
    attempts: [u64; STEPS.len()],
}

impl Boards {
    /// Before anything is written.
    pub fn new() -> Boards {
        Boards { turn: 0, incident_turn: 0, run_turn: 0, attempts: [0; STEPS.len()] }
    }

    fn incident(&mut self, wall_ms: u64) -> Step {
        let at = self.incident_turn % (STAGES.len() + 1);
        self.incident_turn += 1;
        let Some((status, by, text, task)) = at.checked_sub(1).map(|stage| STAGES[stage]) else {
            return Step::put(INCIDENT, &opened(wall_ms), REST_MS);
        };
        let now = timestamp(wall_ms);
        let note = json!({ format!("{now}-{by}"): { "by": by, "text": text, "at": now } });
        let patch = json!({
            "summary": format!("INC-1042 {status}"), "status": status, "assigned_to": "ana", "notes": note,
            "tasks": { task: { "done_by": by } },
        });
        Step::patch(INCIDENT, &patch, REST_MS)
    }

    /// A step takes two turns; in the second one it may have to be tried again.
    fn run(&mut self, dice: &mut Dice) -> Step {
        let at = self.run_turn / 2;
        if at >= STEPS.len() {
            let is_over = self.run_turn >= 2 * STEPS.len() + RUN_REST;
            self.run_turn = if is_over { 0 } else { self.run_turn + 1 };
            let state = self.workflow("done", "done", STEPS.len());
            if is_over {
                self.attempts = [0; STEPS.len()];
            }
            return Step::put(WORKFLOW, &state, REST_MS);
        }
        self.attempts[at] += 1;
        let is_away = self.run_turn % 2 == 1 && self.attempts[at] < 4 && dice.once_in(4);
        // Who has to try again stands where it stood.
        self.run_turn += usize::from(!is_away);
        let status = if is_away { "retrying" } else { "running" };
        Step::put(WORKFLOW, &self.workflow(STEPS[at].0, status, at), REST_MS)
    }

    fn workflow(&self, word: &str, status: &str, done: usize) -> Value {
        let percent = (100 * done + STEPS.len() / 2) / STEPS.len();
        let step = |(at, (name, note)): (usize, &(&str, &str))| match at.cmp(&done) {
            std::cmp::Ordering::Less => {
                json!({ "name": name, "status": "done", "attempts": 1, "note": note, "took_ms": 2 * REST_MS })
            }
            std::cmp::Ordering::Equal => {
                json!({ "name": name, "status": status, "attempts": self.attempts[at].div_ceil(2) })
            }
            std::cmp::Ordering::Greater => json!({ "name": name, "status": "waiting", "attempts": 0 }),
        };
        let log: Vec<String> = STEPS[..done].iter().map(|(name, note)| format!("{name}: {note}")).collect();
        json!({
            "summary": format!("invoice-reconcile {word} {percent}%"), "workflow": "invoice-reconcile", "run": "abc123",
            "status": status, "step": word, "progress_percent": percent,
            "steps": STEPS.iter().enumerate().map(step).collect::<Vec<_>>(),
            "figures": { "invoices": 1200, "payments": if done > 0 { 1150 } else { 0 }, "matched": if done > 2 { 1129 } else { 0 } },
            "log": log,
        })
    }
}

fn opened(wall_ms: u64) -> Value {
    json!({
        "summary": "INC-1042 open", "id": "INC-1042", "title": "Checkout answers slowly", "service": "checkout",
        "severity": "high", "status": "open", "assigned_to": null, "opened_at": timestamp(wall_ms), "notes": {},
        "tasks": {
            "find": { "text": "Find what changed" }, "tell": { "text": "Tell customers" },
            "rollback": { "text": "Roll back or fix forward" }, "verify": { "text": "Watch it for ten minutes" },
        },
    })
}

fn shift() -> Value {
    json!({
        "operators": { "ana": { "doing": "on call" }, "bo": { "doing": "on call" } },
        "services": { "checkout": "degraded", "payments": "ok", "search": "ok", "mail": "ok", "catalogue": "ok" },
    })
}

fn notes() -> Value {
    json!({
        "summary": "launch-notes draft", "status": "draft", "people": {},
        "fields": {
            "headline": "Orders appear the moment they are placed",
            "changes": "The board no longer asks every five seconds.", "risks": "", "audience": "everybody",
        },
    })
}

fn settings(wall_ms: u64) -> Value {
    json!({
        "summary": "checkout settings v7 by ops", "version": 7, "saved_by": "ops", "saved_at": timestamp(wall_ms),
        "limit": 240, "free_shipping_from": 49, "provider": "adyen", "banner": "Delivered by Friday", "maintenance": false,
    })
}

impl Producer for Boards {
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        self.turn += 1;
        match self.turn {
            1 => Step::put("settings-checkout", &settings(wall_ms), 50),
            2 => Step::put("review-launch-notes", &notes(), 50),
            3 => Step::put("ops-board-main", &shift(), 50),
            turn if turn % 4 == 0 => self.incident(wall_ms),
            _ => self.run(dice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::producer::tests::story;
    use super::*;

    #[test]
    fn a_run_goes_forward_to_its_end_and_then_begins_again() {
        let (mut percent, mut ends, mut retries) = (0, 0, 0);
        for states in story(&mut Boards::new(), 5, 400) {
            let Some(state) = states.get(WORKFLOW) else { continue };
            let now = state["progress_percent"].as_u64().unwrap();
            assert!(now >= percent || (percent == 100 && now == 0), "{now} after {percent}");
            ends += u64::from(now == 100 && percent < 100);
            retries += u64::from(state["status"] == "retrying");
            percent = now;
            let summary = state["summary"].as_str().unwrap();
            assert!(
                summary.starts_with("invoice-reconcile ") && summary.ends_with(&format!(" {now}%")),
                "{summary}"
            );
        }
        assert!(ends > 5 && retries > 5, "{ends} {retries}");
    }

    #[test]
    fn an_incident_is_resolved_with_its_tasks_done_and_then_opened_anew() {
        let told = story(&mut Boards::new(), 5, 400);
        let incidents: Vec<&Value> = told.iter().filter_map(|states| states.get(INCIDENT)).collect();
        let is_done = |task: &Value| task["done_by"].is_string();
        let resolved: Vec<_> = incidents.iter().filter(|state| state["status"] == "resolved").collect();
        assert!(!resolved.is_empty());
        for state in resolved {
            assert!(state["tasks"].as_object().unwrap().values().all(is_done), "{state}");
            assert_eq!(state["summary"], "INC-1042 resolved");
        }
        assert_eq!(incidents.last().unwrap()["id"], "INC-1042");
    }

    #[test]
    fn what_people_edit_is_written_once() {
        let told = story(&mut Boards::new(), 5, 200);
        for key in ["settings-checkout", "review-launch-notes", "ops-board-main"] {
            assert_eq!(told[3].get(key), told[199].get(key), "{key}");
        }
    }
}
