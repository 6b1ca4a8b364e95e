//! What a viewer has seen, over all its connections: frames in, what is new to its user out.
//!
//! Always true: what was shown once is not shown again after a reconnect, what was missed is, and a key that
//! went away meanwhile is said to be gone.
//!
//! Read first: `frame.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::frame::{Frame, Record, parse};
use crate::key::Pattern;

/// Everything seen so far.
pub struct Session {
    /// One key is watched: the broker can leave out what we have.
    single: bool,
    epoch: Option<String>,
    seen: BTreeMap<String, u64>,
    phase: Phase,
}

/// Where the connection stands in its stream.
enum Phase {
    /// The first snapshot: everything in it is new.
    First,
    /// A later snapshot, held back: only its end tells the epoch, and so what in it is new.
    Again(Vec<Record>),
    /// After the snapshot.
    Live,
}

/// Something to show.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// A state, or its deletion; a change unless it is part of the first snapshot.
    Record {
        /// As it came.
        record: Record,
        /// Whether it happened after the first snapshot.
        is_change: bool,
    },
    /// The key went away while there was no connection; its last revision is not known.
    Gone(String),
    /// The snapshot is complete.
    Synced,
    /// The broker's own words.
    Said(String),
}

impl Session {
    /// A viewer of these patterns that has seen nothing.
    pub fn new(patterns: &[Pattern]) -> Session {
        let single = matches!(patterns, [Pattern::Exact(_)]);
        Session { single, epoch: None, seen: BTreeMap::new(), phase: Phase::First }
    }

    /// A connection begins, with its snapshot.
    pub fn begin(&mut self) {
        self.phase = if self.epoch.is_none() { Phase::First } else { Phase::Again(Vec::new()) };
    }

    /// What to pass as `since`, if the broker could make use of it.
    pub fn since(&self) -> Option<String> {
        let rev = self.seen.values().next().filter(|rev| self.single && **rev > 0)?;
        self.epoch.as_ref().map(|epoch| format!("{epoch}.{rev}"))
    }

    /// Takes one text frame.
    pub fn take(&mut self, text: &str) -> Vec<News> {
        match parse(text) {
            Some(Frame::Record(record)) => self.take_record(record),
            Some(Frame::Synced { epoch }) => self.take_synced(epoch),
            Some(Frame::Said(words)) => vec![News::Said(words)],
            None => Vec::new(),
        }
    }

    fn take_record(&mut self, record: Record) -> Vec<News> {
        match &mut self.phase {
            Phase::First => vec![self.show(record, false)],
            Phase::Live => vec![self.show(record, true)],
            Phase::Again(held) => {
                held.push(record);
                Vec::new()
            }
        }
    }

    fn take_synced(&mut self, epoch: String) -> Vec<News> {
        let same_epoch = self.epoch.as_ref() == Some(&epoch);
        self.epoch = Some(epoch);
        let mut news = match std::mem::replace(&mut self.phase, Phase::Live) {
            Phase::First | Phase::Live => Vec::new(),
            Phase::Again(held) => self.catch_up(held, same_epoch),
        };
        news.push(News::Synced);
        news
    }

    fn catch_up(&mut self, held: Vec<Record>, same_epoch: bool) -> Vec<News> {
        let mut news = Vec::new();
        if !self.single {
            // With one key an empty snapshot means "nothing changed"; with several it means "nothing is left".
            let present: BTreeSet<&str> = held.iter().map(|record| record.key.as_str()).collect();
            let gone: Vec<String> =
                self.seen.keys().filter(|key| !present.contains(key.as_str())).cloned().collect();
            for key in gone {
                self.seen.remove(&key);
                news.push(News::Gone(key));
            }
        }
        for record in held {
            let known = same_epoch && self.seen.get(&record.key).is_some_and(|rev| record.rev <= *rev);
            if !known {
                news.push(self.show(record, true));
            }
        }
        news
    }

