//! What really happened to each key, as the oracle knows it.
//!
//! Always true: a revision of a key has one text, whoever shows it; every state is explained by writes that
//! somebody asked for; nothing in here is asked of the broker's own conditions or merging.
//!
//! Read first: `breach.rs`, `speech/record.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::breach::{Kept, breach, hold};
use crate::speech::record::Record;

/// A write that somebody asked for, by the number that stands in its state.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which key, by its place in the plan.
    pub key: usize,
    /// What it does.
    pub kind: WishKind,
    /// The revision it made, once that was acknowledged.
    pub acked: Option<u64>,
    /// It was told that it came too fast, or that there is no memory for it, so it did nothing.
    pub was_refused: bool,
}

/// What a write does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WishKind {
    /// Puts this text in place.
    Put(String),
    /// Adds the member `p<number>`, and may take `w` away.
    Patch {
        /// Takes `w` away.
        removes_base: bool,
    },
}

/// One revision of a key.
#[derive(Clone, Debug)]
pub struct Version {
    /// The record.
    pub record: Record,
    /// The number of the PUT it goes back to, and of the patches on it.
    parts: Option<Parts>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Parts {
    base: Option<u64>,
    patches: BTreeSet<u64>,
}

/// One key.
#[derive(Clone, Debug, Default)]
pub struct KeyTruth {
    /// All that was ever seen of it.
    pub versions: BTreeMap<u64, Version>,
    /// The highest revision it ever had.
    pub newest: u64,
    /// The revision its owner has now; 0 where it has none.
    pub rev: u64,
    /// Whether it has a state now.
    pub is_live: bool,
    /// The last step in which it had no state; nothing where it had one all along.
    pub absent_at: Option<u64>,
    /// The last step in which it had one before that; nothing where it never had.
    pub live_at: Option<u64>,
    /// When its latest revisions were made, in monotonic milliseconds.
    pub written_ms: VecDeque<u64>,
    /// The newest revision that was counted there.
    counted: u64,
}

/// All keys of one epoch.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Their epoch.
    pub epoch: String,
    /// Each key's life.
    pub keys: Vec<KeyTruth>,
    /// Hardly any deletion is remembered.
    pub forgets: bool,
    /// Bytes of the largest record that anybody saw.
    pub largest: usize,
    names: Vec<String>,
    wishes: BTreeMap<u64, Wish>,
}

impl Truth {
    /// The beginning of an epoch.
    pub fn new(epoch: &str, names: &[String]) -> Truth {
        let keys = names.iter().map(|_| KeyTruth { absent_at: Some(0), ..KeyTruth::default() }).collect();
        let (epoch, names) = (epoch.to_owned(), names.to_vec());
        Truth { epoch, keys, forgets: false, largest: 0, names, wishes: BTreeMap::new() }
    }

    /// The beginning of another, in which states of this one may come back: who asked for them stays known.
    pub fn begin_epoch(&self, epoch: &str, names: &[String]) -> Truth {
        let unanswered = |(number, wish): (&u64, &Wish)| (*number, Wish { acked: None, ..wish.clone() });
        let wishes = self.wishes.iter().map(unanswered).collect();
        Truth { wishes, ..Truth::new(epoch, names) }
    }

    /// A key's name.
    pub fn name(&self, key: usize) -> &str {
        &self.names[key]
    }

    /// A key's place.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }

    /// Somebody asks for a write.
    pub fn wish(&mut self, number: u64, key: usize, kind: WishKind) {
        self.wishes.insert(number, Wish { key, kind, acked: None, was_refused: false });
    }

    /// A write was acknowledged with this revision.
    pub fn acked(&mut self, number: u64, rev: u64) -> Kept {
        let Some(wish) = self.wishes.get_mut(&number) else { return Ok(()) };
        hold(wish.acked.is_none(), "answers in request order", || format!("write {number} twice"))?;
        wish.acked = Some(rev);
        Ok(())
    }

    /// A write was told that it came too fast: others of its key had come just before it was asked, or since.
    pub fn too_fast(&mut self, key: usize, since_ms: u64, rate: usize) -> Kept {
        let life = &self.keys[key];
        let recent = life.written_ms.iter().filter(|ms| **ms + 1_000 >= since_ms).count();
        hold(rate > 0 && recent + 1 >= rate.max(2), "below the rate nothing is refused", || {
            format!("key {key} had {recent} writes since a second before {since_ms} ms, and may have {rate}")
        })
    }

    /// A write was refused: it has done nothing, and will not.
    pub fn refused(&mut self, key: usize, number: u64) -> Kept {
        let is_part = |version: &Version| {
            let parts = version.parts.as_ref();
            parts.is_some_and(|parts| parts.base == Some(number) || parts.patches.contains(&number))
        };
        hold(!self.keys[key].versions.values().any(is_part), "a refused write changed nothing", || {
            format!("write {number} to key {key} was refused, and is there")
        })?;
        if let Some(wish) = self.wishes.get_mut(&number) {
            wish.was_refused = true;
        }
        Ok(())
    }

