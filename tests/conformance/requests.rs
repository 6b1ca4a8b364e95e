//! Plays tables of requests: what comes back, that the connection goes on or ends, and that nothing was smuggled.
//!
//! Always true: behind every vector goes a good `PUT` in the same write. Where the connection goes on, it gets the
//! very next answer, and a request after it another; where it ends, it never happened. The vector's own key holds
//! what the vector says and nothing else.
//!
//! Read first: `table.rs`. What may be expected:
//!
//! | word | means |
//! |---|---|
//! | `400` | an answer with this status, and the connection goes on |
//! | `400!` | an answer with this status that says `Connection: close`, and the connection ends |
//! | `200h` | the same to a HEAD: no body |
//! | `!` | the connection ends without a further word |
//! | `...` | no answer to so much: nothing follows but the end of sending, and the connection ends without a word |
//! | `101` | a WebSocket: a ping that follows is answered |
//! | `=1` | afterwards the state of `KEY` is `1`; otherwise it has none |

use crate::harness::{API_KEY, Broker, Dice, Http, RawSocket, Request, frame, fresh, get, put};
use crate::sweep;
use crate::table::{self, Vector, unescape};

crate::on_1_2_4_cores!(requests_are_read_as_rfc_9112_says, handshakes_are_read_as_rfc_6455_says);

fn requests_are_read_as_rfc_9112_says(broker: &Broker) {
    let tables = [
        include_str!("http/lines.txt"),
        include_str!("http/fields.txt"),
        include_str!("http/framing.txt"),
        include_str!("http/chunks.txt"),
        include_str!("http/smuggling.txt"),
        include_str!("http/connections.txt"),
    ];
    play(broker, &tables, 400);
}

fn handshakes_are_read_as_rfc_6455_says(broker: &Broker) {
    play(broker, &[include_str!("socket/handshakes.txt")], 60);
}

fn play(broker: &Broker, tables: &[&str], least: usize) {
    let vectors: Vec<Vector> = tables.iter().flat_map(|text| table::read(text)).collect();
    let play_one = |(): &mut (), vector: &Vector| {
        for cut in [Cut::Whole, Cut::Pieces] {
            play_one(broker, vector, cut);
        }
    };
    sweep::play(&vectors, least, |vector| vector.name.clone(), || (), play_one);
    assert!(!broker.stderr().contains("panicked"), "{}", broker.stderr());
}

/// How a vector's bytes go out.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// In one write.
    Whole,
    /// In pieces of drawn sizes, each a segment of its own.
    Pieces,
}

fn send(connection: &mut Http, bytes: &[u8], cut: Cut) {
    let mut rest = bytes;
    let mut dice = Dice(bytes.len() as u64);
    while !rest.is_empty() {
        let length = match cut {
            Cut::Whole => rest.len(),
            Cut::Pieces => (1 + dice.below(1 + bytes.len() / 12)).min(rest.len()),
        };
        let (piece, after) = rest.split_at(length);
        // A broker that has answered and closed takes no more, which is its right.
        if !connection.try_send(piece) {
            return;
        }
        rest = after;
    }
}

#[track_caller]
fn play_one(broker: &Broker, vector: &Vector, cut: Cut) {
    let (key, tail_key) = (fresh("vector"), fresh("tail"));
    let auth = format!("Authorization: Bearer {API_KEY}");
    let bytes = unescape(&vector.sent.replace("KEY", &key).replace("AUTH", &auth));
    let words: Vec<&str> = vector.expected.split(' ').collect();
    let tail = match () {
        () if words.contains(&"...") => Vec::new(),
        () if words.contains(&"101") => frame(0x89, b"tail"),
        () => put(&tail_key, "\"tail\"").bytes(),
    };
    let mut connection = broker.http();
    send(&mut connection, &[bytes, tail].concat(), cut);
    let ends = words.iter().any(|word| word.ends_with(['!', '.']));
    for word in &words {
        match *word {
            "101" => return expect_pong(RawSocket::accepted(connection), b"tail"),
            "!" => {}
            "..." => connection.finish_sending(),
            _ if word.starts_with('=') => {}
            _ => expect_answer(&mut connection, word, cut, vector.sent.contains("100-continue")),
        }
    }
    if ends {
        connection.expect_end();
    } else {
        let answer = connection.answer().expect(201).record();
        assert_eq!((answer.key, answer.data.as_str()), (tail_key.clone(), "\"tail\""), "{cut:?}: the tail");
        connection.ask(&Request::new("GET", "/healthz")).expect(200);
    }
    let tail_status = broker.ask(get(&tail_key)).status();
    assert_eq!(tail_status, if ends { 404 } else { 200 }, "{cut:?}: what followed");
    let state = broker.ask(get(&key));
    match words.iter().find_map(|word| word.strip_prefix('=')) {
        Some(expected) => assert_eq!(state.expect(200).record().data, expected, "{cut:?}"),
        None => assert_eq!(state.status(), 404, "{cut:?}: {} was smuggled", state.text()),
    }
}

#[track_caller]
fn expect_answer(connection: &mut Http, word: &str, cut: Cut, may_wait: bool) {
    let is_head = word.contains('h');
    let status = word.trim_end_matches(['!', 'h']).parse::<u16>().unwrap_or_else(|_| panic!("word {word:?}"));
    let method = if is_head { "HEAD" } else { "GET" };
    let mut answer = connection.answer_to(method);
    if may_wait && answer.status() == 100 {
        // Leave to send a body is for whoever has not sent it, and that depends on the cut.
        answer = connection.answer_to(method);
    }
    let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
    assert_eq!(answer.status(), status, "{cut:?}: {text}");
    assert_eq!(answer.head.says_close(), word.ends_with('!'), "{cut:?}: Connection: close with {status}");
    match status {
        405 => assert!(answer.field("Allow").is_some(), "405 says what is allowed (RFC 9110, 15.5.6)"),
        401 => assert_eq!(answer.field("WWW-Authenticate"), Some("Bearer")),
        426 => assert_eq!(answer.field("Sec-WebSocket-Version"), Some("13")),
        _other => {}
    }
    if status >= 400 && status != 412 && !is_head {
        answer.trouble(status);
    }
}

#[track_caller]
fn expect_pong(mut socket: RawSocket, payload: &[u8]) {
    while let Some(frame) = socket.next() {
        if frame.opcode == 10 {
            return assert_eq!(frame.payload, payload);
        }
    }
    panic!("a pong was due, not the end");
}
