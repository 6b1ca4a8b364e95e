//! The world that a seed draws before anything happens: how many of what, which faults, how long.
//!
//! Always true: a plan is a function of its seed. What a shrunk run takes away from it leaves everything else
//! as the seed had it.
//!
//! Read first: `dice.rs`.

use std::collections::BTreeSet;
use std::fmt;

use lux::limits::Limits;

use crate::dice::Dice;
use crate::habits::Habits;

/// What can go wrong in a world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// The kernel takes fewer bytes than it was given.
    Short,
    /// Connections break, in the middle of whatever they carry.
    Reset,
    /// Peers vanish without a word; the broker is not told for long.
    Vanish,
    /// Peers that do not read for long.
    Deaf,
    /// Peers that say they will send nothing more, with answers outstanding.
    HalfClose,
    /// Cores that do nothing for long.
    Stall,
    /// Peers that send what no client sends.
    Vandal,
    /// Time that passes in leaps.
    Leap,
    /// A wall clock that is set back and forth.
    Wall,
    /// API keys that are revoked, narrowed and expire.
    Revoke,
    /// The broker stops in order and starts again; without snapshots as another epoch.
    Restart,
    /// Hardly any deletion is remembered.
    Tombstones,
    /// Room for few keys, or for little memory.
    Room,
    /// Keys that may be written only so often.
    Rate,
    /// Little memory for what peers send.
    Mark,
    /// States outlive the broker: they are saved now and then, and when it stops.
    Snapshot,
    /// The broker is gone without a word, and starts again.
    Crash,
}

/// All of them.
pub const FAULTS: [Fault; 17] = [
    Fault::Short,
    Fault::Reset,
    Fault::Vanish,
    Fault::Deaf,
    Fault::HalfClose,
    Fault::Stall,
    Fault::Vandal,
    Fault::Leap,
    Fault::Wall,
    Fault::Revoke,
    Fault::Restart,
    Fault::Tombstones,
    Fault::Room,
    Fault::Rate,
    Fault::Mark,
    Fault::Snapshot,
    Fault::Crash,
];

impl Fault {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Short => "short",
            Fault::Reset => "reset",
            Fault::Vanish => "vanish",
            Fault::Deaf => "deaf",
            Fault::HalfClose => "half-close",
            Fault::Stall => "stall",
            Fault::Vandal => "vandal",
            Fault::Leap => "leap",
            Fault::Wall => "wall",
            Fault::Revoke => "revoke",
            Fault::Restart => "restart",
            Fault::Tombstones => "tombstones",
            Fault::Room => "room",
            Fault::Rate => "rate",
            Fault::Mark => "mark",
            Fault::Snapshot => "snapshot",
            Fault::Crash => "crash",
        }
    }

    /// The fault of this name.
    pub fn named(name: &str) -> Option<Fault> {
        FAULTS.into_iter().find(|fault| fault.name() == name)
    }
}

/// What a peer is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Writes and reads states.
    Producer,
    /// Watches over a WebSocket.
    Socket,
    /// Watches over Server-Sent Events.
    Events,
    /// Asks again and again, with `?wait=`.
    Poller,
    /// Lists page after page.
    Lister,
    /// Sends what no client sends.
    Vandal,
}

/// What a run takes away from what the seed drew.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Less {
    /// So many steps.
    pub steps: Option<usize>,
    /// At most so many cores.
    pub cores: Option<usize>,
    /// At most so many keys.
    pub keys: Option<usize>,
    /// At most so many peers.
    pub peers: Option<usize>,
    /// Not these faults.
    pub without: BTreeSet<Fault>,
    /// The habits of the world.
    pub plain: bool,
}

/// One world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// Steps of the first phase.
    pub steps: usize,
    /// Cores.
    pub cores: usize,
    /// The keys there may ever be.
    pub keys: Vec<String>,
    /// Who takes part.
    pub roles: Vec<Role>,
    /// Messages that a queue between two cores holds.
    pub mesh_cap: usize,
    /// Bytes that the kernel takes for a peer that does not read.
    pub pipe_cap: usize,
    /// The most bytes that arrive in one piece.
    pub cut: usize,
    /// Extra bytes of a state, at most.
    pub padding: usize,
    /// Of 16 writes so many are patches, and as many deletions.
    pub patches: usize,
    /// The same for deletions.
    pub deletions: usize,
    /// Requests that a producer sends before it has the first answer.
    pub depth: usize,
    /// What can go wrong.
    pub faults: BTreeSet<Fault>,
    /// The broker's bounds.
    pub limits: Limits,
    /// How everybody behaves.
    pub habits: Habits,
}

/// Names in families, one the beginning of another, none in order.
const NAMES: [&str; 40] = [
    "d-1", "a", "d-2", "d-11", "job-1", "d-", "job-2", "d-12", "~", "job-10", "d-3", "b", "d-21", "job-3",
    "d-111", "c", "e-1", "e-2", "e-3", "e-4", "e-5", "e-6", "e-7", "e-8", "e-9", "e-10", "e-11", "e-12",
    "e-13", "e-14", "e-15", "e-16", "e-17", "e-18", "e-19", "e-20", "e-21", "e-22", "e-23", "e-24",
];

