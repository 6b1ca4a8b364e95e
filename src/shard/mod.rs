//! One core: its keys, its peers, what each of them is owed.
//!
//! Always true: a shard never blocks, never asks the time and never touches a socket. It is told what
//! happened and asked what to do next; two shards share nothing and speak through [`PeerMessage`]s.
//!
//! Read first: `shard/contract.rs`; then the life of a PUT: `requests.rs`, `writes.rs`, `spread.rs`,
//! `sending.rs`.

pub mod census;
pub mod contract;
pub mod interest;
pub mod owner;
pub mod saving;
pub mod survey;

#[cfg(test)]
mod bare;
mod conns;
mod ending;
mod explain;
mod guarding;
mod holders;
mod joining;
mod link;
mod listing;
mod peers;
mod polls;
mod requests;
mod sending;
mod spread;
mod store;
mod timers;
mod told;
mod viewers;
mod writes;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::access::{Access, Origins};
use crate::conn::manners::Manners;
use crate::conn::route::House;
use crate::conn::{Life, Speech};
use crate::counters::{Counters, Saved};
use crate::guard::Guard;
use crate::guard::address::Address;
use crate::guard::memory::Memory;
use crate::guard::tally::Tally;
use crate::guard::visit::Line;
use crate::ids::{ConnId, Epoch, KeyId, ShardId};
use crate::limits::{Limits, REFUSED_AT_ONCE_MAX};
use crate::shard::conns::Conns;
use crate::shard::contract::Close;
use crate::shard::guarding::{Caller, Pace};
use crate::shard::interest::Groups;
use crate::shard::link::Link;
use crate::shard::owner::Owner;
use crate::shard::store::Store;
use crate::shard::survey::Survey;
use crate::shard::timers::Timers;
use crate::terms::Held;
use crate::time::{Deadline, Now};
use crate::wire::WireError;
use crate::wire::response::DateLine;

/// What a core is told once, at its start.
#[derive(Clone)]
pub struct Config {
    /// Which core this is.
    pub id: ShardId,
    /// How many there are.
    pub shards: u16,
    /// The same on all cores, and secret: it decides which core owns which key.
    pub hash_seed: u64,
    /// The life of these states.
    pub epoch: Epoch,
    /// The operator's bounds.
    pub limits: Limits,
    /// Connections that there are descriptors for.
    pub descriptors: usize,
    /// Who may do what.
    pub access: Arc<Access>,
    /// Which pages may.
    pub origins: Origins,
}

/// What a core may be told anew while it runs, beside who may do what.
#[derive(Clone)]
pub struct Rules {
    /// Which pages may.
    pub origins: Origins,
    /// The operator's bounds.
    pub limits: Limits,
    /// Connections that there are descriptors for.
    pub descriptors: usize,
}

/// One core of the broker.
pub struct Shard {
    id: ShardId,
    owner: Owner,
    house: House,
    now: Now,
    date: DateLine,
    store: Store,
    groups: Groups,
    conns: Conns,
    links: Vec<Link>,
    /// How often a peer of this core began to watch.
    joinings: u32,
    timers: Timers,
    /// When a key of the table expires next, Unix milliseconds.
    next_expiry_ms: Option<u64>,
    /// Who watches with a token, by when it expires, Unix milliseconds.
    expiring: BTreeSet<(u64, ConnId)>,
    /// Connections that there are descriptors for.
    descriptors: usize,
    /// Keys that have a newer record of which nobody was told yet.
    changed: Vec<KeyId>,
    /// HTTP connections that may have an answer to send, oldest first.
    answering: VecDeque<ConnId>,
    /// Viewers and polls that may have something to send, oldest first.
    ready: VecDeque<ConnId>,
    closes: VecDeque<(ConnId, Close)>,
    /// Connections that may be read again.
    resumed: VecDeque<ConnId>,
    /// What the runtime is to look at.
    surveys: VecDeque<Survey>,
    counters: Counters,
    /// Who is at the other end, by the slot of the connection; empty where nobody wants to know.
    callers: Vec<Option<Caller>>,
    /// Connections and streams of each address that is counted.
    addresses: Tally<Address>,
    /// Connections that are only being told that they may not stay.
    turned_away: usize,
    /// How fast keys are written, by their slot; empty where that is not bounded.
    paces: Vec<Pace>,
    memory: Memory,
    /// Viewers in the middle of a message, by their slot, and what that takes.
    talkers: BTreeMap<u32, usize>,
    /// What the access log is to say.
    lines: Vec<Line>,
    /// How the snapshots of the process did when this core was told, and when that was.
    saved: Option<(Saved, u64)>,
    /// What `/metrics` shows of the license.
    license: Option<Arc<Held>>,
}

