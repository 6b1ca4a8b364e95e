//! The same bytes in any pieces: whatever TCP makes of them, the answers are the same.
//!
//! Always true: what is compared is everything a client could tell apart, but for the clock's readings.
//!
//! Read first: `server/harness/mod.rs`.

#[path = "server/harness/mod.rs"]
#[allow(dead_code, unused_imports)]
mod harness;

use std::time::{Duration, Instant};

use harness::socket::upgrade;
use harness::{Answer, Broker, Dice, Http, RawSocket, Request, delete, frame, fresh, get, list, patch, put};

/// How a script of bytes is cut before it is sent.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
    Random(u64),
}

/// All at once, byte by byte, and pieces of drawn sizes, mostly small ones.
fn cuts() -> Vec<Cut> {
    [Cut::Whole, Cut::Bytes].into_iter().chain((1..=12).map(Cut::Random)).collect()
}

fn pieces(bytes: &[u8], cut: Cut) -> Vec<&[u8]> {
    let Cut::Random(seed) = cut else {
        return if let Cut::Bytes = cut { bytes.chunks(1).collect() } else { vec![bytes] };
    };
    let mut dice = Dice(seed);
    let largest = [2, 5, 17, 60, 300, 2_000][dice.below(6)];
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + dice.below(largest)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Sends the pieces one by one. Each is a segment of its own (TCP_NODELAY), and the broker gets its turn, though not
/// for longer than it is patient: on a busy machine thousands of turns take minutes.
fn send_cut(connection: &mut Http, bytes: &[u8], cut: Cut) {
    let began = Instant::now();
    for piece in pieces(bytes, cut) {
        if !connection.try_send(piece) {
            return;
        }
        if began.elapsed() < Duration::from_secs(4) {
            std::thread::yield_now();
        }
    }
}

/// An answer without what the clock put into it, and with `KEY` for the key's own name.
fn essence(answer: &Answer, key: &str) -> String {
    let fields = ["ETag", "Content-Type", "Connection", "Allow", "WWW-Authenticate"];
    let fields: Vec<String> = fields.iter().map(|name| format!("{:?}", answer.field(name))).collect();
    let body = String::from_utf8_lossy(&answer.body);
    format!("{} {} {}", answer.status(), fields.join(" "), without_clock(&body, key))
}

fn without_clock(text: &str, key: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\"updatedAt\":") {
        out.push_str(before);
        out.push_str("\"updatedAt\":_");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    out.replace(key, "KEY")
}

/// Requests of every kind, one behind the other, and the methods that say how to read the answers.
fn pipeline(key: &str) -> (Vec<u8>, Vec<String>) {
    let other = format!("{key}-other");
    let requests = [
        put(key, "{\"text\":\"é €\", \"n\" : 1}"),
        put(&other, "[1, 2]").chunks(&[b"{\"da", b"ta\":", b"[1, 2]", b"}"]),
        get(key),
        get(key).method("HEAD"),
        patch(key, "{\"n\":2,\"more\":{\"a\":null}}"),
        put(key, "").body("{\"data\":}"),
        get(key).anonymous(),
        list(&format!("prefix={key}&limit=1")),
        delete(&other),
        get(&other),
        put(key, "3").field("If-Match", "\"none.1\""),
        put(key, "4").field("Prefer", "return=minimal"),
        Request::new("GET", "/nowhere"),
        Request::new("POST", &format!("/api/lux/{key}")).body("{\"data\":1}"),
        put("%00", "1"),
        get(key).field("If-None-Match", "*"),
        put(key, &format!("\"{}\"", "x".repeat(3_000))),
        get(key),
    ];
    let bytes = requests.iter().flat_map(Request::bytes).collect();
    (bytes, requests.iter().map(|request| request.method.clone()).collect())
}

/// What the broker says to a script of requests, cut like this.
fn answers(broker: &Broker, cut: Cut, ending: &[u8]) -> Vec<String> {
    let key = fresh("cut");
    let (mut bytes, methods) = pipeline(&key);
    bytes.extend(ending);
    let mut connection = broker.http();
    send_cut(&mut connection, &bytes, cut);
    let mut said: Vec<String> =
        methods.iter().map(|method| essence(&connection.answer_to(method), &key)).collect();
    if !ending.is_empty() {
        said.push(essence(&connection.answer(), &key));
        connection.expect_end();
    }
    said
}

fn requests_in_any_pieces(broker: &Broker) {
    let whole = answers(broker, Cut::Whole, b"");
    for cut in cuts() {
        assert_eq!(answers(broker, cut, b""), whole, "{cut:?}");
    }
}

/// Requests after which nothing more can be understood.
const ENDINGS: [&[u8]; 6] = [
    b"GET / HTTP/1.1\r\nHost: x\r\nX: a\nb\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    b"PUT /api/lux/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PUT /api/lux/x HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
];

fn last_requests_in_any_pieces(broker: &Broker) {
    for ending in ENDINGS {
        let whole = answers(broker, Cut::Whole, ending);
        for cut in [Cut::Bytes, Cut::Random(20), Cut::Random(21), Cut::Random(22)] {
            assert_eq!(answers(broker, cut, ending), whole, "{cut:?}");
        }
    }
}

/// What came over a socket, sorted by kind: between kinds there is no promised order.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    pongs: Vec<Vec<u8>>,
    errors: Vec<String>,
    states: Vec<String>,
    close: Option<u16>,
}

