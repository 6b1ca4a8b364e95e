//! What the viewers of a key on one core were told of it last: what `lux explain` knows of a fan-out.
//!
//! Always true: kept only for keys that somebody watches, one small box each, however many watch. Who is owed
//! the key and was not conflated since was given `before`.
//!
//! Read first: `shard/spread.rs`.

use crate::conn::outbox::Lag;
use crate::ids::{KeyId, Rev};
use crate::wire::record::Record;

/// One revision and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Which.
    pub rev: Rev,
    /// When it was written, Unix milliseconds; 0 for one that says there is nothing.
    pub updated_at_ms: u64,
}

/// The last two changes that the viewers of a key were told of.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The last one.
    pub newest: Version,
    /// What viewers had before it.
    pub before: Version,
    /// How often the last one went out to a viewer.
    pub given: u32,
    /// When it did last, Unix milliseconds.
    pub given_at_ms: u64,
}

impl Version {
    /// Which one this record is; 0 where there is none.
    pub fn of(record: Option<&Record>) -> Version {
        record.map_or(Version::default(), |record| Version {
            rev: record.rev(),
            updated_at_ms: record.updated_at_ms(),
        })
    }
}

impl Told {
    /// Viewers have this, and nothing was told of it.
    pub fn have(version: Version) -> Told {
        Told { newest: version, before: version, given: 0, given_at_ms: 0 }
    }

    /// Everybody is told of this record, if it is another.
    pub fn tell(&mut self, record: &Record) {
        let newest = Version::of(Some(record));
        if newest.rev != self.newest.rev {
            *self = Told { newest, before: self.newest, given: 0, given_at_ms: 0 };
        }
    }

    /// What somebody has that is owed this key since it was told of last.
    pub fn lag(&self, key: KeyId) -> Lag {
        let Version { rev, updated_at_ms } = self.before;
        Lag { key, rev, updated_at_ms, since_ms: self.newest.updated_at_ms }
    }

    /// It goes out to one of them.
    pub fn give(&mut self, now_ms: u64) {
        self.given += 1;
        self.given_at_ms = now_ms;
    }
}
