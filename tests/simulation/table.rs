//! Who may do what in a world, and how that changes.
//!
//! Always true: what is taken away never comes back, so "may now" means "might at every moment before".
//! Patterns are judged by code of the test's own.
//!
//! Read first: `plan.rs`.

use std::sync::Arc;

use lux::access::token::{TokenKey, Tokens};
use lux::access::{Access, Grant, KeyEntry, hash};
use lux::key::Pattern;

use crate::dice::Dice;
use crate::plan::Role;

/// What one API key may do.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Patterns it reads.
    pub read: Vec<String>,
    /// Patterns it writes.
    pub write: Vec<String>,
    /// When it expires, by the wall clock.
    pub expires: Option<u64>,
    /// It shows a token that was made with its API key, in place of that, and when the token ends.
    pub token_ends: Option<u64>,
}

impl Holder {
    fn ends(&self) -> Option<u64> {
        self.expires.into_iter().chain(self.token_ends).min()
    }
}

/// One table of API keys.
#[derive(Clone)]
pub struct Table {
    /// One place for each API key there ever was; empty once it is revoked.
    pub holders: Vec<Option<Holder>>,
    /// The same, as the broker takes it.
    pub access: Arc<Access>,
    /// What each of them shows: its API key, or a token.
    shown: Arc<Vec<String>>,
}

/// The text of an API key.
pub fn secret(holder: usize) -> String {
    format!("lux_simulated-holder-{holder:04}")
}

/// Whose tokens the broker believes: its own. All of them are made before anything happens.
fn tokens() -> Tokens {
    let key = TokenKey::secret(Some("simulated".to_owned()), b"thirty-two bytes that nobody draws")
        .expect("long enough");
    Tokens::default().with_own(vec![key], 86_400_000)
}

fn patterns(texts: &[String]) -> Vec<Pattern> {
    texts.iter().filter_map(|text| Pattern::parse(text.as_bytes()).ok()).collect()
}

/// What a holder shows at the beginning, and so to the end.
fn shown(at: usize, holder: &Option<Holder>, wall_ms: u64) -> String {
    match holder.as_ref().and_then(|holder| Some((holder, holder.token_ends?))) {
        None => secret(at),
        Some((holder, ends)) => {
            let life_ms = ends - wall_ms;
            let minted = tokens().mint(&patterns(&holder.read), life_ms, wall_ms, Some(&hash(&secret(at))));
            minted.expect("it is within its bounds").token
        }
    }
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
    fn new(holders: Vec<Option<Holder>>, shown: Arc<Vec<String>>) -> Table {
        let entry = |(at, holder): (usize, &Option<Holder>)| {
            let holder = holder.as_ref()?;
            Some(KeyEntry {
                name: format!("holder {at}"),
                hash: hash(&secret(at)),
                grant: Grant { read: patterns(&holder.read), write: patterns(&holder.write) },
                expires_at_ms: holder.expires,
            })
        };
        let access = Access::new(holders.iter().enumerate().filter_map(entry).collect());
        Table { holders, access: Arc::new(access.with_tokens(tokens())), shown }
    }

    /// A holder for each peer; each reads everything, or a part of it. Where keys are taken away, some of those who
    /// only read do so with tokens.
    pub fn draw(roles: &[Role], narrow: bool, wall_ms: u64, dice: &mut Dice, ends: &mut Dice) -> Table {
        let holder = |role: &Role| {
            let read = match narrow && dice.once_in(3) {
                true => vec![(*dice.pick(&["d-*", "d-1*", "a", "job-*"])).to_owned(), "~".to_owned()],
                false => vec!["*".to_owned()],
            };
            let may_show_a_token = narrow && !matches!(role, Role::Producer | Role::Vandal);
            if may_show_a_token && ends.once_in(2) {
                let life_s = if ends.once_in(3) { 36_000 } else { 1 + ends.skewed(120) as u64 };
                let token_ends = wall_ms + 1_000 * life_s;
                return Some(Holder { read, write: Vec::new(), expires: None, token_ends: Some(token_ends) });
            }
            Some(Holder { read, write: vec!["*".to_owned()], expires: None, token_ends: None })
        };
        let holders: Vec<Option<Holder>> = roles.iter().map(holder).collect();
        let shown = holders.iter().enumerate().map(|(at, holder)| shown(at, holder, wall_ms)).collect();
        Table::new(holders, Arc::new(shown))
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
        Table::new(holders, self.shown.clone())
    }

    /// What a holder shows, whether it still counts or not.
    pub fn shown(&self, holder: usize) -> &str {
        &self.shown[holder]
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

    /// Whether a holder is gone, by revocation or by time.
    pub fn has_ended(&self, holder: usize, wall_ms: u64) -> bool {
        self.holders[holder].as_ref().is_none_or(|holder| holder.ends().is_some_and(|end| end <= wall_ms))
    }

    /// Whether a holder is there and has no end.
    pub fn is_lasting(&self, holder: usize) -> bool {
        self.holders[holder].as_ref().is_some_and(|holder| holder.ends().is_none())
    }
}
