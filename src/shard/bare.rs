//! A core for the tests beside the code: no keys, everybody may do everything.
//!
//! Always true: two of them of one size agree about who owns which key.
//!
//! Read first: `shard/mod.rs`.

use std::sync::Arc;

use crate::access::{Access, Origins};
use crate::ids::{ConnId, Epoch, ShardId};
use crate::limits::Limits;
use crate::shard::{Config, Shard};
use crate::time::Now;

/// What decides who owns which key.
pub const SEED: u64 = 7;
/// A moment.
pub const NOW: Now = Now { monotonic_ms: 1_000, wall_ms: 1_782_000_000_000 };

/// One core of so many.
pub fn shard(id: u16, shards: u16) -> Shard {
    Shard::new(Config {
        id: ShardId(id),
        shards,
        hash_seed: SEED,
        epoch: epoch(),
        limits: Limits::default(),
        descriptors: 1_000,
        access: Arc::new(Access::open()),
        origins: Origins::any(),
    })
}

/// The epoch of all of them.
pub fn epoch() -> Epoch {
    Epoch::from_bits(1)
}

/// A newcomer who has asked this, and waits.
pub fn ask(shard: &mut Shard, request: &str) -> ConnId {
    let id = shard.opened(NOW);
    shard.received(id, &mut request.as_bytes().to_vec(), NOW);
    id
}
