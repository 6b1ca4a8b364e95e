//! One stream of work: producers that write keys, and viewers that watch them.
//!
//! Always true: in a closed loop the next writes go out when all answers and all deliveries of the former
//! are there; in an open loop they go out when the schedule says, and count from then. Figures hold what
//! happened between [`Flow::measure`] and its end, the warm-up never.
//!
//! Read first: `fleet/mod.rs`, `ledger.rs`, `audience.rs`.

use std::rc::Rc;

use crate::audience::{Audience, Watching};
use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::fleet::producer::Answer;
use crate::fleet::viewer::Seen;
use crate::http::Request;
use crate::latency::Latencies;
use crate::ledger::Ledger;
use crate::mark::Tag;
use crate::pace::Pace;
use crate::speech::Greeting;
use crate::state;
use crate::target::Target;

/// What producers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Replace the state.
    Put,
    /// Merge into it.
    Patch,
    /// Read it; nothing is delivered to anybody.
    Get,
}

/// What a flow is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What its figures are called.
    pub name: &'static str,
    /// What producers do.
    pub verb: Verb,
    /// Keys, spread over the producers.
    pub keys: usize,
    /// Producers, each with its own connection.
    pub producers: usize,
    /// Viewers in all.
    pub viewers: usize,
    /// Who watches what.
    pub watching: Watching,
    /// Size of a state, bytes.
    pub bytes: usize,
    /// Writes a second of all producers together; `None` is a closed loop.
    pub rate: Option<f64>,
    /// Writes, each of another key, that go out together in a closed loop.
    pub burst: usize,
    /// Unanswered requests of one producer, at most.
    pub pipeline: usize,
    /// Viewers that are being opened at a time.
    pub opening: usize,
}

/// A closed loop's round that takes longer is given up, and counted.
const ROUND_MAX: Nanos = 5 * SECOND;

/// One producer's closed loop.
struct Round {
    next_key: usize,
    /// Answers and deliveries still to come.
    outstanding: usize,
    began: Nanos,
}

/// A flow that runs.
pub struct Flow {
    /// What it does.
    pub plan: Plan,
    /// All its writes.
    pub ledger: Ledger,
    /// Its viewers.
    pub audience: Audience,
    /// From when a request should have gone out to its answer.
    pub answered: Latencies,
    /// From when a write should have gone out to when the last viewer had it; closed loop only.
    pub everywhere: Latencies,
    /// Answers that were no success, while measuring or not.
    pub refused: u64,
    requests: Vec<Request>,
    rounds: Vec<Round>,
    pace: Option<Pace>,
    turn: usize,
    first_viewer: usize,
    first_producer: usize,
    is_measuring: bool,
    is_paused: bool,
}

impl Flow {
    /// Connects everybody, gives every key a state, and opens the viewers.
    ///
    /// # Errors
    /// The broker is not there, or does not take the first states.
    pub fn open(plan: Plan, target: &Target, tag: Tag, fleet: &mut Fleet) -> Result<Flow, Failure> {
        let keys: Vec<String> = (0..plan.keys).map(|key| format!("{}{key:05}", prefix(&plan, tag))).collect();
        let state = state::build(plan.bytes, &tag.mark(0));
        let request = |key: &String| match plan.verb {
            Verb::Put => Ok(target.put(key, &state)),
            Verb::Patch => target.patch(key, &state),
            Verb::Get => target.get(key),
        };
        let mut flow = Flow {
            ledger: Ledger::new(tag, plan.keys),
            audience: Audience::new(plan.watching, plan.keys, plan.viewers),
            answered: Latencies::new(),
            everywhere: Latencies::new(),
            refused: 0,
            requests: keys.iter().map(|key| target.put(key, &state)).collect(),
            rounds: (0..plan.producers).map(|p| Round { next_key: p, outstanding: 0, began: 0 }).collect(),
            pace: None,
            turn: 0,
            first_viewer: fleet.viewers(),
            first_producer: fleet.producers.len(),
            is_measuring: false,
            is_paused: false,
            plan: plan.clone(),
        };
        for _ in 0..plan.producers {
            fleet.add_producer()?;
        }
        flow.seed(fleet)?;
        flow.requests = keys.iter().map(request).collect::<Result<_, _>>()?;
        flow.open_viewers(&keys, target, tag, fleet)?;
        flow.pace = plan.rate.map(|rate| Pace::new(rate, fleet.clock.now()));
        Ok(flow)
    }