impl Shard {
    /// A core without keys and peers.
    pub fn new(config: Config) -> Shard {
        let Config { id, shards, hash_seed, epoch, limits, descriptors, access, origins } = config;
        // The clock is not known yet; the first look finds the expiries that have passed.
        let next_expiry_ms = access.next_expiry(0);
        Shard {
            id,
            owner: Owner::new(hash_seed, shards),
            house: House {
                epoch,
                limits,
                access,
                passes: RefCell::default(),
                origins,
                manners: Manners::default(),
                draining: false,
                guard: Guard::default(),
                keeps: false,
            },
            now: Now::default(),
            date: DateLine::default(),
            store: Store::default(),
            groups: Groups::default(),
            conns: Conns::default(),
            links: (0..shards).map(|_| Link::default()).collect(),
            joinings: 0,
            timers: Timers::default(),
            next_expiry_ms,
            expiring: BTreeSet::new(),
            descriptors,
            changed: Vec::new(),
            answering: VecDeque::new(),
            ready: VecDeque::new(),
            closes: VecDeque::new(),
            resumed: VecDeque::new(),
            surveys: VecDeque::new(),
            counters: Counters::default(),
            callers: Vec::new(),
            addresses: Tally::default(),
            turned_away: 0,
            paces: Vec::new(),
            memory: Memory::default(),
            talkers: BTreeMap::new(),
            lines: Vec::new(),
            saved: None,
            license: None,
        }
    }

    /// The same core, making something else of what its peers say.
    pub fn with_manners(mut self, manners: Manners) -> Shard {
        self.house.manners = manners;
        self
    }

    /// A connection was accepted.
    pub fn opened(&mut self, now: Now) -> ConnId {
        self.now = now;
        self.open(None)
    }

    /// Takes a connection in, if only to tell it why it may not stay.
    fn open(&mut self, denied: Option<WireError>) -> ConnId {
        self.counters.accepted += 1;
        let id = self.conns.open(Deadline::NEVER);
        self.set_due(id, self.now.after(self.house.limits.head_timeout_ms));
        self.weigh(id);
        let most = self.house.limits.connections_max;
        let is_full = (self.conns.len() > most).then_some(WireError::TooManyConnections(most));
        let is_shedding = self.memory.is_shedding().then_some(WireError::Overloaded);
        if let Some(error) = denied.or(is_full).or(is_shedding) {
            self.turn_away(id, error);
        }
        id
    }

    /// Bytes came in.
    pub fn received(&mut self, id: ConnId, bytes: &mut [u8], now: Now) {
        self.now = now;
        let Some(conn) = self.conns.get(id) else { return };
        match (conn.life, &conn.speech) {
            (Life::Open, Speech::Http(..)) => self.read_requests(id, bytes),
            (Life::Open, Speech::Stream(_)) => {
                self.read_viewer(id, bytes);
                self.weigh_viewer(id);
            }
            (Life::Closing | Life::Lingering | Life::Over, _) => {}
        }
    }

    /// The peer will send nothing more.
    pub fn finished(&mut self, id: ConnId, now: Now) {
        self.now = now;
        self.peer_finished(id);
    }

