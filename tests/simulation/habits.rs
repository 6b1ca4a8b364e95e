//! How the peers of one world behave, and how fast each part of it is.
//!
//! Always true: habits are a function of the seed, from dice of their own. In one world out of four they are
//! plain: everything as often as everywhere else. In the others one thing is done much more often than the
//! rest, or hardly ever, since what is rare everywhere is met by nobody.
//!
//! Read first: `plan.rs`.

use std::fmt;

use crate::dice::Dice;
use crate::plan::{Fault, Role};

/// What can happen next, in the order of [`Habits::pace`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// A client acts.
    Act,
    /// Bytes reach the broker.
    Arrive,
    /// A core chooses what to send.
    Offer,
    /// The kernel takes it.
    Land,
    /// Bytes reach a client.
    Hear,
    /// A core speaks to another.
    Tell,
    /// A core is spoken to.
    BeTold,
    /// What the runtime does besides.
    Chores,
    /// Time passes.
    Time,
    /// Something goes wrong.
    Wrong,
}

const MOVES: [Move; 10] = [
    Move::Act,
    Move::Arrive,
    Move::Offer,
    Move::Land,
    Move::Hear,
    Move::Tell,
    Move::BeTold,
    Move::Chores,
    Move::Time,
    Move::Wrong,
];

/// Of 64 moves so many are each.
const PLAIN_PACE: [usize; 10] = [8, 14, 8, 8, 8, 6, 6, 3, 2, 1];

/// Patterns that viewers like.
const PATTERNS: [&str; 8] = ["*", "d-*", "d-1*", "job-*", "d-1", "a", "zz-never", "job-1"];

/// The habits of one world.
#[derive(Clone, Debug)]
pub struct Habits {
    /// How often each move is tried.
    pace: [usize; 10],
    /// Patterns that viewers choose from.
    pub patterns: Vec<&'static str>,
    /// Of so many acts one is to turn away from the connection.
    pub leaves_once_in: usize,
    /// Of 24 acts of a socket so many are commands.
    pub commands: usize,
    /// Keys that are asked for by name are the first so many; 0: all.
    pub favourites: usize,
    /// Everybody who is no viewer goes to this core, viewers to the next one.
    pub seats: Option<usize>,
    /// So many times what the seed drew may a producer ask before it has the first answer.
    pub eagerness: usize,
    /// One request in so many is the last of its connection.
    pub last_once_in: Option<usize>,
    /// It takes its time: 2,000 steps at least.
    pub lasts: bool,
    /// So many keys, cores, …, and not what the seed drew.
    pub keys: Option<usize>,
    /// Cores.
    pub cores: Option<usize>,
    /// Deletions in 16 writes.
    pub deletions: Option<usize>,
    /// Requests at once.
    pub depth: Option<usize>,
    /// Extra bytes of a state.
    pub padding: Option<usize>,
    /// Peers.
    pub peers: Option<usize>,
    /// The most bytes that arrive in one piece.
    pub cut: Option<usize>,
    /// Viewers watch keys by their names as often as they watch patterns.
    pub names_keys: bool,
    /// How many seconds polls wait.
    pub waits: &'static [u64],
    /// Every key has a state before anything happens.
    pub preloads: bool,
    /// Of so many times that time passes, one sets the wall clock.
    pub clock_set_once_in: usize,
    /// Every second peer beyond the first two is this.
    pub role: Option<Role>,
    /// Faults beside those that the seed drew.
    pub faults: &'static [Fault],
}

impl Habits {
    /// What everybody does where nobody has habits.
    pub fn plain() -> Habits {
        Habits {
            pace: PLAIN_PACE,
            patterns: PATTERNS.to_vec(),
            leaves_once_in: 150,
            commands: 8,
            favourites: 0,
            seats: None,
            eagerness: 1,
            last_once_in: None,
            lasts: false,
            keys: None,
            cores: None,
            deletions: None,
            depth: None,
            padding: None,
            peers: None,
            cut: None,
            names_keys: true,
            waits: &[1, 2, 25, 60, 4_000],
            preloads: false,
            clock_set_once_in: 30,
            role: None,
            faults: &[],
        }
    }

    /// Draws the habits of a world.
    pub fn draw(dice: &mut Dice) -> Habits {
        let mut habits = Habits::plain();
        if dice.once_in(4) {
            return habits;
        }
        for pace in &mut habits.pace {
            *pace = (*pace * *dice.pick(&[1, 4, 4, 4, 4, 16])).max(4) / 4;
        }
        let liked = *dice.pick(&[1, 1, 2, 8]);
        if liked < 8 {
            habits.patterns = (0..liked).map(|_| *dice.pick(&PATTERNS[..6])).collect();
        }
        habits.leaves_once_in = *dice.pick(&[8, 30, 150, 150]);
        habits.commands = *dice.pick(&[2, 8, 8, 16]);
        habits.favourites = *dice.pick(&[0, 0, 1, 2]);
        habits.eagerness = *dice.pick(&[1, 1, 1, 12]);
        habits.last_once_in = *dice.pick(&[None, None, Some(3), Some(20)]);
        habits.keys = *dice.pick(&[None, None, None, None, Some(1), Some(2), Some(6), Some(40)]);
        habits.role = *dice.pick(&[None, None, Some(Role::Socket), Some(Role::Poller), Some(Role::Producer)]);
        habits.preloads = dice.once_in(3);
        habits.turn_to(dice.below(12), dice);
        habits.seats = dice.once_in(3).then(|| dice.below(8));
        habits
    }

