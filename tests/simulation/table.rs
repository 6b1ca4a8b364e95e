//! Who may do what in a world, and how that changes.
//!
//! Always true: what is taken away never comes back, so "may now" means "might at every moment before".
//! Patterns are judged by code of the test's own.
//!
//! Read first: `plan.rs`.

use std::sync::Arc;

use lux::access::{Access, Grant, KeyEntry, hash};
use lux::key::Pattern;

use crate::dice::Dice;

/// What one API key may do.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Patterns it reads.
    pub read: Vec<String>,
    /// Patterns it writes.
    pub write: Vec<String>,
    /// When it expires, by the wall clock.
    pub expires: Option<u64>,
}

/// One table of API keys.
#[derive(Clone)]
pub struct Table {
    /// One place for each API key there ever was; empty once it is revoked.
    pub holders: Vec<Option<Holder>>,
    /// The same, as the broker takes it.
    pub access: Arc<Access>,
}

/// The text of an API key.
pub fn secret(holder: usize) -> String {
    format!("lux_simulated-holder-{holder:04}")
}

/// Whether a pattern names a key.
pub fn matches(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == key, |prefix| key.starts_with(prefix))
}

/// Whether a pattern names everything that another can name.
pub fn covers(pattern: &str, other: &str) -> bool {
    match (pattern.strip_suffix('*'), other.strip_suffix('*')) {
        (Some(prefix), Some(of)) => of.starts_with(prefix),
        (Some(prefix), None) => other.starts_with(prefix),
        (None, Some(_)) => false,
        (None, None) => pattern == other,
    }
}

impl Table {
    /// A table of these.
    pub fn new(holders: Vec<Option<Holder>>) -> Table {
        let patterns = |texts: &[String]| -> Vec<Pattern> {
            texts.iter().filter_map(|text| Pattern::parse(text.as_bytes()).ok()).collect()
        };
        let entry = |(at, holder): (usize, &Option<Holder>)| {
            let holder = holder.as_ref()?;
            Some(KeyEntry {
                name: format!("holder {at}"),
                hash: hash(&secret(at)),
                grant: Grant { read: patterns(&holder.read), write: patterns(&holder.write) },
                expires_at_ms: holder.expires,
            })
        };
        let access = Arc::new(Access::new(holders.iter().enumerate().filter_map(entry).collect()));
        Table { holders, access }
    }

    /// As many holders as there are peers; each reads everything, or a part of it.
    pub fn draw(peers: usize, narrow: bool, dice: &mut Dice) -> Table {
        let holder = |_| {
            let read = match narrow && dice.once_in(3) {
                true => vec![(*dice.pick(&["d-*", "d-1*", "a", "job-*"])).to_owned(), "~".to_owned()],
                false => vec!["*".to_owned()],
            };
            Some(Holder { read, write: vec!["*".to_owned()], expires: None })
        };
        Table::new((0..peers).map(holder).collect())
    }

    /// The table with one holder less, narrower, or with an end.
    pub fn shrunk(&self, wall_ms: u64, dice: &mut Dice) -> Table {
        let mut holders = self.holders.clone();
        let at = dice.below(holders.len());
        let (what, pattern) = (dice.below(4), *dice.pick(&["d-*", "d-1", "a", "job-*"]));
        let soon = wall_ms + dice.skewed(60_000) as u64;
        if let Some(holder) = &mut holders[at] {
            match what {
                0 => holder.read.retain(|read| covers(pattern, read)),
                1 => holder.write.retain(|write| covers(pattern, write)),
                2 => holder.expires = Some(holder.expires.unwrap_or(u64::MAX).min(soon)),
                _ => holders[at] = None,
            }
        }
        // Places move, as they do when somebody edits the file: who stands where means nothing.
        Table::new(holders)
    }

    /// Whether a holder may read all that a pattern can name. One with an end is not known to.
    pub fn may_read(&self, holder: usize, pattern: &str) -> bool {
        let granted = |holder: &Holder| holder.read.iter().any(|read| covers(read, pattern));
        self.holders[holder].as_ref().is_some_and(granted)
    }

    /// Whether a holder may write a key.
    pub fn may_write(&self, holder: usize, key: &str) -> bool {
        let granted = |holder: &Holder| holder.write.iter().any(|write| matches(write, key));
        self.holders[holder].as_ref().is_some_and(granted)
    }

    /// Whether a holder is there and has no end.
    pub fn is_lasting(&self, holder: usize) -> bool {
        self.holders[holder].as_ref().is_some_and(|holder| holder.expires.is_none())
    }
}
