//! What a viewer is promised, over TLS: from its socket to its state nothing is different.
//!
//! Always true: nothing depends on how fast the machine is.
//!
//! Read first: `promises/slow_viewers.rs`.

use super::Pair;
use super::peer::{Stream, Trust, ask};
use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Setup, Viewer, fresh, put};

/// A state of so many bytes that says which it is.
fn state(number: u64, bytes: usize) -> String {
    format!("\"{number}:{}\"", "z".repeat(bytes))
}

/// Writes the key so many times.
fn write(producer: &mut Stream, key: &str, from: u64, to: u64, bytes: usize) {
    for number in from..=to {
        let status = if number == 1 { 201 } else { 200 };
        ask(producer, &put(key, &state(number, bytes))).expect(status);
    }
}

fn unread_viewers(trust: &Trust, broker: &Broker, key: &str, count: usize) -> Vec<Viewer<Stream>> {
    let mut viewers: Vec<_> = (0..count).map(|_| trust.view(broker, &format!("/{key}"))).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    viewers
}

fn slow_viewer_ends_on_the_newest(cores: usize) {
    const WRITES: u64 = 300;
    const BYTES: usize = 100_000;
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(cores));
    let trust = pair.trust();
    let key = fresh("slow");
    let mut viewers = unread_viewers(&trust, &broker, &key, 4);
    let mut producer = trust.connect(&broker);
    write(&mut producer, &key, 1, WRITES / 2, BYTES);
    // In the middle of half-sent states, the certificate becomes another.
    pair.renew();
    broker.signal(nix::sys::signal::Signal::SIGHUP);
    broker.line_with("newcomers are shown a new certificate");
    write(&mut producer, &key, WRITES / 2 + 1, WRITES, BYTES);
    for viewer in &mut viewers {
        let seen = viewer.records_until(|record| record.rev == WRITES);
        assert_rising(&seen);
        assert!(seen.len() < WRITES as usize / 2, "{} states were kept for it", seen.len());
        assert_eq!(seen.last().unwrap().data, state(WRITES, BYTES));
    }
    ask(&mut producer, &put(&key, "0")).expect(200);
    for viewer in &mut viewers {
        assert_eq!(viewer.record().data, "0", "and goes on, at once");
    }
    drop((viewers, producer));
    broker.stop();
}

#[test]
fn a_slow_viewer_ends_on_the_newest_over_a_renewal_on_1_core() {
    slow_viewer_ends_on_the_newest(1);
}

#[test]
fn a_slow_viewer_ends_on_the_newest_over_a_renewal_on_2_cores() {
    slow_viewer_ends_on_the_newest(2);
}

/// Each may have one piece of a send in the making, whatever the size of the states and however many there were.
#[test]
fn viewers_that_never_read_cost_one_piece_of_a_send_each() {
    const VIEWERS: usize = 100;
    const BYTES: usize = 2_000_000;
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(1).limit("state_bytes", "4 MiB"));
    let trust = pair.trust();
    let key = fresh("unread");
    let viewers = unread_viewers(&trust, &broker, &key, VIEWERS);
    let before = broker.resident_kib();
    let mut producer = trust.connect(&broker);
    write(&mut producer, &key, 1, 20, BYTES);
    let grown = broker.resident_kib().saturating_sub(before);
    // 64 KiB of ciphertext and a little for each; two or three of the states themselves.
    let most = VIEWERS * 100 + 8 * BYTES / 1024;
    assert!(grown < most, "{grown} KiB for {VIEWERS} viewers; {most} would be too much");
    drop((viewers, producer));
    broker.stop();
}
