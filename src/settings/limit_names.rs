//! Every limit with the name an operator knows it by, its unit and the range it may have.
//!
//! Always true: each field of [`Limits`] stands here once, and its default is within its range.
//!
//! Read first: `limits.rs`, `units.rs`.

use super::units;
use crate::limits::{HEAD_FIELDS_CEILING, Limits, NESTING_CEILING};
use crate::operator_error::OperatorError;
use crate::toml_lines::nearest;

/// One limit as an operator sees it.
#[derive(Debug)]
pub struct LimitName {
    /// Its name in `[limits]` and after `--limit`.
    pub name: &'static str,
    /// What it bounds.
    pub about: &'static str,
    /// What its number counts.
    pub kind: LimitKind,
    least: u64,
    most: u64,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

/// What a limit's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Bytes, written as `256 KiB`.
    Bytes,
    /// Milliseconds, written as `20s`.
    Time,
    /// Things.
    Count,
}

/// How many limits there are.
pub const LIMITS: usize = 20;

const KIB: u64 = 1024;
const GIB: u64 = 1024 * 1024 * KIB;
const HOUR_MS: u64 = 3_600_000;

/// A row of the table: the field's type decides the conversions, so they are written by the macro.
macro_rules! limit {
    ($name:literal, $kind:ident, $range:expr, $field:ident, $about:literal) => {
        LimitName {
            name: $name,
            about: $about,
            kind: LimitKind::$kind,
            least: *$range.start(),
            most: *$range.end(),
            get: |limits| limits.$field as u64,
            // No value reaches this before `check` has found it in range, and every range fits the field.
            set: |limits, value| limits.$field = value.try_into().unwrap_or(limits.$field),
        }
    };
}

/// Every limit, in the order in which `lux check` shows them.
pub static LIMIT_NAMES: [LimitName; LIMITS] = [
    limit!("state_bytes", Bytes, 1..=64 * 1024 * KIB, state_bytes_max, "one state, as kept"),
    limit!("nesting", Count, 1..=NESTING_CEILING as u64, nesting_max, "arrays and objects inside each other"),
    limit!("head_bytes", Bytes, KIB..=1024 * KIB, head_bytes_max, "one request head"),
    limit!(
        "head_fields",
        Count,
        8..=HEAD_FIELDS_CEILING as u64,
        head_fields_max,
        "fields in one request head"
    ),
    limit!("keys", Count, 1..=100_000_000, keys_max, "keys with a state, per core"),
    limit!("tombstones", Count, 1..=100_000_000, tombstones_max, "deleted keys remembered, per core"),
    limit!("state_memory", Bytes, 64 * KIB..=1024 * GIB, state_memory_bytes_max, "all states together"),
    limit!("patterns", Count, 1..=1_000_000, patterns_max, "patterns watched by one stream"),
    limit!("connections", Count, 1..=10_000_000, connections_max, "connections, per core"),
    limit!("message_bytes", Bytes, KIB..=64 * 1024 * KIB, message_bytes_max, "one message from a viewer"),
    limit!("head_timeout", Time, 100..=HOUR_MS, head_timeout_ms, "for a request head to arrive"),
    limit!("body_timeout", Time, 100..=HOUR_MS, body_timeout_ms, "for a request body to arrive"),
    limit!("idle_timeout", Time, 100..=24 * HOUR_MS, idle_timeout_ms, "between two requests of a connection"),
    limit!("ping_interval", Time, 100..=HOUR_MS, ping_interval_ms, "between two pings to a viewer"),
    limit!("drain", Time, 0..=HOUR_MS, drain_ms, "for requests under way when the broker stops"),
    limit!("writes_per_key", Count, 0..=1_000_000, writes_per_key, "writes to one key a second; 0: any"),
    limit!(
        "writes_per_api_key",
        Count,
        0..=1_000_000,
        writes_per_api_key,
        "writes by one API key a second, per core; 0: any"
    ),
    limit!(
        "connections_per_address",
        Count,
        0..=10_000_000,
        connections_per_address,
        "connections from one address, per core; 0: any"
    ),
    limit!(
        "connects_per_address",
        Count,
        0..=1_000_000,
        connects_per_address,
        "new connections from one address a second, per core; 0: any"
    ),
    limit!(
        "memory_mark",
        Bytes,
        0..=1024 * GIB,
        memory_mark_bytes,
        "what peers send and are answered, beside the states; 0: any"
    ),
];