    /// The socket is gone, and every operation on it is back.
    pub fn ended(&mut self, id: ConnId, now: Now) {
        self.now = now;
        self.retire(id, Life::Over);
        if let Some(conn) = self.conns.remove(id) {
            self.forget_caller(id.slot, &conn);
        }
    }

    /// Time has passed.
    pub fn woken(&mut self, now: Now) {
        self.now = now;
        while let Some((armed, id)) = self.timers.next_due(now) {
            self.look_at(id, armed);
        }
        if self.next_expiry_ms.is_some_and(|at| at <= now.wall_ms) {
            self.check_holders();
        }
        self.end_expired();
        self.memory.look(self.mark_bytes(), now);
    }

    /// The bounds were replaced. What is there already and beyond one stays: each is asked when more is wanted.
    pub fn rule(&mut self, rules: Rules) {
        let Rules { origins, limits, descriptors } = rules;
        (self.house.origins, self.house.limits, self.descriptors) = (origins, limits, descriptors);
    }

    /// The key table was replaced.
    pub fn reload(&mut self, access: Arc<Access>, now: Now) {
        self.now = now;
        let old = std::mem::replace(&mut self.house.access, access);
        self.house.passes.borrow_mut().clear();
        self.carry_holders_over(&old);
        self.check_holders();
    }

    /// The license was read; none is an evaluation. It is shown, and nothing depends on it.
    pub fn hold_license(&mut self, license: Option<Arc<Held>>) {
        self.license = license;
    }

    /// When [`Shard::woken`] is due next.
    pub fn deadline(&self) -> Deadline {
        let token = self.expiring.first().map(|(at, _)| *at);
        let expiry_in_ms =
            self.next_expiry_ms.into_iter().chain(token).min().map(|at| at.saturating_sub(self.now.wall_ms));
        let expiry = expiry_in_ms.map_or(Deadline::NEVER, |ms| self.now.after(ms));
        self.timers.soonest().min(expiry).min(self.memory.deadline())
    }

    /// Whether a connection of this core is left.
    pub fn is_deserted(&self) -> bool {
        self.conns.is_empty()
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// How many connections may be accepted now: up to the limit, and a few more to be told of it. Where
    /// descriptors are what is short, newcomers wait in the kernel until there are some again; so do those, past the
    /// memory mark, that there is no room for to be told.
    pub fn room(&self) -> usize {
        let limit = self.house.limits.connections_max;
        let room = (limit + REFUSED_AT_ONCE_MAX).min(self.descriptors).saturating_sub(self.conns.len());
        match self.memory.is_shedding() {
            true => room.min(REFUSED_AT_ONCE_MAX.saturating_sub(self.turned_away)),
            false => room,
        }
    }

    /// The figures of this core, as they are now.
    pub fn counters(&self) -> Counters {
        let (viewers_behind, lag_ms) = self.viewers_behind();
        Counters {
            viewers_behind,
            lag_ms,
            connections: self.conns.len() as u64,
            keys: self.store.keys_live() as u64,
            state_bytes: self.store.bytes_live() as u64,
            link_waiting: self.links.iter().map(|link| link.len() as u64).sum(),
            peer_bytes: self.memory.used_bytes() as u64,
            shedding: u64::from(self.memory.is_shedding()),
            saved: self.saved_now(),
            ..self.counters.clone()
        }
    }

    /// Sets when a connection is to be looked at, and arms the timer if that is sooner than it is armed.
    fn set_due(&mut self, id: ConnId, due: Deadline) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.due = due;
        if due < conn.armed {
            conn.armed = due;
            self.timers.arm(due, id);
        }
    }

    /// Puts a connection in line to be asked what it has to send.
    fn queue(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && !conn.queued
            && !conn.outbox.is_in_flight()
        {
            conn.queued = true;
            match &conn.speech {
                Speech::Http(..) => self.answering.push_back(id),
                Speech::Stream(_) => self.ready.push_back(id),
            }
        }
    }
}