    /// The broker begins anew: how fast keys were written before is forgotten, and what came back was not written.
    pub fn count_anew(&mut self) {
        for life in &mut self.keys {
            life.written_ms.clear();
            life.counted = life.newest;
        }
    }

    /// Revisions of a key were made, so many in all: not more than its rate allows.
    pub fn written(&mut self, key: usize, newest: u64, now_ms: u64, rate: usize) -> Kept {
        let life = &mut self.keys[key];
        let before = life.counted;
        life.counted = newest.max(before);
        life.written_ms.extend((before..life.counted).map(|_| now_ms));
        while life.written_ms.len() > 64 {
            life.written_ms.pop_front();
        }
        let recent = life.written_ms.iter().filter(|ms| **ms + 1_000 > now_ms).count();
        // A second's worth at once, and what comes in a second.
        hold(
            rate == 0 || self.forgets || recent <= 2 * rate,
            "no key is written faster than its rate",
            || format!("key {key} had {recent} writes in a second, and may have {rate}"),
        )
    }

    /// What the owner has now; `None` where it has nothing at all.
    pub fn observe(&mut self, key: usize, record: Option<Record>, step: u64) -> Kept {
        let life = &mut self.keys[key];
        let (rev, is_live) = record.as_ref().map_or((0, false), |record| (record.rev, record.is_live()));
        if !life.is_live || !is_live {
            life.absent_at = Some(step);
        }
        if life.is_live || is_live {
            life.live_at = Some(step);
        }
        if rev == life.rev && is_live == life.is_live {
            return Ok(());
        }
        let before = life.newest;
        if rev > before + 1 {
            // Something between was not seen from here: it may have been gone, or there, for a moment.
            (life.absent_at, life.live_at) = (Some(step), Some(step));
        }
        (life.rev, life.is_live) = (rev, is_live);
        let Some(record) = record.filter(|record| record.rev > 0) else { return Ok(()) };
        // A deletion that was forgotten comes back with a revision that others had.
        let is_echo = record.deleted && record.updated_at == 0;
        hold(rev > before || is_echo, "monotonic", || {
            format!("key {key} at its owner: {rev} after {before}")
        })?;
        self.keys[key].newest = before.max(rev);
        self.saw(&record)
    }

    /// Somebody saw a record.
    pub fn saw(&mut self, record: &Record) -> Kept {
        let Some(key) = self.place(&record.key) else {
            return breach("no invented value", format!("a key {}", record.key));
        };
        if record.deleted && record.updated_at == 0 {
            return Ok(());
        }
        self.largest = self.largest.max(record.text.len());
        if let Some(known) = self.keys[key].versions.get(&record.rev) {
            return match record.data.is_none() || known.record.text == record.text {
                true => Ok(()),
                false => breach(
                    "one encoding",
                    format!("revision {} is {} and {}", record.rev, show(&known.record), show(record)),
                ),
            };
        }
        let life = &self.keys[key];
        // Written and deleted at once, and forgotten where no deletion is remembered: its owner never showed it.
        let newest = if self.forgets && life.rev == 0 { life.newest + 16 } else { life.newest };
        hold(record.rev <= newest, "no invented value", || {
            format!("{} while its owner is at {newest}", show(record))
        })?;
        if record.data.is_none() || record.rev == 0 {
            return Ok(());
        }
        let parts = if record.is_live() { Some(self.explain(key, record)?) } else { None };
        let life = &mut self.keys[key];
        life.newest = life.newest.max(record.rev);
        life.versions.insert(record.rev, Version { record: record.clone(), parts });
        Ok(())
    }

    /// Which writes a state is made of.
    fn explain(&self, key: usize, record: &Record) -> Kept<Parts> {
        const PROMISE: &str = "no invented value";
        let text = record.data.as_deref().unwrap_or("null");
        let members: BTreeMap<String, serde_json::Value> = match serde_json::from_str(text) {
            Ok(members) => members,
            Err(error) => return breach(PROMISE, format!("{error} in {}", show(record))),
        };
        let mut parts = Parts::default();
        for (name, value) in &members {
            let number = value.as_u64().unwrap_or_default();
            match name.as_bytes() {
                b"w" => parts.base = Some(number),
                b"pad" => {}
                [b'p', ..] if name[1..].parse() == Ok(number) => {
                    parts.patches.insert(number);
                }
                _ => return breach(PROMISE, format!("a member {name} in {}", show(record))),
            }
        }
        for number in parts.base.iter().chain(&parts.patches) {
            let wished = self.wishes.get(number).filter(|wish| wish.key == key);
            let fits = wished
                .is_some_and(|wish| (parts.base == Some(*number)) == matches!(wish.kind, WishKind::Put(_)));
            hold(fits, PROMISE, || format!("nobody asked for {number} in {}", show(record)))?;
            let is_refused = wished.is_some_and(|wish| wish.was_refused);
            hold(!is_refused, "a refused write changed nothing", || {
                format!("{number} was refused, and is in {}", show(record))
            })?;
        }
        if let Some(base) = parts.base.filter(|_| parts.patches.is_empty())
            && let Some(Wish { kind: WishKind::Put(put), .. }) = self.wishes.get(&base)
        {
            hold(put == text, "as the producer wrote it", || format!("{put} became {text}"))?;
        }
        Ok(parts)
    }

