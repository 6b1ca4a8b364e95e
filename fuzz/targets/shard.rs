//! Several peers of one core, and everything that can happen to them: each byte of the input is a move.
//!
//! Always true: viewers never go back and end on the newest state; answers are whole; when everybody has left, nothing but
//! states is left.
//!
//! Read first: `../src/house.rs`, `../src/words.rs`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lux::key::Key;
use lux_fuzz::ear::hear;
use lux_fuzz::house::House;
use lux_fuzz::names;
use lux_fuzz::words::{WORDS, Word};

/// As many connections as the core takes, and one more to be told so.
const PEERS_MAX: usize = 12;

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    ["a", "b", "d1", "d2"].iter().filter_map(|key| Key::parse(key.as_bytes()).ok()).collect()
});

fuzz_target!(|data: &[u8]| {
    let mut world = World { house: House::default(), talks: Vec::new(), current: 0, is_odd: false };
    world.open();
    let mut moves = data.iter().copied();
    while let Some(byte) = moves.next() {
        world.move_on(byte, &mut moves);
        world.house.do_chores();
    }
    world.end();
});

struct World {
    house: House,
    /// What is known of each peer, by its place in the house.
    talks: Vec<Talk>,
    current: usize,
    /// Something happened that makes viewers leave or keys unreadable.
    is_odd: bool,
}

/// What a peer has said.
#[derive(Clone, Copy, Default)]
struct Talk {
    /// What it watches and goes on to watch.
    watches: Option<&'static [&'static str]>,
    /// It said other things, so that this is not known.
    is_unclear: bool,
}

impl World {
    fn open(&mut self) {
        if self.house.peers.len() < PEERS_MAX {
            self.current = self.house.open();
            self.talks.push(Talk::default());
        }
    }

    fn move_on(&mut self, byte: u8, more: &mut impl Iterator<Item = u8>) {
        let at = self.current;
        let peers = self.house.peers.len();
        match byte {
            0..96 => self.say(&WORDS[usize::from(byte) % WORDS.len()]),
            96..104 => {
                let len = usize::from(more.next().unwrap_or(0));
                self.talks[at].is_unclear = true;
                let bytes: Vec<u8> = more.take(len).collect();
                self.house.peers[at].up.extend(bytes);
            }
            104..136 => drop(
                self.house.arrive(at, [1, 3, 16, 60, 200, 1000, 4000, usize::MAX][usize::from(byte % 8)]),
            ),
            136..144 => drop(self.house.offer()),
            144..152 => drop(self.house.offer_answer()),
            152..168 => drop(self.house.land(at, [1, 5, 50, usize::MAX][usize::from(byte % 4)])),
            168..176 => self.house.flush([1_000, 64, 7, usize::MAX][usize::from(byte % 4)]),
            176..192 => self.house.settle(),
            192..208 => {
                self.house
                    .pass([1, 500, 2_000, 5_000, 10_000, 20_000, 30_000, 75_000][usize::from(byte % 8)]);
                self.is_odd = true;
            }
            208..224 => self.current = usize::from(byte) % peers,
            224..236 => self.open(),
            236..240 => self.house.finish(at),
            240..244 => self.house.give_up(at),
            244 | 245 => {
                self.house.reload(usize::from(byte % 2));
                self.is_odd = true;
            }
            246 => {
                self.house.drain();
                self.is_odd = true;
            }
            247 | 248 => {
                self.house.set_wall(byte == 248);
                self.is_odd = true;
            }
            249.. => self.house.speak_of_the_gone(),
        }
    }

    fn say(&mut self, word: &Word) {
        let (talk, peer) = (&mut self.talks[self.current], &mut self.house.peers[self.current]);
        let is_first = talk.watches.is_none() && !talk.is_unclear;
        match word.watches {
            Some(watches) if is_first => talk.watches = Some(watches),
            Some(_) => talk.is_unclear = true,
            // What comes before a stream is answered before it; what comes behind it is read as frames.
            None => talk.is_unclear |= talk.watches.is_some() && !word.is_harmless,
        }
        if !peer.finished {
            peer.up.extend_from_slice(&word.bytes);
        }
    }

    fn end(mut self) {
        self.house.settle();
        let was_open: Vec<bool> = self.house.peers.iter().map(|peer| !peer.gone && !peer.shut).collect();
        for (at, peer) in self.house.peers.iter().enumerate() {
            let heard = hear(&peer.down, peer.was_cut || !peer.gone);
            let talk = self.talks[at];
            let is_plain =
                was_open[at] && !self.is_odd && !talk.is_unclear && heard.is_stream && !heard.is_closed;
            if let (true, Some(watches)) = (is_plain, talk.watches) {
                self.check_newest(watches, |key| heard.rev(key));
            }
        }
        self.house.close_down();
        for peer in &self.house.peers {
            hear(&peer.down, peer.was_cut);
        }
    }

    /// A viewer that has read everything holds the newest revision of what it watches.
    fn check_newest(&self, watches: &[&str], held: impl Fn(&str) -> Option<u64>) {
        for key in
            KEYS.iter().filter(|key| watches.iter().any(|pattern| names::matches(pattern, key.as_str())))
        {
            let Some(newest) = self.house.shard.newest(key) else { continue };
            match held(key.as_str()) {
                Some(rev) => assert_eq!(rev, newest.rev().0, "{key}"),
                None => assert!(newest.is_deleted() || newest.rev().0 == 0, "{key} was never heard of"),
            }
        }
    }
}