    /// Some worlds are about one thing, and have all together what it needs to go wrong.
    fn turn_to(&mut self, theme: usize, dice: &mut Dice) {
        match theme {
            0 => {
                // A prefix that is left and watched again, while what was said of its keys is on its way.
                (self.cores, self.keys, self.deletions) = (Some(dice.between(2, 3)), Some(1), Some(7));
                (self.patterns, self.names_keys, self.peers) = (vec!["*"], false, Some(dice.between(2, 4)));
                (self.leaves_once_in, self.commands) = (*dice.pick(&[8, 150]), 20);
                (self.pace[0], self.pace[6]) = (24, *dice.pick(&[1, 2, 6]));
                (self.padding, self.role, self.lasts) = (Some(0), Some(Role::Socket), true);
            }
            1 => {
                // Keys that are taken away, while clocks are set.
                self.faults = &[Fault::Wall, Fault::Revoke];
                (self.clock_set_once_in, self.pace[9]) = (3, 6);
                (self.role, self.leaves_once_in) = (Some(Role::Socket), 30);
                (self.keys, self.preloads, self.favourites, self.lasts) = (Some(6), true, 0, true);
            }
            2 => {
                // Polls behind polls that end when news comes.
                (self.cores, self.keys, self.depth) = (Some(2), Some(dice.between(1, 2)), Some(5));
                (self.role, self.waits, self.pace[8]) = (Some(Role::Poller), &[1], 8);
                (self.padding, self.leaves_once_in, self.lasts) = (Some(0), 150, true);
            }
            3 => {
                // Deletions that are forgotten while somebody has still to be told.
                self.faults = &[Fault::Tombstones];
                (self.keys, self.deletions, self.padding) = (Some(dice.between(1, 3)), Some(7), Some(40));
                self.patterns = vec!["*", "d-1", "d-*"];
                (self.pace[3], self.lasts) = (2, true);
                (self.leaves_once_in, self.role) = (12, Some(Role::Socket));
                (self.favourites, self.commands, self.peers) = (0, 16, Some(dice.between(3, 5)));
            }
            4 => {
                // More keys than a set looks through.
                (self.keys, self.preloads, self.deletions) = (Some(40), true, Some(1));
                (self.favourites, self.commands, self.leaves_once_in) = (0, *dice.pick(&[1, 20]), 150);
                (self.patterns, self.names_keys, self.peers) = (vec!["*", "e-*"], false, Some(3));
                (self.pace[1], self.pace[2], self.lasts) = (56, 2, true);
                (self.padding, self.role) = (Some(40), Some(Role::Socket));
            }
            5 => {
                // Peers that ask much and read nothing.
                (self.faults, self.eagerness, self.role) = (&[Fault::Deaf], 12, Some(Role::Producer));
                (self.padding, self.depth, self.lasts) = (Some(5_000), Some(5), true);
            }
            6 => {
                // Viewers that read more slowly than large states are written.
                (self.keys, self.favourites, self.padding) = (Some(dice.between(3, 6)), 0, Some(12_000));
                (self.patterns, self.names_keys, self.peers) = (vec!["*"], false, Some(dice.between(2, 4)));
                (self.role, self.commands, self.leaves_once_in) = (Some(Role::Producer), 0, 150);
                (self.pace[3], self.lasts, self.eagerness, self.cut) = (2, true, 12, Some(100_000));
            }
            7 => {
                // A core that is hardly heard, and peers that come and go meanwhile.
                (self.cores, self.keys, self.peers) = (Some(2), Some(2), Some(4));
                (self.patterns, self.names_keys, self.commands) = (vec!["*"], false, 20);
                (self.leaves_once_in, self.pace[5], self.lasts) = (*dice.pick(&[8, 150]), 1, true);
                (self.pace[0], self.role, self.padding) = (32, Some(Role::Socket), Some(0));
            }
            8 => {
                // A broker that ends again and again, one way or the other, and goes on where it was.
                self.faults = &[Fault::Snapshot, Fault::Restart, Fault::Crash, Fault::Tombstones];
                (self.keys, self.deletions, self.padding) = (Some(3), Some(5), Some(0));
                (self.pace[7], self.pace[9], self.lasts) = (32, 8, true);
                (self.leaves_once_in, self.role) = (30, Some(Role::Socket));
            }
            _ => {}
        }
    }

    /// What is tried next.
    pub fn next_move(&self, dice: &mut Dice) -> Move {
        let mut at = dice.below(self.pace.iter().sum());
        for (what, pace) in MOVES.into_iter().zip(self.pace) {
            if at < pace {
                return what;
            }
            at -= pace;
        }
        Move::Wrong
    }
}

impl fmt::Display for Habits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Habits { pace, patterns, leaves_once_in, commands, favourites, seats, eagerness, .. } = self;
        write!(
            f,
            "pace {pace:?}, patterns {patterns:?}, leaves 1 in {leaves_once_in}, commands {commands} in 24, \
             favourites {favourites}, seats {seats:?}, eagerness {eagerness}, last {:?}",
            self.last_once_in
        )
    }
}