    /// Every key gets a first state, so that viewers have a snapshot to wait for.
    fn seed(&mut self, fleet: &mut Fleet) -> Result<(), Failure> {
        let until = fleet.clock.after(10.0);
        for key in 0..self.plan.keys {
            self.write(fleet, key % self.plan.producers, key, fleet.clock.now());
            self.flush(fleet, key % self.plan.producers);
            while fleet.answers.is_empty() && fleet.clock.now() < until && fleet.errors.is_empty() {
                fleet.turn(until, &mut |_| {})?;
            }
            match fleet.answers.pop() {
                Some(answer) if (200..300).contains(&answer.status) => {}
                Some(answer) => {
                    return Err(Failure::new(format!("the first PUT was answered with {}", answer.status)));
                }
                None => {
                    return Err(Failure::new(format!("the first PUT had no answer ({:?})", fleet.errors)));
                }
            }
        }
        Ok(())
    }

    fn open_viewers(
        &mut self,
        keys: &[String],
        target: &Target,
        tag: Tag,
        fleet: &mut Fleet,
    ) -> Result<(), Failure> {
        if self.plan.viewers == 0 {
            return Ok(());
        }
        let patterns: Vec<Rc<Greeting>> = match self.plan.watching {
            Watching::OneKey => keys.iter().map(|key| target.watch(key)).collect::<Result<_, _>>()?,
            Watching::Prefix => vec![target.watch(&format!("{}*", prefix(&self.plan, tag)))?],
        };
        let greetings = (0..self.plan.viewers).map(|viewer| Some(patterns[viewer % patterns.len()].clone()));
        let at_once = self.plan.opening;
        fleet.open_viewers(greetings, at_once, 60.0, &mut |seen| self.saw(&seen))
    }

    /// Whether this viewer is of this flow.
    pub fn has_viewer(&self, viewer: usize) -> bool {
        (self.first_viewer..self.first_viewer + self.plan.viewers).contains(&viewer)
    }

    /// Counts a message to one of its viewers.
    pub fn saw(&mut self, seen: &Seen<'_>) {
        let viewer = seen.viewer - self.first_viewer;
        let Some(publication) = self.audience.saw(&self.ledger, viewer, seen.payload, seen.at) else {
            return;
        };
        if self.plan.rate.is_none() {
            let key = publication.key as usize;
            if publication.order == self.ledger.latest(key) {
                self.advance(key % self.plan.producers, seen.at);
            }
        }
    }

    /// Counts an answer, if it is to one of its producers.
    pub fn answered(&mut self, answer: Answer) {
        let producers = self.first_producer..self.first_producer + self.plan.producers;
        if !producers.contains(&answer.producer) {
            return;
        }
        if !(200..300).contains(&answer.status) {
            self.refused += 1;
        }
        if self.is_measuring {
            self.answered.record(answer.at.saturating_sub(answer.intended));
        }
        if self.plan.rate.is_none() {
            self.advance(answer.producer - self.first_producer, answer.at);
        }
    }

    fn advance(&mut self, producer: usize, at: Nanos) {
        let round = &mut self.rounds[producer];
        round.outstanding = round.outstanding.saturating_sub(1);
        if round.outstanding == 0 && self.is_measuring && self.plan.viewers > 0 {
            self.everywhere.record(at - round.began);
        }
    }

