//! Real packets lost, late, doubled and out of order, between two TCP stacks.
//!
//! Always true: viewers behind a bad wire see revisions rise and end on the newest; those on a good one
//! notice nothing.
//!
//! Read first: `help/wire.rs`.

use std::thread;

use crate::harness::viewer::assert_rising;
use crate::harness::{Record, Setup, Viewer, put};
use crate::help::wire::{NEAR, Wire};
use crate::help::{Memory, Namespace, Witness, all_at_once};

const VIEWERS: usize = 24;
const PRODUCERS: usize = 3;
const WRITES: usize = 400;

fn state(n: usize) -> String {
    format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(4 * 1024))
}

fn over_a_bad_wire(loss_percent: usize) {
    let Some([near, far]) = Namespace::several() else { return };
    let Some(wire) = Wire::lay(&near, &far, loss_percent) else { return };
    let address = format!("{NEAR}:0").parse().expect("an address");
    // Nobody is sent away for what the wire does.
    let patient = Setup::cores(2).limit("head_timeout", "60s").limit("body_timeout", "60s");
    let broker = near.run(|| patient.listen(address).start());
    let mut witness = near.run(|| Witness::of(&broker));
    let mut own = near.run(|| broker.http());
    let memory = Memory::of(&broker);
    // Producers, too, are behind the bad wire; what is acknowledged to them counts.
    let (viewers, mut producers) = far.run(|| {
        let viewers = all_at_once(VIEWERS, |_| Viewer::open(&broker, "/board"));
        (viewers, all_at_once(PRODUCERS, |_| broker.http()))
    });
    let (seen, last): (Vec<Vec<Record>>, Record) = thread::scope(|scope| {
        let watch = |mut viewer: Viewer| {
            viewer.snapshot();
            viewer.records_until(|record| record.data == "\"last\"")
        };
        let viewers: Vec<_> = viewers.into_iter().map(|viewer| scope.spawn(move || watch(viewer))).collect();
        witness.during(|| {
            for (number, producer) in producers.iter_mut().enumerate() {
                scope.spawn(move || producer.ask(&put(&format!("from-{number}"), "1")).expect(201));
            }
            for n in 0..WRITES {
                own.ask(&put("board", &state(n)));
            }
        });
        let last = own.ask(&put("board", "\"last\"")).expect(200).record();
        let seen = witness.during(|| viewers.into_iter().map(|viewer| viewer.join().unwrap()).collect());
        (seen.0, last)
    });
    for seen in &seen {
        assert_rising(seen);
        assert_eq!(seen.last(), Some(&last));
    }
    for number in 0..PRODUCERS {
        own.ask(&crate::harness::get(&format!("from-{number}"))).expect(200);
    }
    let (carried, lost, overtook) = wire.figures();
    assert!(
        lost * 100 > carried && overtook > 0,
        "a good wire: {carried} carried, {lost} lost, {overtook} late"
    );
    memory.assert_grew_less_than_mib(4);
    drop((producers, own));
    witness.end_with(broker);
}

#[test]
fn two_of_a_hundred_packets_lost() {
    over_a_bad_wire(2);
}

#[test]
fn six_of_a_hundred_packets_lost() {
    over_a_bad_wire(6);
}
