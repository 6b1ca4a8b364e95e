//! One world: cores, queues between them, connections, clients, time.
//!
//! Always true: everything happens in one thread, in an order that the seed draws; whatever a core could see
//! in a process with threads is some such order. What the kernel does is done here as roughly as it may.
//!
//! Read first: `plan.rs`, then `moves.rs` for what can happen, `run.rs` for what is demanded.

use std::collections::VecDeque;

use bytes::Bytes;
use lux::access::Origins;
use lux::ids::{ConnId, Epoch, ShardId};
use lux::key::Key;
use lux::shard::contract::PeerMessage;
use lux::shard::owner::Owner;
use lux::shard::{Config, Shard};
use lux::time::Now;

use crate::breach::Kept;
use crate::client::Client;
use crate::dice::Dice;
use crate::disk::{Disk, Found};
use crate::expect::Sight;
use crate::plan::{Fault, Plan, Role};
use crate::speech::record::{self, Record, Said};
use crate::table::Table;
use crate::tap::Tap;
use crate::trace::Trace;
use crate::truth::Truth;
use crate::view::View;

/// What the process says to a core.
#[derive(Clone)]
pub enum Word {
    /// Another table of API keys.
    Reload(Table),
    /// Stop in order.
    Drain,
}

/// One core and what waits for it.
pub struct Core {
    /// The broker's half.
    pub shard: Shard,
    /// What other cores said, by core.
    pub incoming: Vec<VecDeque<PeerMessage>>,
    /// What the process said.
    pub words: VecDeque<Word>,
    /// The table it goes by.
    pub table: Table,
    /// It does nothing before this step.
    pub stalled_until: u64,
    /// It was told to stop.
    pub draining: bool,
    /// Messages that went to each other core while a state waited to go, and how many waited at once at most.
    pub overtaken: Vec<(usize, usize)>,
    /// Counts writes, to see when keys have to be looked at.
    pub writes: u64,
    /// Keys with a state that it began with.
    pub restored: usize,
}

/// One connection.
pub struct Sock {
    /// Its core.
    pub core: usize,
    /// Its name there.
    pub id: ConnId,
    /// Whose it is; nobody's once the client has turned its back on it.
    pub client: Option<usize>,
    /// A read of so many bytes is out; 0: none.
    pub reading: usize,
    /// A write is out.
    pub writing: Option<Bytes>,
    /// The runtime has ended it: what is out comes back, nothing new is begun.
    pub over: bool,
    /// On the way to the broker.
    pub up: VecDeque<u8>,
    /// After these bytes the client sends nothing more.
    pub up_end: bool,
    /// That has been read.
    pub up_end_read: bool,
    /// On the way to the client.
    pub down: VecDeque<u8>,
    /// After these bytes the broker sends nothing more.
    pub down_end: bool,
    /// It broke: nothing arrives any more, on either side.
    pub broken: bool,
    /// The client is gone without a word.
    pub vanished: bool,
    /// The client does not read before the run heals.
    pub deaf: bool,
    /// The broker is done with it.
    pub gone: bool,
    /// What went out, read.
    pub tap: Tap,
    /// Where in all that was sent pings end, for the promise about control frames.
    pub pings_at: VecDeque<u64>,
    /// Bytes that were sent up in all, and those that arrived.
    pub sent_up: u64,
    /// Bytes that arrived in all.
    pub arrived_up: u64,
    /// When some last did.
    pub arrived_ms: u64,
    /// The broker gave it up with bytes left to send, as it may 30 s after it began to close.
    pub was_cut: bool,
    /// The longest time in which none did.
    pub quiet: Quiet,
}

/// How long the broker heard nothing on a connection, at most.
#[derive(Clone, Copy, Default)]
pub struct Quiet {
    /// Milliseconds.
    pub ms: u64,
    /// Milliseconds in the middle of what the client had sent already.
    pub within_ms: u64,
    /// More was on its way when something arrived last.
    pub is_within: bool,
}

impl Quiet {
    /// So long it was quiet just now.
    pub fn note(&mut self, ms: u64) {
        self.ms = self.ms.max(ms);
        if self.is_within {
            self.within_ms = self.within_ms.max(ms);
        }
    }
}

