//! One connection and its core: requests, upgrades and frames are answered the same whatever the cuts, whenever
//! the answers are taken.
//!
//! Always true: when it ends, nothing of it is left.
//!
//! Read first: `../src/house.rs`, `../src/ear.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux_fuzz::cuts::pieces;
use lux_fuzz::ear::{Heard, hear};
use lux_fuzz::house::House;

fuzz_target!(|data: &[u8]| {
    let [how, taking, bytes @ ..] = data else { return };
    let whole = play(bytes, 255, Taking::Late);
    let taking = match taking % 4 {
        0 => Taking::Late,
        1 => Taking::AtOnce(usize::MAX),
        2 => Taking::AtOnce(1 + usize::from(*taking) * 4),
        _ => Taking::Sometimes,
    };
    let cut = play(bytes, *how, taking);
    assert_eq!(whole.answers, cut.answers);
    assert_eq!(whole.controls, cut.controls);
    // A socket that closes is owed no states any more, and how many went before depends on when they could.
    let both = if whole.is_closed { whole.synced.len().min(cut.synced.len()) } else { usize::MAX };
    assert!(whole.synced.iter().take(both).eq(cut.synced.iter().take(both)));
});

/// When the kernel takes what is sent.
#[derive(Clone, Copy)]
enum Taking {
    /// When nothing more can arrive.
    Late,
    /// After each piece, at most so many bytes at a time.
    AtOnce(usize),
    /// One send after each piece.
    Sometimes,
}

fn play(bytes: &[u8], how: u8, taking: Taking) -> Heard {
    let mut house = House::default();
    let at = house.open();
    for piece in pieces(bytes.len(), how) {
        house.peers[at].up.extend_from_slice(&bytes[piece]);
        while !house.peers[at].up.is_empty() {
            let arrived = house.arrive(at, usize::MAX);
            match taking {
                Taking::Late if arrived => {}
                Taking::AtOnce(most) if arrived => house.flush(most),
                Taking::Sometimes if arrived => {
                    house.offer();
                    house.land(at, 100);
                }
                Taking::Late | Taking::AtOnce(_) | Taking::Sometimes => {
                    house.flush(usize::MAX);
                    if !arrived && !house.arrive(at, usize::MAX) {
                        // Only an end keeps bytes waiting once everything was taken.
                        assert!(house.peers[at].gone || house.peers[at].shut, "it reads nothing more");
                        house.peers[at].up.clear();
                    }
                }
            }
        }
    }
    house.settle();
    house.close_down();
    let peer = &house.peers[at];
    hear(&peer.down, peer.was_cut)
}
