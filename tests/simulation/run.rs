//! A run: faults first, then peace, and what is demanded of either.
//!
//! Always true: in the second phase nothing goes wrong and nobody wishes for more than is written here; so
//! whatever does not come right within a bound of steps never will.
//!
//! Read first: `world.rs`, `moves.rs`.

use crate::age::grow_old;
use crate::breach::{Kept, breach, hold};
use crate::client::Mode;
use crate::expect::{Ask, Condition};
use crate::plan::{Fault, Role};
use crate::speech::http::Request;
use crate::world::{Word, World};

/// Rounds in which a healed world must come to rest; each of them moves whatever can move.
const ROUNDS_MAX: usize = 20_000;

/// Runs a world to its end; gives its trace.
pub fn run(world: &mut World) -> Kept<u64> {
    if world.plan.habits.preloads {
        preload(world)?;
    }
    for _ in 0..world.plan.steps {
        world.move_on()?;
    }
    heal(world)?;
    Ok(world.trace.sum())
}

/// Every key is written once, one after the other, before anything may go wrong.
fn preload(world: &mut World) -> Kept {
    let Some(client) = producer(world) else { return Ok(()) };
    for key in 0..world.plan.keys.len() {
        let Some((sock, core)) = fresh_line(world, client) else { return Ok(()) };
        let bytes = world
            .with_client(client, core, |client, sight| client.write_if(key, false, Condition::None, sight));
        world.say(sock, &bytes, false);
        world.healed = true;
        settle(world)?;
        world.healed = false;
    }
    Ok(())
}

fn heal(world: &mut World) -> Kept {
    world.healed = true;
    for at in world.places() {
        if world.socks[at].as_ref().is_some_and(|sock| sock.vanished) {
            world.reset(at);
            if let Some(sock) = world.sock(at) {
                sock.vanished = false;
            }
        }
    }
    settle(world)?;
    check_answered(world)?;
    check_viewers(world)?;
    if world.cores.iter().any(|core| core.draining) {
        world.truth.verify()?;
        world.stop_cleanly()?;
        world.begin_life()?;
    }
    return_viewers(world)?;
    speak_last_words(world)?;
    read_everywhere(world)?;
    grow_old(world)?;
    world.truth.verify()?;
    match world.plan.seed.is_multiple_of(3) {
        true => drain(world)?,
        false => leave_all(world)?,
    }
    check_nothing_left(world)
}

/// Everything that can move moves, until nothing does. No time passes.
pub fn settle(world: &mut World) -> Kept {
    for _ in 0..ROUNDS_MAX {
        world.step += 1;
        let mut any = false;
        for core in 0..world.cores.len() {
            for other in 0..world.cores.len() {
                any |= world.be_told(core, other)?;
                any |= world.tell(core, other)?;
            }
            any |= world.offer(core)?;
            any |= world.do_chores(core)?;
        }
        for at in 0..world.socks.len() {
            any |= world.arrive(at)?;
            any |= world.land(at)?;
            any |= world.hear(at)?;
        }
        if !any {
            return world.check_bounds();
        }
    }
    breach("progress", format!("still moving after {ROUNDS_MAX} rounds"))
}

/// Every question has its answer, but for polls whose state is what their peer has.
fn check_answered(world: &World) -> Kept {
    for client in world.clients.iter().filter(|client| client.role != Role::Vandal) {
        let Some(line) = &client.line else { continue };
        hold(!line.said_end, "what has ended ends", || format!("{:?} after its end", line.expects))?;
        let Some(expect) = line.expects.front() else { continue };
        let waits = match expect.ask {
            Ask::Wait { key, have, .. } => {
                let life = &world.truth.keys[key];
                life.is_live && life.rev == have
            }
            _ => false,
        };
        hold(waits, "every question is answered", || format!("{expect:?} is not"))?;
    }
    Ok(())
}

/// Every open stream shows what is true.
pub fn check_viewers(world: &World) -> Kept {
    for client in &world.clients {
        let is_open =
            client.line.as_ref().is_some_and(|line| matches!(line.mode, Mode::Socket | Mode::Events));
        if is_open && client.role != Role::Vandal {
            client.view.converged(&world.truth)?;
        }
    }
    Ok(())
}

/// Viewers without a stream open one again.
fn return_viewers(world: &mut World) -> Kept {
    for client in 0..world.clients.len() {
        if !matches!(world.clients[client].role, Role::Socket | Role::Events) {
            continue;
        }
        if world.clients[client].line.as_ref().is_some_and(|line| line.mode == Mode::Http) {
            world.leave(client);
        }
        if world.clients[client].line.is_none() && world.connect(client) {
            let Some(sock) = world.clients[client].line.as_ref().map(|line| line.sock) else { continue };
            let core = world.sock(sock).map_or(0, |sock| sock.core);
            let bytes = world.with_client(client, core, |client, sight| client.open_stream_now(sight));
            world.say(sock, &bytes, false);
        }
    }
    settle(world)?;
    check_answered(world)?;
    check_viewers(world)
}