impl Plan {
    /// Draws the world of a seed.
    pub fn draw(seed: u64, less: &Less) -> Plan {
        let dice = &mut Dice::new(seed, "world");
        let cores = *dice.pick(&[1, 1, 2, 2, 2, 3, 4, 8]);
        let key_count = *dice.pick(&[1, 1, 1, 2, 3, 4, 8, 16]);
        let peer_count = dice.between(2, 10);
        let mesh_cap = *dice.pick(&[1, 1, 2, 3, 8, 1024]);
        let pipe_cap = *dice.pick(&[64, 256, 2_048, 20_000, 1 << 20]);
        let cut = *dice.pick(&[1, 7, 64, 1_000, 100_000]);
        let padding = *dice.pick(&[0, 0, 0, 40, 300, 5_000, 40_000]);
        let (patches, deletions) = (*dice.pick(&[0, 2, 8]), *dice.pick(&[0, 1, 3, 7]));
        let depth = *dice.pick(&[1, 1, 2, 5]);
        let exponent = 5 + dice.below(12).min(dice.below(12)).min(dice.below(12));
        let steps = (1 << exponent) + dice.below(1 << exponent);
        let habits = match less.plain {
            true => Habits::plain(),
            false => Habits::draw(&mut Dice::new(seed, "habits")),
        };
        let peer_count = habits.peers.unwrap_or(peer_count);
        let roles = draw_roles(peer_count, habits.role, &mut Dice::new(seed, "roles"));
        let mut faults = draw_faults(&mut Dice::new(seed, "faults"), &less.without);
        faults.extend(habits.faults.iter().filter(|fault| !less.without.contains(fault)));
        let limits = draw_limits(&faults, &mut Dice::new(seed, "limits"));
        let (key_count, cores) = (habits.keys.unwrap_or(key_count), habits.cores.unwrap_or(cores));
        let (deletions, depth) = (habits.deletions.unwrap_or(deletions), habits.depth.unwrap_or(depth));
        let (padding, cut) = (habits.padding.unwrap_or(padding), habits.cut.unwrap_or(cut));
        let steps = if habits.lasts { steps.max(2_000) } else { steps };
        Plan {
            seed,
            steps: less.steps.unwrap_or(steps),
            cores: less.cores.map_or(cores, |most| most.min(cores)),
            keys: NAMES[..less.keys.map_or(key_count, |most| most.min(key_count))]
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            roles: roles[..less.peers.map_or(roles.len(), |most| most.min(roles.len()))].to_vec(),
            mesh_cap,
            pipe_cap,
            cut,
            padding,
            patches,
            deletions,
            depth,
            faults,
            limits,
            habits,
        }
    }

    /// Whether this can go wrong here.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

/// Somebody who writes and somebody who watches, and then whoever comes.
fn draw_roles(count: usize, liked: Option<Role>, dice: &mut Dice) -> Vec<Role> {
    const MORE: [Role; 12] = [
        Role::Producer,
        Role::Producer,
        Role::Producer,
        Role::Socket,
        Role::Socket,
        Role::Socket,
        Role::Socket,
        Role::Events,
        Role::Poller,
        Role::Poller,
        Role::Lister,
        Role::Vandal,
    ];
    let first = [Role::Producer, *dice.pick(&[Role::Socket, Role::Socket, Role::Events, Role::Poller])];
    let more = |at: usize| {
        let drawn = *dice.pick(&MORE);
        liked.filter(|_| at.is_multiple_of(2)).unwrap_or(drawn)
    };
    first.into_iter().chain((2..count).map(more)).collect()
}

/// Some worlds have none, most have a few.
fn draw_faults(dice: &mut Dice, without: &BTreeSet<Fault>) -> BTreeSet<Fault> {
    let likelihood = *dice.pick(&[0, 2, 4, 8]);
    let drawn = FAULTS.into_iter().filter(|_| dice.below(16) < likelihood).collect::<Vec<_>>();
    drawn.into_iter().filter(|fault| !without.contains(fault)).collect()
}

fn draw_limits(faults: &BTreeSet<Fault>, dice: &mut Dice) -> Limits {
    let mut limits = Limits::default();
    let (tombstones, keys, memory) = (dice.below(4), dice.between(1, 4), dice.between(1, 64));
    if faults.contains(&Fault::Tombstones) {
        limits.tombstones_max = tombstones;
    }
    if faults.contains(&Fault::Room) {
        limits.keys_max = keys;
        limits.state_memory_bytes_max = memory * 2_000;
    }
    limits.message_bytes_max = *dice.pick(&[512, 4_096, 256 * 1024]);
    let (rate, mark) = (dice.between(1, 6), *dice.pick(&[150_000, 250_000, 400_000]));
    if faults.contains(&Fault::Mark) {
        limits.memory_mark_bytes = mark;
    }
    if faults.contains(&Fault::Rate) {
        limits.writes_per_key = rate;
    }
    limits
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<&str> = self.faults.iter().map(|fault| fault.name()).collect();
        write!(
            f,
            "{} steps, {} cores, {} keys, mesh {}, pipe {}, cut {}, padding {}, depth {}, peers {:?}, faults [{}]\n  {}",
            self.steps,
            self.cores,
            self.keys.len(),
            self.mesh_cap,
            self.pipe_cap,
            self.cut,
            self.padding,
            self.depth,
            self.roles,
            faults.join(" "),
            self.habits,
        )
    }
}