/// Dice, one for each concern.
pub struct Chance {
    /// What happens next.
    pub moves: Dice,
    /// How bytes are cut.
    pub cuts: Dice,
    /// What goes wrong.
    pub faults: Dice,
    /// How time passes.
    pub time: Dice,
    /// When states are saved.
    pub saves: Dice,
}

/// All of it.
pub struct World {
    /// What the seed drew.
    pub plan: Plan,
    /// The cores.
    pub cores: Vec<Core>,
    /// The connections; places are used again.
    pub socks: Vec<Option<Sock>>,
    /// The clients.
    pub clients: Vec<Client>,
    /// What is true.
    pub truth: Truth,
    /// What outlives the broker.
    pub disk: Disk,
    /// The table that the next core to be told goes by.
    pub table: Table,
    /// The clocks.
    pub now: Now,
    /// How many steps were taken.
    pub step: u64,
    /// How many lives the broker had before this one.
    pub lives: u64,
    /// The chance.
    pub chance: Chance,
    /// What happened, as one number.
    pub trace: Trace,
    /// The second phase has begun: no faults, everybody reads.
    pub healed: bool,
    /// Each move is printed.
    pub shows: bool,
    names: Vec<Key>,
    /// Which core owns each key.
    pub owners: Vec<usize>,
}

const WALL_BEGIN_MS: u64 = 1_782_000_000_000;

impl World {
    /// The world of a plan, before anything happens.
    pub fn new(plan: Plan) -> World {
        let seed = plan.seed;
        let mut access = Dice::new(seed, "access");
        let (narrow, mut ends) = (plan.has(Fault::Revoke), Dice::new(seed, "tokens"));
        let table = Table::draw(&plan.roles, narrow, WALL_BEGIN_MS, &mut access, &mut ends);
        let client = |(at, role): (usize, &Role)| Client {
            role: if *role == Role::Vandal && !plan.has(Fault::Vandal) { Role::Producer } else { *role },
            holder: at,
            line: None,
            view: View::default(),
            known: vec![0; plan.keys.len()],
            page: None,
            dice: Dice::new(seed, &format!("client {at}")),
            next_number: 1 + at as u64 * 10_000_000,
        };
        let names: Vec<Key> = plan.keys.iter().filter_map(|name| Key::parse(name.as_bytes()).ok()).collect();
        let mut world = World {
            clients: plan.roles.iter().enumerate().map(client).collect(),
            cores: Vec::new(),
            socks: Vec::new(),
            truth: Truth::new("", &plan.keys),
            disk: Disk::default(),
            table,
            now: Now { monotonic_ms: 0, wall_ms: WALL_BEGIN_MS },
            step: 0,
            lives: 0,
            chance: Chance {
                moves: Dice::new(seed, "moves"),
                cuts: Dice::new(seed, "cuts"),
                faults: Dice::new(seed, "faults that happen"),
                time: Dice::new(seed, "time"),
                saves: Dice::new(seed, "saves"),
            },
            trace: Trace::default(),
            healed: false,
            shows: false,
            names,
            owners: Vec::new(),
            plan,
        };
        let began = world.begin_life();
        debug_assert!(began.is_ok(), "there was nothing before");
        world
    }

