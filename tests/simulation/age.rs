//! Time that passes in peace.
//!
//! Always true: whoever answers pings and may stay, stays; whoever does not, or has nothing to wait for, is not
//! kept. A poll ends when it said it would.
//!
//! Read first: `run.rs`.

use crate::breach::{Kept, hold};
use crate::client::Mode;
use crate::expect::Ask;
use crate::plan::Role;
use crate::run::{begin_polls, check_viewers, settle};
use crate::world::World;

/// A turn of waiting, in milliseconds.
const TURN_MS: u64 = 10_000;

/// A stream that was open when all was quiet.
struct Open {
    client: usize,
    sock: usize,
    /// Pings that it had been sent by then.
    pings: usize,
    /// It reads, and answers no ping.
    is_mute: bool,
}

/// Time passes: who answers pings stays, who polls is answered.
pub fn grow_old(world: &mut World) -> Kept {
    let open = open_streams(world);
    begin_polls(world);
    settle(world)?;
    // Polls behind each other wait one after the other.
    for _ in 0..9 + world.plan.depth * 6 {
        let polls = polls(world);
        world.advance(TURN_MS);
        settle(world)?;
        check_polls(world, &polls)?;
    }
    for stream in &open {
        check_stream(world, stream)?;
    }
    for client in world.clients.iter().filter(|client| client.role != Role::Vandal) {
        let outstanding = client.line.as_ref().map_or(0, |line| line.expects.len());
        hold(outstanding == 0, "polls end", || format!("{outstanding} questions are left"))?;
    }
    for (at, core) in world.cores.iter().enumerate() {
        let census = core.shard.census();
        hold(census.connections == census.viewers, "who asks nothing is not kept", || {
            format!("core {at}: {census:?}")
        })?;
    }
    check_viewers(world)
}

/// The streams that are open; in some worlds the first socket among them falls mute.
fn open_streams(world: &mut World) -> Vec<Open> {
    let mut open = Vec::new();
    let mut may_fall_mute = world.plan.seed % 4 == 1;
    for at in 0..world.clients.len() {
        let client = &mut world.clients[at];
        let Some(line) = client.line.as_mut().filter(|_| client.role != Role::Vandal) else { continue };
        if !matches!(line.mode, Mode::Socket | Mode::Events) {
            continue;
        }
        line.is_mute = line.mode == Mode::Socket && std::mem::take(&mut may_fall_mute);
        let (sock, is_mute) = (line.sock, line.is_mute);
        let pings = world.sock(sock).map_or(0, |sock| sock.tap.pings);
        open.push(Open { client: at, sock, pings, is_mute });
    }
    open
}

fn check_stream(world: &mut World, stream: &Open) -> Kept {
    let client = &world.clients[stream.client];
    let may = client.view.patterns.iter().all(|pattern| world.table.may_read(client.holder, pattern));
    let (lasts, has_ended) =
        (world.table.is_lasting(client.holder), world.table.has_ended(client.holder, world.now.wall_ms));
    let mode = client.line.as_ref().map(|line| line.mode);
    let is_open = matches!(mode, Some(Mode::Socket | Mode::Events));
    let fits = match (stream.is_mute, is_open) {
        (true, is_open) => !is_open,
        (false, true) => may && !has_ended,
        (false, false) => !(may && lasts),
    };
    hold(fits, "viewers stay while they may", || {
        format!(
            "client {} of {:?}: open {is_open}, granted {may}, ended {has_ended}, mute {}",
            stream.client, client.view.patterns, stream.is_mute
        )
    })?;
    let pings = world.sock(stream.sock).map_or(0, |sock| sock.tap.pings);
    let enough = stream.pings + 3;
    hold(!is_open || mode == Some(Mode::Events) || pings >= enough, "the broker pings", || {
        format!("client {} was sent {} pings in 90 s", stream.client, pings - stream.pings)
    })
}

/// Each poll that is the oldest question of its client: whose, the answers before it, and how long it waits.
fn polls(world: &World) -> Vec<(usize, usize, u64)> {
    let poll = |(at, client): (usize, &crate::client::Client)| {
        let line = client.line.as_ref().filter(|_| client.role != Role::Vandal)?;
        match line.expects.front()?.ask {
            Ask::Wait { wait_ms, .. } => Some((at, line.answers, wait_ms)),
            _ => None,
        }
    };
    world.clients.iter().enumerate().filter_map(poll).collect()
}

fn check_polls(world: &World, before: &[(usize, usize, u64)]) -> Kept {
    for (client, answers, wait_ms) in before.iter().filter(|(_, _, wait_ms)| *wait_ms <= TURN_MS) {
        let line = world.clients[*client].line.as_ref();
        let waits = line.is_some_and(|line| line.answers == *answers && !line.expects.is_empty());
        hold(!waits, "a poll ends in time", || {
            format!("client {client} has waited for {TURN_MS} ms, and not for {wait_ms}")
        })?;
    }
    Ok(())
}