impl Heard {
    fn hear(&mut self, socket: &mut RawSocket, key: &str) {
        let frame = socket.next().expect("a frame, not the end");
        match frame.opcode {
            8 => self.close = Some(u16::from_be_bytes([frame.payload[0], frame.payload[1]])),
            // On a busy machine some cuts take longer than the 20 s between two pings.
            9 => {}
            10 => self.pongs.push(frame.payload),
            _ => {
                let text = without_clock(std::str::from_utf8(&frame.payload).expect("UTF-8"), key);
                if text.starts_with("{\"error\"") { &mut self.errors } else { &mut self.states }.push(text);
            }
        }
    }
}

/// Frames of every kind: three pings, three messages that are not understood, three subscriptions.
fn frames(key: &str) -> Vec<u8> {
    let subscribe = format!("{{\"subscribe\":[\"{key}\"]}}");
    let (front, back) = subscribe.as_bytes().split_at(9);
    [
        frame(0x89, b"first"),
        frame(0x81, subscribe.as_bytes()),
        frame(0x01, front),
        frame(0x89, b"between fragments"),
        frame(0x00, b""),
        frame(0x80, back),
        frame(0x82, &[0, 1, 2]),
        frame(0x81, "€ is no command".as_bytes()),
        frame(0x01, b"cut \xe2"),
        frame(0x00, b"\x82"),
        frame(0x80, b"\xac"),
        frame(0x8a, b"a pong that nobody asked for"),
        frame(0x81, format!("{}{subscribe}", " ".repeat(70_000)).as_bytes()),
        frame(0x89, &[b'p'; 125]),
    ]
    .concat()
}

/// What the broker says to an upgrade and frames, and then to how it ends, cut like this.
fn heard(broker: &Broker, cut: Cut, ending: &[u8]) -> Heard {
    let key = fresh("cut-frames");
    broker.ask(put(&key, "\"state\"")).expect(201);
    let mut connection = broker.http();
    let script = [upgrade(&format!("?keys={key}")).bytes(), frames(&key)].concat();
    send_cut(&mut connection, &script, cut);
    let stream = connection.stream();
    let mut socket = RawSocket::accepted(connection);
    let mut heard = Heard::default();
    let synced = |heard: &Heard| heard.states.iter().filter(|text| text.starts_with("{\"synced\"")).count();
    while heard.pongs.len() < 3 || heard.errors.len() < 3 || synced(&heard) < 4 {
        heard.hear(&mut socket, &key);
    }
    send_cut(&mut Http::over(stream), ending, cut);
    while heard.close.is_none() {
        heard.hear(&mut socket, &key);
    }
    heard
}

fn frames_in_any_pieces(broker: &Broker) {
    let close = frame(0x88, b"\x0f\xa0bye");
    let whole = heard(broker, Cut::Whole, &close);
    assert_eq!((whole.states.len(), whole.close), (8, Some(4000)), "four snapshots: {whole:?}");
    for cut in cuts() {
        // 70,000 bytes one by one would only take time; the drawn cuts have pieces that small too.
        if !matches!(cut, Cut::Bytes) {
            assert_eq!(heard(broker, cut, &close), whole, "{cut:?}");
        }
    }
}

fn breaches_in_any_pieces(broker: &Broker) {
    for (ending, code) in [
        (frame(0xc1, b"reserved bit"), 1002),
        (b"\x81\x05hello".to_vec(), 1002),
        ([frame(0x01, b"cut \xe2"), frame(0x80, b"\x82")].concat(), 1007),
        ([frame(0x01, b"begun"), frame(0x81, b"again")].concat(), 1002),
        (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1002),
        (b"\x81\xff\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec(), 1009),
    ] {
        for cut in [Cut::Whole, Cut::Bytes, Cut::Random(30), Cut::Random(31)] {
            let mut socket = RawSocket::open_synced(broker, &format!("/{}", fresh("cut-breach")));
            for piece in pieces(&ending, cut) {
                socket.try_send(piece);
            }
            assert_eq!(socket.close_code(), code, "{cut:?} of {ending:02x?}");
        }
    }
}

on_1_2_4_cores!(
    requests_in_any_pieces,
    last_requests_in_any_pieces,
    frames_in_any_pieces,
    breaches_in_any_pieces,
);