impl LimitName {
    /// The limit of this name.
    ///
    /// # Errors
    /// The name that was probably meant, or all there are.
    pub fn find(name: &str) -> Result<&'static LimitName, String> {
        let found = LIMIT_NAMES.iter().find(|limit| limit.name == name);
        found.ok_or_else(|| {
            let names = LIMIT_NAMES.each_ref().map(|limit| limit.name);
            match nearest(name, &names) {
                Some(meant) => format!("there is no limit `{name}`; did you mean `{meant}`?"),
                None => format!("there is no limit `{name}`; the limits are {}", names.join(", ")),
            }
        })
    }

    /// Reads a value of this limit.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        let value = match self.kind {
            LimitKind::Bytes => units::parse_bytes(text),
            LimitKind::Time => units::parse_duration_ms(text),
            LimitKind::Count => units::parse_count(text),
        };
        let value = value.map_err(str::to_owned)?;
        self.check(value).map(|()| value).map_err(|error| error.remedy)
    }

    /// Whether the value is within the limit's range.
    ///
    /// # Errors
    /// The range.
    pub fn check(&self, value: u64) -> Result<(), OperatorError> {
        if (self.least..=self.most).contains(&value) {
            return Ok(());
        }
        let message = format!("the limit `{}` cannot be {}", self.name, self.format(value));
        let remedy = format!("set it from {} to {}", self.format(self.least), self.format(self.most));
        Err(OperatorError::new(message, remedy))
    }

    /// A value of this limit, for people.
    pub fn format(&self, value: u64) -> String {
        match self.kind {
            LimitKind::Bytes => units::format_bytes(value),
            LimitKind::Time => units::format_duration_ms(value),
            LimitKind::Count => units::format_count(value),
        }
    }

    /// Its value, in bytes, milliseconds or things.
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Sets its value, in bytes, milliseconds or things.
    pub fn set(&self, limits: &mut Limits, value: u64) {
        (self.set)(limits, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_settable_and_none_twice() {
        let mut limits = Limits::default();
        for (at, name) in (1000..).zip(&LIMIT_NAMES) {
            name.set(&mut limits, at);
        }
        for (at, name) in (1000..).zip(&LIMIT_NAMES) {
            assert_eq!(name.get(&limits), at, "{} shares its field with another", name.name);
        }
        // Written out without `..`, so that a new field does not compile until it has its row above.
        let Limits {
            state_bytes_max: _,
            nesting_max: _,
            head_bytes_max: _,
            head_fields_max: _,
            keys_max: _,
            tombstones_max: _,
            state_memory_bytes_max: _,
            patterns_max: _,
            connections_max: _,
            message_bytes_max: _,
            head_timeout_ms: _,
            body_timeout_ms: _,
            idle_timeout_ms: _,
            ping_interval_ms: _,
            drain_ms: _,
            writes_per_key: _,
            writes_per_api_key: _,
            connections_per_address: _,
            connects_per_address: _,
            memory_mark_bytes: _,
        } = limits;
    }

    #[test]
    fn defaults_are_within_their_ranges() {
        for name in &LIMIT_NAMES {
            assert_eq!(name.check(name.get(&Limits::default())), Ok(()), "{}", name.name);
        }
    }

    #[test]
    fn values_are_read_in_the_limits_own_unit() {
        let parse = |name: &str, text: &str| LimitName::find(name).unwrap().parse(text);
        assert_eq!(parse("state_bytes", "1 MiB"), Ok(1 << 20));
        assert_eq!(parse("idle_timeout", "2m"), Ok(120_000));
        assert_eq!(parse("keys", "1_000"), Ok(1_000));
        assert!(parse("idle_timeout", "120").unwrap_err().contains("20s"));
        assert!(parse("nesting", "100000").unwrap_err().contains("512"));
        assert!(LimitName::find("state_byte").unwrap_err().contains("did you mean `state_bytes`"));
    }
}