    /// When it wants to send next.
    pub fn due(&self, now: Nanos) -> Nanos {
        match &self.pace {
            _ if self.is_paused => now + SECOND,
            Some(pace) => pace.due().max(now),
            None if self.rounds.iter().any(|round| round.outstanding == 0) => now,
            None => now + 100 * MILLISECOND,
        }
    }

    /// Sends what is due.
    pub fn send(&mut self, fleet: &mut Fleet) {
        match self.is_paused {
            true => {}
            false if self.plan.rate.is_some() => self.send_due(fleet),
            false => (0..self.plan.producers).for_each(|producer| self.send_round(fleet, producer)),
        }
    }

    fn send_due(&mut self, fleet: &mut Fleet) {
        let now = fleet.clock.now();
        while let Some(due) = self.pace.as_ref().map(Pace::due).filter(|due| *due <= now) {
            let key = self.turn % self.plan.keys;
            let producer = key % self.plan.producers;
            if fleet.producers[self.first_producer + producer].in_flight() >= self.plan.pipeline {
                break;
            }
            self.write(fleet, producer, key, due);
            self.turn += 1;
            if let Some(pace) = self.pace.as_mut() {
                pace.advance();
            }
        }
        (0..self.plan.producers).for_each(|producer| self.flush(fleet, producer));
    }

    fn send_round(&mut self, fleet: &mut Fleet, producer: usize) {
        let now = fleet.clock.now();
        let round = &mut self.rounds[producer];
        if round.outstanding > 0 {
            if now.saturating_sub(round.began) < ROUND_MAX {
                return;
            }
            fleet.error("a round that was not over in 5 s");
        }
        round.began = now;
        round.outstanding = 0;
        for _ in 0..self.plan.burst {
            let key = self.rounds[producer].next_key;
            let next = key + self.plan.producers;
            let deliveries = if self.plan.verb == Verb::Get { 0 } else { self.audience.watchers(key) };
            let round = &mut self.rounds[producer];
            round.outstanding += 1 + deliveries;
            round.next_key = if next < self.plan.keys { next } else { producer };
            self.write(fleet, producer, key, now);
        }
        self.flush(fleet, producer);
    }

    fn write(&mut self, fleet: &mut Fleet, producer: usize, key: usize, intended: Nanos) {
        let request = match self.plan.verb {
            Verb::Get => self.requests[key].numbered(0),
            Verb::Put | Verb::Patch => {
                let number = self.ledger.publish(key, intended);
                self.requests[key].numbered(number)
            }
        };
        fleet.producers[self.first_producer + producer].queue(request, intended);
    }

    fn flush(&mut self, fleet: &mut Fleet, producer: usize) {
        if let Err(error) = fleet.producers[self.first_producer + producer].flush() {
            fleet.error(format!("sending a request: {error}"));
        }
    }

    /// Forgets the figures and begins to measure, or stops.
    pub fn measure(&mut self, on: bool) {
        self.is_measuring = on;
        self.audience.measure(on);
        if on {
            self.answered.clear();
            self.everywhere.clear();
        }
    }

    /// Sends nothing more, or goes on with a new schedule.
    pub fn pause(&mut self, on: bool, now: Nanos) {
        self.is_paused = on;
        if let Some(pace) = self.pace.as_mut() {
            pace.restart(now);
        }
    }

    /// States of viewers that are not the last of their key.
    pub fn missing(&self) -> usize {
        (0..self.plan.viewers).map(|viewer| self.audience.missing(&self.ledger, viewer)).sum()
    }

    /// The fleet's index of its first viewer.
    pub fn first_viewer(&self) -> usize {
        self.first_viewer
    }

    /// The fleet's index of its first producer.
    pub fn first_producer(&self) -> usize {
        self.first_producer
    }
}

fn prefix(plan: &Plan, tag: Tag) -> String {
    format!("load-{}-{}-", tag.as_str(), plan.name)
}
