//! One core of the broker without a process around it, driven as the runtime drives it.
//!
//! Always true: a read is as large as the core asked for, one send of a peer is in flight, and a connection is
//! given up when the core said so or its peer broke it. Whatever is done here, no bound is passed.
//!
//! Read first: `../../src/shard/mod.rs`; `src/ear.rs` for what is made of the answers.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use lux::access::{Access, Grant, KeyEntry, Origins, hash};
use lux::ids::{ConnId, Epoch, ShardId};
use lux::key::Pattern;
use lux::limits::{ANSWER_BYTES_MAX, Limits};
use lux::shard::census::Census;
use lux::shard::contract::Close;
use lux::shard::survey::Findings;
use lux::shard::{Config, Shard};
use lux::time::{Deadline, Now};

/// An API key that reads and writes most keys.
pub const SECRET: &str = "lux_fuzz-reads-and-writes";
/// One that only reads.
pub const READER: &str = "lux_fuzz-only-reads";

/// The largest single answer: a file of the console.
const ANSWER_BYTES_AT_ONCE_MAX: usize = 256 * 1024;
/// More turns than any input can give rise to; whoever takes them all spins.
const TURNS_MAX: usize = 100_000;

/// Small bounds, so that they are met.
static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits {
    state_bytes_max: 300,
    nesting_max: 8,
    head_bytes_max: 1_000,
    head_fields_max: 16,
    keys_max: 4,
    tombstones_max: 2,
    state_memory_bytes_max: 3_000,
    patterns_max: 4,
    connections_max: 3,
    message_bytes_max: 400,
    ..Limits::default()
});

/// The table at first, and one that grants less.
static TABLES: LazyLock<[Arc<Access>; 2]> = LazyLock::new(|| {
    let patterns = |texts: &[&str]| {
        texts.iter().filter_map(|text| Pattern::parse(text.as_bytes()).ok()).collect::<Vec<_>>()
    };
    let entry = |name: &str, secret: &str, read: &[&str], write: &[&str]| KeyEntry {
        name: name.to_owned(),
        hash: hash(secret),
        grant: Grant { read: patterns(read), write: patterns(write) },
        expires_at_ms: None,
    };
    let reader = KeyEntry { expires_at_ms: Some(BEGIN_MS + 60_000), ..entry("reader", READER, &["a*"], &[]) };
    let all = entry("all", SECRET, &["a*", "b", "d*"], &["a*", "b", "c", "d*"]);
    let less = entry("all", SECRET, &["a*"], &["a*"]);
    [Arc::new(Access::new(vec![all, reader])), Arc::new(Access::new(vec![less]))]
});

const BEGIN_MS: u64 = 1_782_000_000_000;

/// A core and its peers.
pub struct House {
    /// The core.
    pub shard: Shard,
    /// Who is connected, or was.
    pub peers: Vec<Peer>,
    now: Now,
}

/// One connection and the kernel's part in it.
pub struct Peer {
    id: ConnId,
    /// Bytes on the way to the broker.
    pub up: Vec<u8>,
    /// Bytes that the broker sent.
    pub down: Vec<u8>,
    /// The size of the read that is out.
    reading: usize,
    in_flight: Option<Bytes>,
    /// The kernel left some of the last send.
    has_rest: bool,
    /// The peer has said that nothing more comes.
    pub finished: bool,
    /// The broker has said that nothing more comes.
    pub shut: bool,
    /// The broker is done with it.
    pub gone: bool,
    /// It ended with bytes that were not taken.
    pub was_cut: bool,
}

impl Default for House {
    fn default() -> House {
        let config = Config {
            id: ShardId(0),
            shards: 1,
            hash_seed: 7,
            epoch: Epoch::from_bits(1),
            limits: LIMITS.clone(),
            descriptors: 1_000,
            access: TABLES[0].clone(),
            origins: Origins::any(),
        };
        let now = Now { monotonic_ms: 1_000, wall_ms: BEGIN_MS };
        let mut shard = Shard::new(config);
        shard.woken(now);
        House { shard, peers: Vec::new(), now }
    }
}

impl House {
    /// A peer connects; its place.
    pub fn open(&mut self) -> usize {
        let id = self.shard.opened(self.now);
        let reading = self.shard.appetite(id);
        self.peers.push(Peer {
            id,
            up: Vec::new(),
            down: Vec::new(),
            reading,
            in_flight: None,
            has_rest: false,
            finished: false,
            shut: false,
            gone: false,
            was_cut: false,
        });
        self.peers.len() - 1
    }

    /// At most so many of a peer's bytes reach the core; false if none can now.
    pub fn arrive(&mut self, at: usize, most: usize) -> bool {
        let peer = &mut self.peers[at];
        let len = most.min(peer.reading).min(peer.up.len());
        if len == 0 || peer.gone {
            return false;
        }
        let rest = peer.up.split_off(len);
        let mut bytes = std::mem::replace(&mut peer.up, rest);
        self.shard.received(peer.id, &mut bytes, self.now);
        peer.reading = self.shard.appetite(peer.id);
        self.check_bounds(at);
        self.do_chores();
        true
    }

    /// The core chooses what goes next, if anything does.
    pub fn offer(&mut self) -> bool {
        while let Some(survey) = self.shard.next_survey() {
            self.shard.surveyed(survey, Findings::default(), self.now);
        }
        let next = self.shard.next_send();
        self.take_off(next)
    }

    /// The core chooses an answer that goes next, before anybody is told of a change.
    pub fn offer_answer(&mut self) -> bool {
        let next = self.shard.next_answer();
        self.take_off(next)
    }

