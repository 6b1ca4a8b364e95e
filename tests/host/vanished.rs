//! Peers that vanish: their machine loses power, their train goes into a tunnel. Nobody says goodbye.
//!
//! Always true: each is let go after its own time, whatever it was doing, and leaves nothing behind; who is
//! there notices nothing. A wire that is mended before then loses nobody.
//!
//! Read first: `help/wire.rs`.

use std::fs;

use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Events, Http, Setup, Viewer, get, put};
use crate::help::wire::{NEAR, Wire};
use crate::help::{Memory, Namespace, Patience, Witness, all_at_once, figures, wait_a_second};

/// How often TCP sends again what was not acknowledged, before it gives up: some 3 seconds, not a quarter of
/// an hour.
const FEW_RETRIES: &str = "echo 3 > /proc/sys/net/ipv4/tcp_retries2";

fn listening(near: &Namespace, setup: Setup) -> Broker {
    let address = format!("{NEAR}:0").parse().expect("an address");
    near.run(|| setup.listen(address).start())
}

/// One of each kind, doing what it does.
struct Peers {
    _viewers: Vec<Viewer>,
    _events: Vec<Events>,
    _http: Vec<Http>,
}

/// How many of them watch.
const STREAMS: usize = 20 + 10 + 10;

impl Peers {
    fn of(broker: &Broker, etag: &str) -> Peers {
        let viewers = all_at_once(30, |at| {
            let mut viewer = Viewer::open(broker, if at < 20 { "/quiet" } else { "/busy" });
            viewer.snapshot();
            viewer
        });
        let events = all_at_once(10, |_| {
            let mut events = Events::open(broker, "/quiet");
            while events.event().name != "synced" {}
            events
        });
        let http = all_at_once(15, |at| {
            let mut connection = broker.http();
            connection.ask(&get("quiet")).expect(200);
            match at % 3 {
                // One is idle, one has begun a head, one polls.
                0 => {}
                1 => connection.send(b"GET /api/lux/qui"),
                _ => connection.send(&get("quiet?wait=2").field("If-None-Match", etag).bytes()),
            }
            connection
        });
        Peers { _viewers: viewers, _events: events, _http: http }
    }
}

fn descriptors(broker: &Broker) -> usize {
    fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("it runs").count()
}

#[test]
fn peers_that_vanish_are_let_go_and_leave_nothing_behind() {
    let Some([near, far]) = Namespace::several() else { return };
    let Some(wire) = Wire::lay(&near, &far, 0) else { return };
    near.shell(FEW_RETRIES);
    let setup = Setup::cores(2).limit("ping_interval", "1s").limit("idle_timeout", "3s");
    let broker = listening(&near, setup.limit("head_timeout", "3s").limit("body_timeout", "2s"));
    let (mut witness, mut asker) = near.run(|| (Witness::of(&broker), broker.http()));
    let etag = asker.ask(&put("quiet", "0")).expect(201).etag();
    asker.ask(&put("busy", "0")).expect(201);
    wait_a_second(&mut asker, "clock");
    let (open, memory) = (descriptors(&broker), Memory::of(&broker));
    let connections = |asker: &mut Http| figures(asker, "lux_connections").iter().sum::<u64>() as usize;
    let there = connections(&mut asker);
    let peers = witness.during(|| far.run(|| Peers::of(&broker, &etag))).0;
    // The one before may have been idle for too long.
    let mut asker = near.run(|| broker.http());
    assert!(connections(&mut asker) >= there + STREAMS, "all who watch are there");

    wire.cut();
    // Some vanish with bytes of theirs on the way.
    for n in 0..200 {
        asker
            .ask(&put("busy", &format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(16 * 1024))))
            .expect(200);
    }
    let patience = Patience::begin();
    while connections(&mut asker) > there {
        witness.during(|| wait_a_second(&mut asker, "clock"));
        patience.check("somebody who vanished is still there");
    }
    assert_eq!(descriptors(&broker), open, "each of them has given its descriptor back");
    assert_eq!(figures(&mut asker, "lux_viewers").iter().sum::<u64>(), 4, "only the witness still watches");
    memory.assert_grew_less_than_mib(6);
    drop(peers);
    drop(asker);
    witness.end_with(broker);
}

#[test]
fn a_wire_that_is_mended_in_time_loses_nobody() {
    let Some([near, far]) = Namespace::several() else { return };
    let Some(wire) = Wire::lay(&near, &far, 0) else { return };
    let broker = listening(&near, Setup::cores(2));
    let (mut witness, mut asker) = near.run(|| (Witness::of(&broker), broker.http()));
    let mut viewers = far.run(|| all_at_once(20, |_| Viewer::open(&broker, "/board")));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    let memory = Memory::of(&broker);
    for outage in 0..2 {
        wire.cut();
        for n in 0..100 {
            let state = format!("{{\"outage\":{outage},\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(8 * 1024));
            asker.ask(&put("board", &state));
        }
        witness.during(|| wait_a_second(&mut asker, "clock"));
        wire.mend();
        let last = asker.ask(&put("board", "\"last\"")).expect(200).record();
        for viewer in &mut viewers {
            let seen = viewer.records_until(|record| record.rev == last.rev);
            assert_rising(&seen);
            assert_eq!(seen.last(), Some(&last));
        }
    }
    memory.assert_grew_less_than_mib(4);
    drop((viewers, asker));
    witness.end_with(broker);
}