/// A connection of some client that may do everything, to any core.
fn fresh_line(world: &mut World, client: usize) -> Option<(usize, usize)> {
    world.leave(client);
    if !world.connect(client) {
        return None;
    }
    let sock = world.clients[client].line.as_ref().map(|line| line.sock)?;
    let core = world.sock(sock).map_or(0, |sock| sock.core);
    Some((sock, core))
}

fn producer(world: &World) -> Option<usize> {
    (0..world.clients.len()).find(|at| {
        let holder = world.clients[*at].holder;
        world.clients[*at].role == Role::Producer
            && world.cores.iter().all(|core| core.table.is_lasting(holder))
            && world.plan.keys.iter().all(|key| world.table.may_write(holder, key))
    })
}

/// Each key is written once more, and some are deleted: whoever watches has to notice.
fn speak_last_words(world: &mut World) -> Kept {
    let Some(client) = producer(world) else { return Ok(()) };
    for round in 0..2 {
        for key in 0..world.plan.keys.len() {
            let Some((sock, core)) = fresh_line(world, client) else { return Ok(()) };
            let bytes = world.with_client(client, core, |client, sight| match (round + key) % 3 {
                2 => {
                    let holder = sight.table.shown(client.holder);
                    let name = sight.truth.name(key).to_owned();
                    let ask = Ask::Delete { key, condition: Condition::None };
                    client.ask(ask, Request::new("DELETE", &format!("/api/lux/{name}"), holder), sight)
                }
                _ => client.write_if(key, false, Condition::None, sight),
            });
            world.say(sock, &bytes, false);
            settle(world)?;
            check_answered(world)?;
            check_viewers(world)?;
        }
    }
    Ok(())
}

/// Each key, from each core, is what its owner has.
fn read_everywhere(world: &mut World) -> Kept {
    let Some(client) = producer(world) else { return Ok(()) };
    for key in 0..world.plan.keys.len() {
        let Some((sock, core)) = fresh_line(world, client) else { return Ok(()) };
        let bytes = world.with_client(client, core, |client, sight| {
            let target = format!("/api/lux/{}", sight.truth.name(key));
            let request = Request::new("GET", &target, sight.table.shown(client.holder));
            client.ask(Ask::Get { key, have: None, bare: false }, request, sight)
        });
        world.say(sock, &bytes, false);
        settle(world)?;
    }
    check_answered(world)
}

/// Every poller waits for what comes next, as if it had just read what there is.
pub fn begin_polls(world: &mut World) {
    for client in 0..world.clients.len() {
        if world.clients[client].role != Role::Poller {
            continue;
        }
        let Some((sock, core)) = fresh_line(world, client) else { continue };
        let bytes = world.with_client(client, core, |client, sight| {
            let known = sight.truth.keys.iter().map(|key| if key.is_live { key.rev } else { 0 });
            client.known = known.collect();
            client.poll(sight)
        });
        world.say(sock, &bytes, false);
    }
}

/// The broker stops in order: everybody is told, and nobody is left when the time for it is over.
fn drain(world: &mut World) -> Kept {
    begin_polls(world);
    settle(world)?;
    world.cores.iter_mut().for_each(|core| core.words.push_back(Word::Drain));
    settle(world)?;
    for _ in 0..5 {
        world.advance(world.plan.limits.drain_ms / 5);
        settle(world)?;
    }
    for (at, core) in world.cores.iter().enumerate() {
        hold(core.shard.is_deserted() || world.plan.has(Fault::Vandal), "a stop ends in time", || {
            format!("core {at} after {} ms: {:?}", world.plan.limits.drain_ms, core.shard.census())
        })?;
    }
    for client in world.clients.iter().filter(|client| client.role != Role::Vandal) {
        let outstanding = client.line.as_ref().map_or(0, |line| line.expects.len());
        hold(outstanding == 0, "a stop answers polls", || format!("{outstanding} questions are left"))?;
    }
    leave_all(world)
}

fn leave_all(world: &mut World) -> Kept {
    for client in 0..world.clients.len() {
        world.leave(client);
    }
    for _ in 0..12 {
        world.advance(10_000);
        settle(world)?;
    }
    Ok(())
}

/// Nothing is left of anybody, only the states.
fn check_nothing_left(world: &World) -> Kept {
    for (at, core) in world.cores.iter().enumerate() {
        let census = core.shard.census();
        let mut zero = census.clone();
        (zero.keys_live, zero.tombstones, zero.deletion_lines, zero.entries_owned) = (0, 0, 0, 0);
        zero.unsaved = 0;
        hold(
            zero == lux::shard::census::Census::default(),
            "everything zero when everyone has left",
            || format!("core {at}: {census:?}"),
        )?;
        // One that another core had still to be told of is forgotten with the next.
        let deletions = world.plan.limits.tombstones_max + 2;
        hold(census.tombstones <= deletions || producer(world).is_none(), "bounded", || {
            format!("core {at}: {census:?}")
        })?;
        let kept = census.keys_live + census.tombstones;
        hold(census.entries_owned == kept, "everything zero when everyone has left", || {
            format!("core {at}: {census:?}")
        })?;
    }
    Ok(())
}