    fn take_off(&mut self, next: Option<(ConnId, Bytes)>) -> bool {
        let Some((id, bytes)) = next else {
            // That nothing is to be sent may have been what an end waited for.
            self.do_chores();
            return false;
        };
        let peer = self.peers.iter_mut().find(|peer| peer.id == id).expect("a peer of this core");
        assert!(peer.in_flight.is_none(), "one send in flight");
        assert!(!bytes.is_empty() && !peer.shut, "something to send, before the end");
        if !peer.gone {
            peer.in_flight = Some(bytes);
        }
        self.do_chores();
        true
    }

    /// The kernel takes at most so many bytes of what a peer is sent.
    pub fn land(&mut self, at: usize, most: usize) -> bool {
        let peer = &mut self.peers[at];
        let Some(bytes) = peer.in_flight.take() else { return false };
        let taken = bytes.len().min(most);
        peer.has_rest = taken < bytes.len();
        peer.down.extend_from_slice(&bytes[..taken]);
        self.shard.sent(peer.id, bytes, taken, self.now);
        self.do_chores();
        true
    }

    /// Everything that is to be sent is taken, so many bytes at a time.
    pub fn flush(&mut self, most: usize) {
        for _ in 0..TURNS_MAX {
            let offered = self.offer();
            let landed = (0..self.peers.len()).filter(|at| self.land(*at, most)).count() > 0;
            if !offered && !landed {
                return;
            }
        }
        panic!("it never has sent everything");
    }

    /// Everything under way arrives, until nothing moves.
    pub fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            self.flush(usize::MAX);
            let moved = (0..self.peers.len()).filter(|at| self.arrive(*at, usize::MAX)).count() > 0;
            if !moved {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Reads that may go on, and ends.
    pub fn do_chores(&mut self) {
        while let Some(id) = self.shard.next_read() {
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == id && peer.reading == 0) {
                peer.reading = self.shard.appetite(id);
            }
        }
        while let Some((id, close)) = self.shard.next_close() {
            let Some(at) = self.peers.iter().position(|peer| peer.id == id) else { continue };
            self.peers[at].shut = true;
            match close {
                Close::Write => {}
                Close::Both => self.give_up(at),
            }
        }
    }

    /// So much time passes; the core is woken if it wanted to be.
    pub fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_ms += ms;
        if self.now.reached(self.shard.deadline()) {
            self.shard.woken(self.now);
            assert!(!self.now.reached(self.shard.deadline()), "due again at once");
        }
        self.do_chores();
    }

    /// The wall clock is set forth, or back again.
    pub fn set_wall(&mut self, is_forth: bool) {
        let leap = 3_600_000;
        self.now.wall_ms =
            if is_forth { self.now.wall_ms + leap } else { self.now.wall_ms.saturating_sub(leap) };
    }

    /// A peer will send nothing more.
    pub fn finish(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        if !peer.gone && !peer.finished {
            peer.finished = true;
            peer.up.clear();
            peer.reading = 0;
            self.shard.finished(peer.id, self.now);
            self.do_chores();
        }
    }

    /// A connection is gone.
    pub fn give_up(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        if !peer.gone {
            let waits = self.shard.debt(peer.id).is_some_and(|debt| debt.answer_bytes > 0);
            peer.was_cut = peer.in_flight.take().is_some() || peer.has_rest || waits || !peer.shut;
            (peer.gone, peer.reading) = (true, 0);
            self.shard.ended(peer.id, self.now);
        }
    }

    /// The key file was read again.
    pub fn reload(&mut self, table: usize) {
        self.shard.reload(TABLES[table].clone(), self.now);
        self.do_chores();
    }

    /// The broker is told to stop.
    pub fn drain(&mut self) {
        self.shard.drain(self.now);
        self.do_chores();
    }

    /// Words about a connection that is no more: nobody may be moved by them.
    pub fn speak_of_the_gone(&mut self) {
        if let Some(peer) = self.peers.iter().find(|peer| peer.gone) {
            let before = self.shard.census();
            self.shard.received(peer.id, &mut b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), self.now);
            self.shard.sent(peer.id, Bytes::from_static(b"late"), 2, self.now);
            self.shard.finished(peer.id, self.now);
            self.shard.ended(peer.id, self.now);
            assert_eq!(self.shard.census(), before);
        }
    }

    /// Everybody leaves, and time passes until the core is empty: nothing may be left but states.
    pub fn close_down(&mut self) {
        (0..self.peers.len()).for_each(|at| self.finish(at));
        self.settle();
        for _ in 0..100 {
            let due = self.shard.deadline();
            if due == Deadline::NEVER {
                break;
            }
            self.pass(due.0.saturating_sub(self.now.monotonic_ms));
            self.settle();
        }
        assert!(self.shard.is_deserted(), "somebody stayed: {:?}", self.shard.census());
        let census = self.shard.census();
        let Census { entries_owned, keys_live, tombstones, deletion_lines, .. } = census;
        let states = Census { entries_owned, keys_live, tombstones, deletion_lines, ..Census::default() };
        assert_eq!(census, states);
        assert_eq!(entries_owned, keys_live + tombstones);
        assert!(keys_live <= LIMITS.keys_max && tombstones <= LIMITS.tombstones_max);
    }

    fn check_bounds(&self, at: usize) {
        let Some(debt) = self.shard.debt(self.peers[at].id) else { return };
        assert!(debt.watches <= LIMITS.patterns_max);
        assert!(debt.owed <= LIMITS.keys_max + LIMITS.tombstones_max + 1, "{debt:?}");
        assert!(debt.answer_bytes <= ANSWER_BYTES_MAX + ANSWER_BYTES_AT_ONCE_MAX, "{debt:?}");
        assert!(debt.held_bytes <= 2 * ANSWER_BYTES_MAX, "{debt:?}");
    }
}
