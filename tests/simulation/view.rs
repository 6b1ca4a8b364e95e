//! What a viewer holds, by the contract's own rules.
//!
//! Always true: it is as simple as a client can be. It takes a record, forgets a deletion, and at `synced`
//! drops what it held and did not see.
//!
//! Read first: `truth.rs`, `table.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::breach::{Kept, breach, hold};
use crate::speech::record::Record;
use crate::table::matches;
use crate::truth::{Truth, show};

/// What the world knew when a viewer asked for something.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For which patterns.
    pub patterns: Vec<String>,
    /// Each key's revision at its owner then, 0 where it had no state.
    pub floors: Vec<u64>,
    /// Those of them that were not watched before.
    pub fresh: Vec<String>,
    /// Those of them that were ended again before the answer came: nothing is promised of them.
    given_up: Vec<String>,
    /// All of them were granted then.
    pub allowed: bool,
    /// So many patterns had been ended before.
    ended_before: usize,
    /// What was seen since, or since its snapshot began.
    seen: BTreeSet<usize>,
}

impl Asked {
    /// A question of now.
    pub fn new(patterns: Vec<String>, truth: &Truth) -> Asked {
        let floor = |key: &crate::truth::KeyTruth| if key.is_live { key.rev } else { 0 };
        let floors = truth.keys.iter().map(floor).collect();
        Asked {
            fresh: patterns.clone(),
            patterns,
            floors,
            given_up: Vec::new(),
            allowed: true,
            ended_before: 0,
            seen: BTreeSet::new(),
        }
    }

    /// The patterns, each once.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for pattern in &self.patterns {
            if !names.contains(pattern) {
                names.push(pattern.clone());
            }
        }
        names
    }
}

/// One viewer's memory, over all its connections.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What it watches now: patterns that were asked for and not ended.
    pub patterns: Vec<String>,
    /// Patterns that were ended; their records may still be on the way.
    pub ended: Vec<String>,
    /// One key in the path.
    pub single: bool,
    /// The stream began with a `since` of this epoch.
    pub resumed: bool,
    /// The first snapshot is over.
    pub synced: bool,
    /// Questions without their `synced`, oldest first; the first of a stream is its opening.
    pub pending: VecDeque<Asked>,
    /// The states it holds, by key.
    pub held: BTreeMap<usize, u64>,
    /// The newest revision it saw of each key, in this epoch; its deletion's too.
    pub last: BTreeMap<usize, u64>,
    /// The epoch that `held` and `last` are of.
    pub epoch: String,
}

impl View {
    /// A stream begins.
    pub fn open(&mut self, patterns: Vec<String>, single: bool, resumed: bool, truth: &Truth) {
        if self.epoch != truth.epoch {
            self.last.clear();
            self.held.clear();
            self.epoch = truth.epoch.clone();
        }
        self.patterns = patterns.clone();
        self.ended.clear();
        (self.single, self.resumed, self.synced) = (single, resumed, false);
        self.pending = VecDeque::from([Asked::new(patterns, truth)]);
    }

    /// The viewer asks for more.
    pub fn subscribe(&mut self, patterns: &[String], allowed: bool, truth: &Truth) {
        let mut asked = Asked { allowed, ..Asked::new(patterns.to_vec(), truth) };
        asked.ended_before = self.ended.len();
        asked.fresh.retain(|pattern| !self.patterns.contains(pattern));
        for pattern in patterns {
            if !self.patterns.contains(pattern) {
                self.patterns.push(pattern.clone());
            }
        }
        self.pending.push_back(asked);
    }

    /// The viewer asks for less.
    pub fn unsubscribe(&mut self, patterns: &[String]) {
        self.patterns.retain(|pattern| !patterns.contains(pattern));
        self.ended.extend(patterns.iter().cloned());
        for asked in &mut self.pending {
            asked.given_up.extend(patterns.iter().cloned());
        }
    }

    /// The revision that a viewer can say it has of a key: that of the state it holds, or of its deletion.
    pub fn has_of(&self, key: usize, truth: &Truth) -> Option<u64> {
        let last = *self.last.get(&key)?;
        let was_state = truth.keys[key].versions.get(&last).is_some_and(|version| version.record.is_live());
        (!was_state || self.held.get(&key) == Some(&last)).then_some(last)
    }

