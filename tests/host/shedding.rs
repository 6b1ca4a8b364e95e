//! More uploads than there may be memory for.
//!
//! Always true: what does not fit is refused at its head, told so, and said in the log; viewers get every state
//! meanwhile, and when the uploads are gone everything is as before.
//!
//! Read first: `help/witness.rs`, `docs/operations.md` (guards).

use crate::harness::socket::frame;
use crate::harness::{Http, RawSocket, Setup, put};
use crate::help::{Memory, Patience, Witness, figures, has_answer, make_room_for_peers, wait_until_served};

const UPLOADS: usize = 1_500;
const BODY_BYTES: usize = 200_000;
const MARK_MIB: usize = 32;

/// A body that comes but for its end.
fn begin_upload(peer: &mut Http, at: usize) {
    let request = put(&format!("upload-{at}"), &format!("\"{}\"", "x".repeat(BODY_BYTES)));
    let bytes = request.bytes();
    peer.try_send(&bytes[..bytes.len() - 10_000]);
}

/// Takes those out that were refused, and checks what they were told.
#[track_caller]
fn take_refused(peers: &mut Vec<Http>) -> usize {
    let refused: Vec<Http> = peers.extract_if(.., |peer| has_answer(peer)).collect();
    let count = refused.len();
    for mut peer in refused {
        let answer = peer.answer();
        assert_eq!(answer.field("Retry-After"), Some("1"));
        assert!(answer.head.says_close(), "its body is not waited for");
        assert_eq!(answer.trouble(503).code, "overloaded");
    }
    count
}

#[test]
fn uploads_past_the_memory_mark_are_refused_while_viewers_go_on() {
    make_room_for_peers();
    let mark = format!("{MARK_MIB} MiB");
    let broker = Setup::cores(2).limit("memory_mark", &mark).limit("body_timeout", "2m").start();
    let mut witness = Witness::of(&broker);
    let mut asker = broker.http();
    let memory = Memory::of(&broker);
    let (mut peers, rounds) = witness.during(|| {
        let mut peers: Vec<Http> = Vec::new();
        for at in 0..UPLOADS {
            peers.push(broker.http());
            begin_upload(peers.last_mut().unwrap(), at);
        }
        peers
    });
    assert!(rounds > 0, "states went on");
    broker.line_with("the memory mark of this core is reached");
    assert!(figures(&mut asker, "lux_shedding").contains(&1));
    for bytes in figures(&mut asker, "lux_peer_bytes") {
        // Those who are being told, and the witness, have a place for that beside the mark.
        let most = MARK_MIB * 1024 * 1024 / 2 + 512 * 1024;
        assert!(bytes as usize <= most, "{bytes} on one of two cores");
    }
    // All but those that fit are told so, some at a time.
    let (patience, mut refused) = (Patience::begin(), 0);
    while refused < UPLOADS - 2 * MARK_MIB * 1024 * 1024 / BODY_BYTES {
        refused += take_refused(&mut peers);
        witness.round();
        patience.check("somebody is not told");
    }
    assert!(peers.len() > MARK_MIB, "{} of {UPLOADS} fit", peers.len());
    memory.assert_grew_less_than_mib(MARK_MIB + 16);
    // Those that fit have nothing to fear.
    let ends: Vec<u16> = peers.iter_mut().map(|peer| finish_upload(peer)).collect();
    assert!(ends.contains(&201) && ends.iter().all(|status| matches!(status, 201 | 503)), "{ends:?}");
    drop(peers);
    broker.line_with("there is memory again");
    wait_until_served(&broker);
    begin_upload(&mut asker, UPLOADS);
    assert_eq!(finish_upload(&mut asker), 201);
    witness.end_with(broker);
}

/// Sends the end; the status of the answer.
#[track_caller]
fn finish_upload(peer: &mut Http) -> u16 {
    peer.try_send(format!("{}\"}}", "x".repeat(10_000 - 2)).as_bytes());
    peer.answer().status()
}

#[test]
fn a_thousand_heads_that_never_end_do_not_pass_the_mark() {
    make_room_for_peers();
    let broker = Setup::cores(1).limit("memory_mark", "4 MiB").limit("head_timeout", "2m").start();
    let mut witness = Witness::of(&broker);
    let memory = Memory::of(&broker);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: lux.test\r\nX-Slow: {}", "x".repeat(14_000));
    let mut peers: Vec<Http> = witness
        .during(|| {
            let mut peers: Vec<Http> = (0..1_000).map(|_| broker.http()).collect();
            for peer in &mut peers {
                peer.try_send(head.as_bytes());
            }
            peers
        })
        .0;
    broker.line_with("the memory mark of this core is reached");
    let (patience, mut refused) = (Patience::begin(), 0);
    while refused < 400 {
        refused += take_refused(&mut peers);
        witness.round();
        patience.check("nobody is told");
    }
    memory.assert_grew_less_than_mib(12);
    drop(peers);
    broker.line_with("there is memory again");
    wait_until_served(&broker);
    witness.end_with(broker);
}

#[test]
fn viewers_in_the_middle_of_long_messages_do_not_pass_the_mark() {
    make_room_for_peers();
    let broker = Setup::cores(1).limit("memory_mark", "4 MiB").start();
    let mut witness = Witness::of(&broker);
    let memory = Memory::of(&broker);
    let message = frame(0x81, &vec![b' '; BODY_BYTES]);
    let mut talkers: Vec<RawSocket> = (0..100).map(|_| RawSocket::open_synced(&broker, "/talk")).collect();
    for talker in &mut talkers {
        talker.send(&message[..message.len() - 10_000]);
    }
    broker.line_with("the memory mark of this core is reached");
    memory.assert_grew_less_than_mib(12);
    // Some fitted, and are answered; the others were told to come back.
    let (mut heard, mut sent_away) = (0, 0);
    for talker in &mut talkers {
        talker.try_send(&message[message.len() - 10_000..]);
        let frame = talker.next().expect("an answer or a close");
        match (frame.opcode, frame.payload.as_slice()) {
            (1, text) if text.starts_with(b"{\"error\"") => heard += 1,
            (8, [high, low, ..]) if u16::from_be_bytes([*high, *low]) == 1013 => sent_away += 1,
            _ => panic!("{frame:?}"),
        }
    }
    assert!(heard > 0 && sent_away > 0, "{heard} were heard, {sent_away} sent away");
    witness.round();
    drop(talkers);
    broker.line_with("there is memory again");
    witness.end_with(broker);
}
