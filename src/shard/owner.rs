//! Which core owns a key.
//!
//! Always true: every core gives the same answer for the same key, from the key alone; the hash is taken
//! once per request and serves the table as well.
//!
//! Read first: `ids.rs`.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use crate::ids::ShardId;
use crate::key::Key;

/// The hash of one key: the same on every core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyHash(pub u64);

/// Gives each key its core. The seed keeps producers from choosing keys that all land in one place.
#[derive(Clone)]
pub struct Owner {
    state: FixedState,
    shards: u16,
}

impl Owner {
    /// For so many cores; all of them get the same seed.
    pub fn new(seed: u64, shards: u16) -> Owner {
        assert!(shards > 0, "a broker has at least one core");
        Owner { state: FixedState::with_seed(seed), shards }
    }

    /// The hash of a key.
    pub fn hash(&self, key: &Key) -> KeyHash {
        let mut hasher = self.state.build_hasher();
        hasher.write(key.as_str().as_bytes());
        KeyHash(hasher.finish())
    }

    /// The core that owns keys with this hash: the hash's upper half, scaled to the number of cores.
    pub fn of(&self, hash: KeyHash) -> ShardId {
        ShardId((((hash.0 >> 32) * u64::from(self.shards)) >> 32) as u16)
    }

    /// How many cores there are.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// Every core but this one.
    pub fn others(&self, own: ShardId) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shards).map(ShardId).filter(move |shard| *shard != own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_over_all_cores() {
        let owner = Owner::new(7, 4);
        let mut counts = [0; 4];
        for n in 0..4_000 {
            let key = Key::parse(format!("device-{n}").as_bytes()).unwrap();
            counts[owner.of(owner.hash(&key)).index()] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