    /// Holds the whole life of every key against the writes that were asked for.
    pub fn verify(&self) -> Kept {
        for (at, life) in self.keys.iter().enumerate() {
            let mut before: Option<(&u64, &Version)> = None;
            for (rev, version) in &life.versions {
                if let Some((before_rev, before)) = before {
                    hold(
                        before.record.updated_at <= version.record.updated_at,
                        "updatedAt never goes back",
                        || format!("{} then {}", show(&before.record), show(&version.record)),
                    )?;
                    if before_rev + 1 == *rev {
                        self.verify_pair(before, version)?;
                    }
                }
                before = Some((rev, version));
            }
            self.verify_acks(at)?;
        }
        Ok(())
    }

    /// One revision and the next: a PUT, a deletion, or the same with one patch more.
    fn verify_pair(&self, before: &Version, after: &Version) -> Kept {
        let Some(parts) = &after.parts else {
            return hold(before.parts.is_some(), "404 where there is nothing, and no new revision", || {
                format!("{} then {}", show(&before.record), show(&after.record))
            });
        };
        let none = Parts::default();
        let old = before.parts.as_ref().unwrap_or(&none);
        let new: Vec<u64> = parts.patches.difference(&old.patches).copied().collect();
        let is_put = parts.base.is_some() && parts.base != old.base && parts.patches.is_empty();
        let is_patch = new.len() == 1 && old.patches.is_subset(&parts.patches) && {
            let removes = matches!(
                self.wishes.get(&new[0]).map(|wish| &wish.kind),
                Some(WishKind::Patch { removes_base: true })
            );
            parts.base == if removes { None } else { old.base }
        };
        hold(is_put || is_patch, "patches never lose each other", || {
            format!("{} then {}", show(&before.record), show(&after.record))
        })
    }

    /// Every acknowledged write stands at the revision of its acknowledgement.
    fn verify_acks(&self, key: usize) -> Kept {
        let mut taken = BTreeMap::new();
        for (number, wish) in self.wishes.iter().filter(|(_, wish)| wish.key == key) {
            let Some(rev) = wish.acked else { continue };
            if let Some(other) = taken.insert(rev, number) {
                return breach(
                    "one revision per write",
                    format!("{other} and {number} were both told {rev}"),
                );
            }
            let Some(version) = self.keys[key].versions.get(&rev) else { continue };
            let fits = version.parts.as_ref().is_some_and(|parts| match wish.kind {
                WishKind::Put(_) => parts.base == Some(*number) && parts.patches.is_empty(),
                WishKind::Patch { .. } => parts.patches.contains(number),
            });
            hold(fits, "an acknowledged write is there", || {
                format!("{number} was told {rev}, which is {}", show(&version.record))
            })?;
        }
        Ok(())
    }

    /// Whether the key had no state at some moment since this step.
    pub fn was_absent_since(&self, key: usize, step: u64) -> bool {
        let life = &self.keys[key];
        !life.is_live || life.absent_at.is_some_and(|at| at >= step)
    }

    /// Whether a PUT takes no more room than the state it replaces, which was there all along.
    pub fn is_replaced_by_less(&self, key: usize, floor: u64, number: u64) -> bool {
        let life = &self.keys[key];
        let Some(Wish { kind: WishKind::Put(put), .. }) = self.wishes.get(&number) else { return false };
        let version = life.versions.get(&floor).filter(|_| life.is_live && life.rev == floor);
        let old = version.and_then(|version| version.record.data.as_ref());
        old.is_some_and(|old| old.len() >= put.len() + 2)
    }

    /// Whether the key had a state at some moment since this step.
    pub fn was_live_since(&self, key: usize, step: u64) -> bool {
        let life = &self.keys[key];
        life.is_live || life.live_at.is_some_and(|at| at >= step)
    }
}

/// A record, short enough to be read.
pub fn show(record: &Record) -> String {
    let text = String::from_utf8_lossy(&record.text);
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…({} bytes)", &text[..end], text.len()),
        None => text.into_owned(),
    }
}