    /// Whether a key is among what was asked for.
    pub fn wants(&self, key: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, key))
    }

    /// A record came.
    pub fn record(&mut self, record: &Record, truth: &mut Truth) -> Kept {
        let Some(key) = truth.place(&record.key) else {
            return self.stranger(record);
        };
        truth.saw(record)?;
        let is_asked = self.wants(&record.key) || self.ended.iter().any(|p| matches(p, &record.key));
        hold(is_asked, "nothing for a key not asked for", || {
            format!("{} to a viewer of {:?}", show(record), self.patterns)
        })?;
        let last = self.last.insert(key, record.rev);
        let may_repeat = !self.pending.is_empty();
        let is_newer = last.is_none_or(|last| record.rev > last || (record.rev == last && may_repeat));
        hold(is_newer, "monotonic", || format!("{} after revision {last:?}", show(record)))?;
        match record.is_live() {
            true => self.held.insert(key, record.rev),
            false => self.held.remove(&key),
        };
        for asked in &mut self.pending {
            asked.seen.insert(key);
        }
        Ok(())
    }

    /// A record of a key that nobody ever writes: only its absence may be told, and only to who asked.
    fn stranger(&self, record: &Record) -> Kept {
        let fits = !record.is_live() && self.single && self.wants(&record.key);
        hold(fits, "no invented value", || show(record))
    }

    /// The snapshot of what was given up and asked for again begins: what was seen before is not of it.
    pub fn syncing(&mut self, keys: &[String]) -> Kept {
        let Some(asked) = self.pending.front_mut().filter(|_| self.synced) else {
            return breach("complete start", format!("a snapshot of {keys:?} that nobody asked for"));
        };
        asked.seen.clear();
        hold(asked.names() == keys, "complete start", || {
            format!("{:?} asked for, {keys:?} begun", asked.patterns)
        })
    }

    /// A snapshot is over.
    pub fn synced(&mut self, keys: Option<&[String]>, truth: &Truth) -> Kept {
        const PROMISE: &str = "complete start";
        let Some(asked) = self.pending.pop_front() else {
            return breach(PROMISE, "a `synced` that nobody asked for");
        };
        hold(asked.allowed, "who may do what", || format!("{:?} without a grant", asked.patterns))?;
        match (self.synced, keys) {
            (false, None) => self.synced = true,
            (true, Some(keys)) => {
                let expected = asked.names();
                hold(expected == keys, PROMISE, || format!("{expected:?} asked for, {keys:?} synced"))?;
                // Commands are done in their order: what ended before this is not on the way any more.
                self.ended.drain(..asked.ended_before);
                for later in &mut self.pending {
                    later.ended_before -= asked.ended_before;
                }
            }
            (false, Some(_)) | (true, None) => {
                return breach(PROMISE, format!("synced out of turn: {keys:?}"));
            }
        }
        let names = |key: usize, truth: &Truth| {
            asked.patterns.iter().any(|pattern| matches(pattern, truth.name(key)))
        };
        if !self.resumed {
            self.held.retain(|key, _| !names(*key, truth) || asked.seen.contains(key));
        }
        for (key, floor) in asked.floors.iter().enumerate() {
            let is_promised = |pattern: &&String| !asked.given_up.contains(pattern);
            let mut promised = asked.patterns.iter().filter(is_promised);
            if !promised.any(|pattern| matches(pattern, truth.name(key))) {
                continue;
            }
            let life = &truth.keys[key];
            let is_still = life.is_live && life.rev == *floor && *floor > 0;
            let held = self.held.get(&key);
            let is_watched = self.wants(truth.name(key));
            hold(!is_watched || !is_still || held == Some(floor), PROMISE, || {
                format!("{} was at {floor} all along, and the viewer has {held:?}", truth.name(key))
            })?;
            hold(held.is_none_or(|held| held >= floor), PROMISE, || {
                format!("{} was at {floor} when asked for, and the viewer has {held:?}", truth.name(key))
            })?;
        }
        Ok(())
    }

    /// Holds what the viewer has against what is true, once nothing is on the way.
    pub fn converged(&self, truth: &Truth) -> Kept {
        hold(self.synced && self.pending.is_empty(), "complete start", || {
            format!("{} snapshots of {:?} never ended", self.pending.len(), self.patterns)
        })?;
        for (key, life) in truth.keys.iter().enumerate().filter(|(key, _)| self.wants(truth.name(*key))) {
            let expected = life.is_live.then_some(life.rev);
            let held = self.held.get(&key).copied();
            hold(held == expected, "convergent", || {
                let name = truth.name(key);
                format!("{name} is at {expected:?}, a viewer of {:?} ended on {held:?}", self.patterns)
            })?;
        }
        Ok(())
    }
}
