//! What a producer of the demo is: a story told in writes, with rests between them.
//!
//! Always true: a producer knows no clock, no broker and no randomness of its own, so a test can hear its
//! whole story in an instant.
//!
//! Read first: `dice.rs`.

use serde::Serialize;

use super::dice::Dice;

/// A story that does not end.
pub trait Producer: Send {
    /// The next write, and how long to rest after it.
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step;
}

/// One write and a rest.
pub struct Step {
    /// What to write.
    pub write: Write,
    /// Milliseconds until the next.
    pub rest_ms: u64,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The whole state, as JSON.
    Put(String, String),
    /// Some members, as a JSON Merge Patch.
    Patch(String, String),
    /// The end of the state.
    Delete(String),
}

impl Step {
    /// Writes the whole state of a key.
    pub fn put(key: impl Into<String>, state: &impl Serialize, rest_ms: u64) -> Step {
        Step { write: Write::Put(key.into(), json(state)), rest_ms }
    }

    /// Changes members of a key's state.
    pub fn patch(key: impl Into<String>, patch: &impl Serialize, rest_ms: u64) -> Step {
        Step { write: Write::Patch(key.into(), json(patch)), rest_ms }
    }

    /// Deletes a key's state.
    pub fn delete(key: impl Into<String>, rest_ms: u64) -> Step {
        Step { write: Write::Delete(key.into()), rest_ms }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A point in time as producers write it.
pub fn timestamp(wall_ms: u64) -> String {
    crate::access::keyfile::format_time(wall_ms)
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    /// The states that a broker would hold after each of so many writes.
    pub fn story(producer: &mut dyn Producer, seed: u64, steps: usize) -> Vec<BTreeMap<String, Value>> {
        let (mut dice, mut wall_ms) = (Dice::new(seed, 0), 1_782_000_000_000);
        let mut states: BTreeMap<String, Value> = BTreeMap::new();
        let mut told = Vec::new();
        for _ in 0..steps {
            let step = producer.step(&mut dice, wall_ms);
            assert!(step.rest_ms > 0, "a producer without rest would flood the broker");
            wall_ms += step.rest_ms;
            match step.write {
                Write::Put(key, state) => drop(states.insert(key, serde_json::from_str(&state).unwrap())),
                Write::Patch(key, patch) => {
                    let state = states.get_mut(&key).expect("a patch of a state that is there");
                    merge(state, serde_json::from_str(&patch).unwrap());
                }
                Write::Delete(key) => drop(states.remove(&key).expect("a deletion of a state that is there")),
            }
            told.push(states.clone());
        }
        told
    }

    fn merge(state: &mut Value, patch: Value) {
        match (state, patch) {
            (Value::Object(state), Value::Object(patch)) => {
                for (name, value) in patch {
                    if value.is_null() {
                        state.remove(&name);
                    } else {
                        merge(state.entry(name).or_insert(Value::Null), value);
                    }
                }
            }
            (state, patch) => *state = patch,
        }
    }
}