    fn show(&mut self, record: Record, is_change: bool) -> News {
        if record.deleted && !self.single {
            // No snapshot of several keys has deletions: kept here, it would be said to be gone once more.
            self.seen.remove(&record.key);
        } else {
            self.seen.insert(record.key.clone(), record.rev);
        }
        News::Record { record, is_change }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(patterns: &[&str]) -> Session {
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::parse(text.as_bytes()).unwrap()).collect();
        Session::new(&patterns)
    }

    /// Frames written as `a1` (key a, revision 1), `a2!` (its deletion) and `=e` (synced in epoch e).
    fn hear(session: &mut Session, frames: &str) -> String {
        frames
            .split_whitespace()
            .flat_map(|frame| session.take(&expand(frame)))
            .map(|news| shrink(&news))
            .collect()
    }

    fn expand(frame: &str) -> String {
        if let Some(epoch) = frame.strip_prefix('=') {
            return format!("{{\"synced\":true,\"epoch\":\"{epoch}\"}}");
        }
        let (key, rest) = frame.split_at(1);
        let end = if rest.ends_with('!') { ",\"data\":null,\"deleted\":true" } else { ",\"data\":0" };
        format!("{{\"key\":\"{key}\",\"rev\":{},\"updatedAt\":1{end}}}", rest.trim_end_matches('!'))
    }

    fn shrink(news: &News) -> String {
        match news {
            News::Record { record, is_change } => {
                let end = if record.deleted { "!" } else { "" };
                let begin = if *is_change { "" } else { "snap:" };
                format!("{begin}{}{}{end} ", record.key, record.rev)
            }
            News::Gone(key) => format!("gone:{key} "),
            News::Synced => "synced ".to_owned(),
            News::Said(words) => format!("said:{words} "),
        }
    }

    #[test]
    fn the_first_connection_shows_everything_as_it_comes() {
        let mut session = session(&["*"]);
        session.begin();
        assert_eq!(hear(&mut session, "a1 b4 =e a2 b5! c1"), "snap:a1 snap:b4 synced a2 b5! c1 ");
        assert_eq!(session.since(), None, "several keys have no common revision");
    }

    #[test]
    fn after_a_reconnect_only_what_was_missed_is_shown() {
        let mut session = session(&["*"]);
        session.begin();
        hear(&mut session, "a1 b4 c9 =e c10!");
        session.begin();
        assert_eq!(hear(&mut session, "a1 d1 =e a2"), "gone:b d1 synced a2 ");
        session.begin();
        assert_eq!(hear(&mut session, "a2 d1 =e"), "synced ");
    }

    #[test]
    fn a_new_epoch_shows_all_there_is() {
        let mut session = session(&["*"]);
        session.begin();
        hear(&mut session, "a7 b4 =old");
        session.begin();
        assert_eq!(hear(&mut session, "a1 =new"), "gone:b a1 synced ");
    }

    #[test]
    fn one_key_says_what_it_has_and_is_not_gone_when_nothing_comes() {
        let mut session = session(&["a"]);
        session.begin();
        hear(&mut session, "a6 =e a7");
        assert_eq!(session.since().as_deref(), Some("e.7"));
        session.begin();
        assert_eq!(hear(&mut session, "=e"), "synced ");
        session.begin();
        assert_eq!(hear(&mut session, "a8! =e"), "a8! synced ");
        assert_eq!(session.since().as_deref(), Some("e.8"));
        session.begin();
        assert_eq!(hear(&mut session, "a0 =new"), "a0 synced ");
        assert_eq!(session.since(), None);
    }

    #[test]
    fn a_connection_lost_inside_the_first_snapshot_starts_over() {
        let mut session = session(&["*"]);
        session.begin();
        hear(&mut session, "a1");
        session.begin();
        assert_eq!(hear(&mut session, "a1 b1 =e"), "snap:a1 snap:b1 synced ");
    }
}
