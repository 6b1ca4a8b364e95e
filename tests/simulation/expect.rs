//! What a client asked for, and whether an answer fits.
//!
//! Always true: an answer is held against what the owner of the key had between question and answer, never
//! against what the broker says about itself.
//!
//! Read first: `truth.rs`, `speech/http.rs`.

use crate::breach::{Kept, breach, hold};
use crate::plan::{Fault, Plan};
use crate::speech::http::Answer;
use crate::speech::record::{self, Record, Said};
use crate::table::{Table, matches};
use crate::truth::{KeyTruth, Truth, show};

/// A condition on a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// None.
    None,
    /// Only this revision may be replaced.
    Match(u64),
    /// Only where there is no state.
    Absent,
}

/// What was asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A state to be put, or patched, with this number in it.
    Write { key: usize, number: u64, is_patch: bool, condition: Condition, minimal: bool },
    /// A state to be deleted.
    Delete { key: usize, condition: Condition },
    /// A state.
    Get { key: usize, have: Option<u64>, bare: bool },
    /// The next state.
    Wait { key: usize, have: u64, wait_ms: u64 },
    /// A page of keys.
    List { prefix: String, after: Option<String>, limit: usize, with_data: bool },
    /// A stream.
    Stream { patterns: Vec<String>, single: bool, resumed: bool, is_socket: bool },
    /// Something that has one answer always.
    Plain(u16),
}

/// A question on its way.
#[derive(Clone, Debug)]
pub struct Expect {
    /// What was asked.
    pub ask: Ask,
    /// In which step.
    pub step: u64,
    /// At which time.
    pub at_ms: u64,
    /// By whom.
    pub holder: usize,
    /// Whether the key it is about might be read by who asked.
    pub might_read: bool,
    /// Whether that was allowed.
    pub allowed: bool,
    /// Each key's revision at its owner then; 0 where it had no state.
    pub floors: Vec<u64>,
}

/// What the world knows when an answer comes.
pub struct Sight<'w> {
    /// What happened to the keys.
    pub truth: &'w mut Truth,
    /// The world.
    pub plan: &'w Plan,
    /// Who may do what, on the core that answers.
    pub table: &'w Table,
    /// The step.
    pub step: u64,
    /// Monotonic milliseconds.
    pub now_ms: u64,
    /// The broker is stopping.
    pub draining: bool,
}

const WHO: &str = "who may do what";

impl Expect {
    /// A question of now.
    pub fn new(ask: Ask, holder: usize, sight: &Sight<'_>) -> Expect {
        let floor = |key: &KeyTruth| if key.is_live { key.rev } else { 0 };
        let floors = sight.truth.keys.iter().map(floor).collect();
        let mut expect = Expect {
            ask,
            step: sight.step,
            at_ms: sight.now_ms,
            holder,
            might_read: true,
            allowed: true,
            floors,
        };
        expect.allowed = expect.is_allowed(sight);
        if let Ask::Write { key, .. } = expect.ask {
            expect.might_read = sight.table.may_read(holder, sight.truth.name(key));
        }
        expect
    }

    /// Whether the method was HEAD.
    pub fn is_bare(&self) -> bool {
        matches!(self.ask, Ask::Get { bare: true, .. })
    }

    fn is_allowed(&self, sight: &Sight<'_>) -> bool {
        let (table, holder) = (sight.table, self.holder);
        match &self.ask {
            Ask::Write { key, .. } | Ask::Delete { key, .. } => {
                table.may_write(holder, sight.truth.name(*key))
            }
            Ask::Get { key, .. } | Ask::Wait { key, .. } => table.may_read(holder, sight.truth.name(*key)),
            Ask::List { prefix, .. } => table.may_read(holder, &format!("{prefix}*")),
            Ask::Stream { patterns, .. } => patterns.iter().all(|pattern| table.may_read(holder, pattern)),
            Ask::Plain(_) => true,
        }
    }