    /// The broker starts: with the states and the epoch of a clean stop, with what was saved before another as
    /// another epoch, or with nothing.
    pub fn begin_life(&mut self) -> Kept {
        let mut dice = Dice::new(self.plan.seed.wrapping_add(self.lives), "life");
        let (fresh, hash_seed) = (Epoch::from_bits(dice.throw()), dice.throw());
        let count = self.plan.cores;
        let found = self.find_states(fresh)?;
        let owner = Owner::new(hash_seed, count as u16);
        self.cores = (0..count)
            .map(|at| Core {
                shard: self.begin_core(at, hash_seed, &found, &owner),
                restored: 0,
                incoming: (0..count).map(|_| VecDeque::new()).collect(),
                words: VecDeque::new(),
                table: self.table.clone(),
                stalled_until: 0,
                draining: false,
                overtaken: vec![(0, 0); count],
                writes: 0,
            })
            .collect();
        self.cores.iter_mut().for_each(|core| core.restored = core.shard.census().keys_live);
        self.socks.clear();
        self.owners = self.names.iter().map(|name| self.cores[0].shard.owner_of(name).index()).collect();
        let before = self.truth.clone();
        if !found.is_clean {
            self.truth = before.begin_epoch(found.epoch.as_str(), &self.plan.keys);
            self.truth.forgets = self.plan.has(Fault::Tombstones);
        }
        self.check_found(&found, &before)?;
        self.truth.count_anew();
        for client in &mut self.clients {
            client.line = None;
            client.page = None;
            if !found.is_clean {
                client.known.fill(0);
            }
        }
        self.lives += 1;
        Ok(())
    }

    fn begin_core(&self, at: usize, hash_seed: u64, found: &Found, owner: &Owner) -> Shard {
        let shard = Shard::new(Config {
            id: ShardId(at as u16),
            shards: owner.shards(),
            hash_seed,
            epoch: found.epoch.clone(),
            limits: self.plan.limits.clone(),
            descriptors: usize::MAX,
            access: self.table.access.clone(),
            origins: Origins::any(),
        });
        if !self.plan.has(Fault::Snapshot) {
            return shard;
        }
        let mut shard = shard.with_snapshots();
        shard.restore(found.restored(owner, self.lives % 2 == 1));
        shard
    }

    /// What the owner of a key has of it.
    pub fn newest_at_owner(&self, key: usize) -> Option<Record> {
        let newest = self.cores[self.owners[key]].shard.newest(&self.names[key]).map(|record| record.json());
        match newest.as_deref().map(record::read) {
            Some(Ok(Said::Record(record))) => Some(record),
            Some(Ok(Said::Syncing(_) | Said::Synced(..) | Said::Error(_)) | Err(_)) | None => None,
        }
    }

    /// After a core was given something: has any of its keys changed?
    pub fn observe(&mut self, core: usize) -> Kept {
        let writes = self.cores[core].shard.counters().writes.taken();
        if writes == self.cores[core].writes {
            return Ok(());
        }
        self.cores[core].writes = writes;
        for key in 0..self.names.len() {
            if self.owners[key] != core {
                continue;
            }
            let record = self.newest_at_owner(key);
            self.truth.observe(key, record, self.step)?;
            let (newest, rate) = (self.truth.keys[key].newest, self.plan.limits.writes_per_key);
            self.truth.written(key, newest, self.now.monotonic_ms, rate)?;
        }
        Ok(())
    }

    /// Lets a client act, with sight of what the oracle knows.
    pub fn with_client<T>(
        &mut self,
        client: usize,
        core: usize,
        act: impl FnOnce(&mut Client, &mut Sight<'_>) -> T,
    ) -> T {
        let mut sight = Sight {
            truth: &mut self.truth,
            plan: &self.plan,
            table: &self.cores[core].table,
            step: self.step,
            now_ms: self.now.monotonic_ms,
            draining: self.cores.iter().any(|core| core.draining),
        };
        act(&mut self.clients[client], &mut sight)
    }

    /// Says what happens, if anybody wants to know.
    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.shows {
            println!("{:>6} {:>8} ms  {}", self.step, self.now.monotonic_ms, what());
        }
    }

    /// A connection, if it is there.
    pub fn sock(&mut self, at: usize) -> Option<&mut Sock> {
        self.socks.get_mut(at).and_then(Option::as_mut)
    }

    /// The connection of this name on a core.
    pub fn find(&self, core: usize, id: ConnId) -> Option<usize> {
        let is_it = |sock: &Option<Sock>| {
            sock.as_ref().is_some_and(|sock| sock.core == core && sock.id == id && !sock.gone)
        };
        self.socks.iter().position(is_it)
    }

    /// Places of connections that are there.
    pub fn places(&self) -> Vec<usize> {
        (0..self.socks.len()).filter(|at| self.socks[*at].is_some()).collect()
    }
}
