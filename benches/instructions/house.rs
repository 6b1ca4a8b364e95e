//! The broker's pure half without a kernel: connections whose bytes arrive whole and whose sends are taken at
//! once.
//!
//! Always true: the shards are asked what `runtime/worker.rs` asks them, in its order; time moves a millisecond
//! a turn; all seeds are fixed.
//!
//! Read first: `src/runtime/worker.rs`.

use std::sync::Arc;

use bytes::Bytes;
use lux::access::{Access, Grant, KeyEntry, Origins, hash};
use lux::ids::{ConnId, Epoch, ShardId};
use lux::limits::Limits;
use lux::shard::survey::Findings;
use lux::shard::{Config, Shard};
use lux::time::Now;

/// The API key where one is needed.
pub const API_KEY: &str = "counted-instruction-by-instruction";

/// A connection: which core has it, and its name there.
pub type Peer = (usize, ConnId);

/// All cores of one broker.
pub struct House {
    shards: Vec<Shard>,
    now: Now,
    /// Sends of viewers stay in flight as long as this holds: nobody reads.
    pub is_stuck: bool,
    in_flight: Vec<(Peer, Bytes)>,
    /// Good answers so far.
    pub answers: u64,
    /// Bytes to viewers so far, handshakes included.
    pub viewer_bytes: u64,
}

impl House {
    /// A broker of so many cores that lets everybody in, or only who has the API key.
    pub fn new(cores: u16, is_open: bool) -> House {
        let entry = KeyEntry {
            name: "bench".to_owned(),
            hash: hash(API_KEY),
            grant: Grant::all(),
            expires_at_ms: None,
        };
        let access = Arc::new(if is_open { Access::open() } else { Access::new(vec![entry]) });
        let shard = |id| {
            Shard::new(Config {
                id: ShardId(id),
                shards: cores,
                hash_seed: 7,
                epoch: Epoch::from_bits(7),
                limits: Limits::default(),
                descriptors: usize::MAX,
                access: access.clone(),
                origins: Origins::any(),
            })
        };
        House {
            shards: (0..cores).map(shard).collect(),
            now: Now { monotonic_ms: 1, wall_ms: 1_782_000_000_000 },
            is_stuck: false,
            in_flight: Vec::new(),
            answers: 0,
            viewer_bytes: 0,
        }
    }

    /// A connection to a core, which has said nothing yet.
    pub fn connect(&mut self, core: usize) -> Peer {
        let id = self.shards[core].opened(self.now);
        self.shards[core].appetite(id);
        (core, id)
    }

    /// A connection that has said this, and has its answer.
    pub fn greet(&mut self, core: usize, greeting: &[u8]) -> Peer {
        let peer = self.connect(core);
        self.say(peer, greeting);
        self.settle();
        peer
    }

    /// A peer sends this.
    pub fn say(&mut self, (core, id): Peer, bytes: &[u8]) {
        // The runtime's buffer is writable, too: frames are unmasked in place.
        self.shards[core].received(id, &mut bytes.to_vec(), self.now);
        self.shards[core].appetite(id);
    }

    /// A peer goes away.
    pub fn leave(&mut self, (core, id): Peer) {
        self.shards[core].finished(id, self.now);
        self.settle();
        self.shards[core].ended(id, self.now);
    }

    /// Lets everything happen that follows, until nothing does.
    pub fn settle(&mut self) {
        while self.turn() {}
        self.now.monotonic_ms += 1;
        self.now.wall_ms += 1;
    }

    fn turn(&mut self) -> bool {
        let mut any = false;
        for core in 0..self.shards.len() {
            let shard = &mut self.shards[core];
            if self.now.reached(shard.deadline()) {
                shard.woken(self.now);
                any = true;
            }
            while let Some((id, bytes)) = shard.next_send() {
                self.in_flight.push(((core, id), bytes));
            }
            while let Some(id) = shard.next_read() {
                shard.appetite(id);
            }
            while shard.next_close().is_some() {}
            while let Some(survey) = shard.next_survey() {
                shard.surveyed(survey, Findings::default(), self.now);
                any = true;
            }
            any |= self.tell(core);
        }
        any | self.land()
    }

    fn tell(&mut self, from: usize) -> bool {
        let mut any = false;
        for to in (0..self.shards.len()).filter(|to| *to != from) {
            while let Some(message) = self.shards[from].next_tell(ShardId(to as u16)) {
                self.shards[to].told(ShardId(from as u16), message, self.now);
                any = true;
            }
        }
        any
    }

    /// The kernel takes what was sent.
    fn land(&mut self) -> bool {
        let mut in_flight = std::mem::take(&mut self.in_flight);
        let before = in_flight.len();
        let is_stuck = self.is_stuck;
        let landed = in_flight.extract_if(.., |(_, bytes)| !is_stuck || bytes.starts_with(b"HTTP/1.1 2"));
        for ((core, id), bytes) in landed {
            let len = bytes.len();
            if bytes.starts_with(b"HTTP/1.1 2") {
                self.answers += 1;
            } else {
                self.viewer_bytes += len as u64;
            }
            self.shards[core].sent(id, bytes, len, self.now);
        }
        let any = in_flight.len() < before;
        self.in_flight = in_flight;
        any
    }
}