    /// Holds an answer against the question.
    pub fn judge(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept {
        let status = answer.status;
        let describe = || format!("{:?} got {status} {}", self.ask, String::from_utf8_lossy(&answer.body));
        if let Some((epoch, _)) = answer.etag() {
            hold(epoch == sight.truth.epoch, "the epoch is of this life", describe)?;
        }
        match status {
            401 | 403 => {
                let lasts = sight.table.is_lasting(self.holder);
                return hold(!(lasts && self.is_allowed(sight)), WHO, describe);
            }
            408 => {
                return hold(sight.now_ms >= self.at_ms + 10_000, "a head has 10 s, a body 30 s", describe);
            }
            // Where states outlive it, a broker that stops still takes what reaches it.
            503 if sight.draining && !(self.is_write() && sight.plan.has(Fault::Snapshot)) => return Ok(()),
            429 | 503 => return self.judge_guard(answer, sight),
            507 => {
                let is_for_keys = answer.body.starts_with(b"{\"error\":\"keys_full\"");
                let (was_absent, is_smaller) = match self.ask {
                    Ask::Write { key, number, .. } => (
                        sight.truth.was_absent_since(key, self.step),
                        sight.truth.is_replaced_by_less(key, self.floors[key], number),
                    ),
                    _ => (false, false),
                };
                let fits = if is_for_keys { was_absent } else { !is_smaller };
                return hold(sight.plan.has(Fault::Room) && fits, "limits", describe);
            }
            _ => {}
        }
        hold(self.allowed, WHO, describe)?;
        match &self.ask {
            Ask::Write { .. } => self.judge_write(answer, sight),
            Ask::Delete { .. } => self.judge_delete(answer, sight),
            Ask::Get { .. } | Ask::Wait { .. } => self.judge_read(answer, sight),
            Ask::List { .. } => self.judge_page(answer, sight),
            Ask::Stream { is_socket, .. } => {
                let expected = if *is_socket { 101 } else { 200 };
                hold(status == expected, "a stream begins", describe)
            }
            Ask::Plain(expected) => hold(status == *expected, "plain answers", describe),
        }
    }

    fn is_write(&self) -> bool {
        matches!(self.ask, Ask::Write { .. } | Ask::Delete { .. })
    }

    /// A write that came too fast for its key, or anything that there was no memory for.
    fn judge_guard(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept {
        let body = || format!("{:?} got {}", self.ask, String::from_utf8_lossy(&answer.body));
        match (answer.status, &self.ask) {
            (429, Ask::Write { key, .. } | Ask::Delete { key, .. }) => {
                sight.truth.too_fast(*key, self.at_ms, sight.plan.limits.writes_per_key)?;
            }
            (429, _) => return breach("limits", body()),
            _ => {
                let is_overload = answer.body.starts_with(b"{\"error\":\"overloaded\"");
                hold(is_overload && sight.plan.has(Fault::Mark), "limits", body)?;
            }
        }
        match self.ask {
            Ask::Write { key, number, .. } => sight.truth.refused(key, number),
            _ => Ok(()),
        }
    }

    fn judge_write(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept {
        let Ask::Write { key, number, is_patch, condition, minimal } = self.ask else { return Ok(()) };
        let describe = || format!("{:?} got {}", self.ask, answer.status);
        // What a patch makes is shown to readers only; a grant that shrinks meanwhile allows both.
        let may_read = sight.table.may_read(self.holder, sight.truth.name(key));
        let is_hidden = is_patch && !(may_read && sight.table.is_lasting(self.holder));
        let is_shown = !minimal && (!is_patch || self.might_read);
        let rev = match answer.status {
            412 => return self.judge_conflict(key, condition, answer, sight),
            204 if minimal || is_hidden => answer.etag().map(|tag| tag.1),
            200 | 201 if is_shown => {
                let record = self.record_of(answer, sight)?;
                let data = record.data.as_deref().unwrap_or_default();
                let own =
                    format!("\"{}\":{number}", if is_patch { format!("p{number}") } else { "w".into() });
                hold(
                    data.contains(&own) && sight.truth.name(key) == record.key,
                    "answers in request order",
                    || format!("{:?} got {}", self.ask, show(&record)),
                )?;
                Some(record.rev)
            }
            _ => return breach("every write has an answer", describe()),
        };
        let Some(rev) = rev else { return breach("every write has an ETag", describe()) };
        sight.truth.acked(number, rev)?;
        let before = sight.truth.keys[key].versions.get(&(rev - 1)).map(|version| version.record.is_live());
        let is_new = if rev == 1 { Some(true) } else { before.map(|is_live| !is_live) };
        if let Some(is_new) = is_new.filter(|_| answer.status != 204) {
            hold((answer.status == 201) == is_new, "201 where there was none, else 200", describe)?;
        }
        self.judge_condition(condition, rev, is_new)
    }

    fn judge_delete(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept {
        let Ask::Delete { key, condition } = self.ask else { return Ok(()) };
        let describe = || format!("{:?} got {}", self.ask, answer.status);
        match answer.status {
            204 => {
                let Some((_, rev)) = answer.etag() else {
                    return breach("a deletion has an ETag", describe());
                };
                self.judge_condition(condition, rev, None)
            }
            404 => {
                let is_conditional = matches!(condition, Condition::Match(_));
                let was_absent = sight.truth.was_absent_since(key, self.step);
                hold(was_absent && !is_conditional, "404 where there is nothing", describe)
            }
            412 => self.judge_conflict(key, condition, answer, sight),
            _ => breach("every deletion has an answer", describe()),
        }
    }

    /// A write that was taken replaced what its condition names.
    fn judge_condition(&self, condition: Condition, rev: u64, was_absent: Option<bool>) -> Kept {
        let fits = match condition {
            Condition::None => true,
            Condition::Match(own) => rev == own + 1,
            Condition::Absent => was_absent != Some(false),
        };
        hold(fits, "compare-and-set excludes", || format!("{:?} was taken as {rev}", self.ask))
    }

    /// A write was refused: what its condition names was not what was there all along.
    fn judge_conflict(
        &self,
        key: usize,
        condition: Condition,
        answer: &Answer,
        sight: &mut Sight<'_>,
    ) -> Kept {
        if answer.field("etag").is_some() {
            self.record_of(answer, sight)?;
        }
        let life = &sight.truth.keys[key];
        let was_so_all_along = match condition {
            Condition::None => true,
            Condition::Match(rev) => life.is_live && life.rev == rev && self.floors[key] == rev,
            Condition::Absent => !life.is_live && life.newest == 0,
        };
        hold(!was_so_all_along, "compare-and-set excludes", || format!("{:?} got 412", self.ask))
    }

    fn judge_read(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept {
        let (key, have, wait_ms) = match self.ask {
            Ask::Get { key, have, .. } => (key, have, None),
            Ask::Wait { key, have, wait_ms } => (key, Some(have), Some(wait_ms)),
            _ => return Ok(()),
        };
        let floor = self.floors[key];
        let describe =
            || format!("{:?} of revision {floor} got {} {:?}", self.ask, answer.status, answer.etag());
        const ACKED: &str = "an acknowledged write is readable from every core";
        match (answer.status, wait_ms) {
            (200, _) => {
                let Some((_, rev)) = answer.etag() else { return breach(ACKED, describe()) };
                if !self.is_bare() {
                    let record = self.record_of(answer, sight)?;
                    hold(record.rev == rev && record.key == sight.truth.name(key), ACKED, describe)?;
                }
                hold(
                    rev >= floor && (rev <= sight.truth.keys[key].newest || sight.truth.forgets),
                    ACKED,
                    describe,
                )?;
                hold(have != Some(rev), "304 where the state is known", describe)
            }
            (304, None) => hold(have.is_some_and(|have| have >= floor), ACKED, describe),
            (304, Some(wait_ms)) => {
                hold(answer.etag().map(|tag| tag.1) == have, "304 names what did not change", describe)?;
                let is_time = sight.now_ms >= self.at_ms + wait_ms || sight.draining;
                hold(is_time, "a poll waits", describe)
            }
            (404, _) => hold(sight.truth.was_absent_since(key, self.step), ACKED, describe),
            _ => breach("every read has an answer", describe()),
        }
    }

    fn judge_page(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept {
        let Ask::List { prefix, after, limit, with_data } = &self.ask else { return Ok(()) };
        const PROMISE: &str = "a listing is whole and in order";
        let body = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(600)]).into_owned();
        let describe = || format!("{:?} got {} {}", self.ask, answer.status, body());
        hold(answer.status == 200, PROMISE, describe)?;
        let (epoch, records, next) = match record::read_page(&answer.body) {
            Ok(page) => page,
            Err(error) => return breach(PROMISE, error),
        };
        hold(epoch == sight.truth.epoch && records.len() <= *limit, PROMISE, describe)?;
        hold(records.windows(2).all(|two| two[0].key < two[1].key), PROMISE, describe)?;
        for record in &records {
            sight.truth.saw(record)?;
            let key = sight.truth.place(&record.key).unwrap_or_default();
            let is_asked =
                record.key.starts_with(prefix.as_str()) && after.as_ref().is_none_or(|a| record.key > *a);
            hold(is_asked && !record.deleted && record.rev >= self.floors[key], PROMISE, describe)?;
            hold(record.data.is_some() == *with_data, PROMISE, describe)?;
        }
        let is_more = |key: usize| {
            let name = sight.truth.name(key);
            name.starts_with(prefix.as_str()) && next.as_deref().is_some_and(|next| name > next)
        };
        let was_more =
            (0..self.floors.len()).any(|key| is_more(key) && sight.truth.was_live_since(key, self.step));
        hold(next.is_none() || was_more || sight.truth.forgets, PROMISE, describe)?;
        for (key, floor) in self.floors.iter().enumerate().filter(|(_, floor)| **floor > 0) {
            let (name, life) = (sight.truth.name(key), &sight.truth.keys[key]);
            let is_still = life.is_live && life.rev == *floor;
            let is_asked =
                matches(&format!("{prefix}*"), name) && after.as_ref().is_none_or(|a| name > a.as_str());
            let is_on_page = next.as_ref().is_none_or(|next| name <= next.as_str());
            let is_there = records.iter().any(|record| record.key == name && record.rev == *floor);
            hold(!is_still || !is_asked || !is_on_page || is_there, PROMISE, || {
                format!("{name} is missing: {}", describe())
            })?;
        }
        Ok(())
    }

    fn record_of(&self, answer: &Answer, sight: &mut Sight<'_>) -> Kept<Record> {
        match record::read(&answer.body) {
            Ok(Said::Record(record)) => {
                let tag = answer.etag().map(|tag| tag.1);
                hold(tag == Some(record.rev), "one encoding", || format!("{tag:?} on {}", show(&record)))?;
                sight.truth.saw(&record)?;
                Ok(record)
            }
            Ok(Said::Syncing(_) | Said::Synced(..) | Said::Error(_)) | Err(_) => breach(
                "one encoding",
                format!("{:?} got {}", self.ask, String::from_utf8_lossy(&answer.body)),
            ),
        }
    }
}
