//! Plays tables of frames: what is answered, and how the socket ends or goes on.
//!
//! Always true: behind every vector goes a ping in the same write. Where the socket goes on, its pong is the next
//! thing after what the vector expects, and the closing handshake works; where it ends, nothing follows the close
//! frame. After each vector a bystander on the same process is still served. Each vector is sent whole, in pieces,
//! and byte by byte.
//!
//! Read first: `table.rs`, `script.rs`, which tells what is sent. What may be expected:
//!
//! | word | means |
//! |---|---|
//! | `echo` | the next message comes back, whole. The broker, which knows no such message, complains instead |
//! | `echo(x)` | this text does; for those that go out as `raw` |
//! | `pong(x)` | a pong with this payload |
//! | `close(1002)` | a close frame with this code; then the connection ends |
//! | `open` | nothing, and the socket goes on |

use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

use crate::echo::service;
use crate::generated;
use crate::harness::socket::Frame;
use crate::harness::{Broker, Dice, Http, RawSocket, Request, Viewer, frame, fresh, put, shared};
use crate::script::{self, Script};
use crate::sweep;
use crate::table::{self, Vector};

/// Longer vectors are not sent byte by byte.
const BYTE_BY_BYTE_MAX: usize = 300;

/// Who is spoken to.
#[derive(Clone, Copy)]
enum Target {
    /// `lux serve`, on a stream of one key.
    Broker(&'static Broker),
    /// The same layer with nothing behind it.
    Echo(SocketAddr),
}

/// How a vector's bytes go out.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Pieces,
    Bytes,
}

/// What one lane keeps: somebody who has done nothing wrong.
enum Bystander {
    Viewer(String, Box<Viewer>),
    Echo(RawSocket),
}

fn vectors() -> Vec<Vector> {
    let tables = [
        include_str!("socket/frames.txt"),
        include_str!("socket/fragments.txt"),
        include_str!("socket/closes.txt"),
        include_str!("socket/texts.txt"),
    ];
    tables.iter().flat_map(|text| table::read(text)).chain(generated::vectors()).collect()
}

#[test]
fn the_broker_frames_as_rfc_6455_says() {
    play(Target::Broker(shared(2)));
}

#[test]
fn the_echo_frames_as_rfc_6455_says() {
    play(Target::Echo(echo_address()));
}

/// The echo of this test run, in this process.
pub fn echo_address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        service::start(listen, 2, 256 * 1024).expect("the echo starts").address()
    })
}

fn play(target: Target) {
    let play_one = |bystander: &mut Bystander, vector: &Vector| {
        let script = Script::parse(&vector.sent);
        let is_short = script.bytes.len() <= BYTE_BY_BYTE_MAX;
        let cuts = [Some(Cut::Whole), Some(Cut::Pieces), is_short.then_some(Cut::Bytes)];
        for cut in cuts.into_iter().flatten() {
            play_one(target, vector, &script, cut);
            bystander.is_served(target);
        }
    };
    sweep::play(
        &vectors(),
        600,
        |vector| format!("{}\n    {}", vector.name, vector.sent.get(..120).unwrap_or(&vector.sent)),
        || Bystander::begin(target),
        play_one,
    );
}

#[track_caller]
fn play_one(target: Target, vector: &Vector, script: &Script, cut: Cut) {
    let mut socket = target.open();
    send(&mut socket, &[script.bytes.as_slice(), &frame(0x89, b"tail")].concat(), cut);
    let mut messages = script.messages.iter();
    let mut is_over = false;
    for word in script::words(&vector.expected) {
        let (name, payload) = (word.name.as_str(), word.payload.as_slice());
        match name {
            "open" => {}
            "echo" if !payload.is_empty() => expect_message(target, socket.next(), 1, payload, cut),
            "echo" => {
                let (opcode, sent) = messages.next().expect("the vector holds this message");
                expect_message(target, socket.next(), *opcode, sent, cut);
            }
            "pong" => {
                let pong = socket.next().expect("a pong, not the end");
                assert_eq!((pong.opcode, pong.payload.as_slice()), (10, payload), "{cut:?}");
            }
            "close" => {
                let code = std::str::from_utf8(payload).unwrap().parse::<u16>().expect("a code");
                expect_close(&mut socket, code, cut);
                is_over = true;
            }
            other => panic!("nobody knows {other:?}"),
        }
    }
    if !is_over {
        let pong = socket.next().unwrap_or_else(|| panic!("{cut:?}: the socket ended"));
        assert_eq!((pong.opcode, pong.payload.as_slice()), (10, &b"tail"[..]), "{cut:?}: the tail");
        assert_eq!(messages.next(), None, "all messages of the vector are expected");
        socket.send(&frame(0x88, b"\x03\xe8bye"));
        expect_close(&mut socket, 1000, cut);
    }
    // Whoever was closed on answers the close (5.5.1); a peer that has ended already need not take it.
    socket.try_send(&frame(0x88, b"\x03\xe8"));
    socket.expect_end();
}

#[track_caller]
fn expect_close(socket: &mut RawSocket, code: u16, cut: Cut) {
    let close = socket.next().unwrap_or_else(|| panic!("{cut:?}: ended without a close frame"));
    let said = close.payload.split_first_chunk::<2>().map(|(code, _)| u16::from_be_bytes(*code));
    assert_eq!((close.opcode, said), (8, Some(code)), "{cut:?}: {close:?}");
    assert!(std::str::from_utf8(&close.payload[2..]).is_ok(), "a reason is UTF-8");
}

#[track_caller]
fn expect_message(target: Target, heard: Option<Frame>, opcode: u8, sent: &[u8], cut: Cut) {
    let heard = heard.unwrap_or_else(|| panic!("{cut:?}: a message was due, not the end"));
    let shown = String::from_utf8_lossy(&heard.payload[..heard.payload.len().min(80)]).into_owned();
    match target {
        Target::Echo(_) => {
            assert_eq!((heard.fin, heard.opcode), (true, opcode), "{cut:?}: {shown}");
            assert!(heard.payload == sent, "{cut:?}: {} bytes, not those sent: {shown}", heard.payload.len());
        }
        Target::Broker(_) => {
            assert_eq!((heard.fin, heard.opcode), (true, 1), "{cut:?}: {shown}");
            assert!(heard.payload.starts_with(b"{\"error\":\"bad_message\""), "{cut:?}: {shown}");
        }
    }
}

fn send(socket: &mut RawSocket, bytes: &[u8], cut: Cut) {
    let mut dice = Dice(bytes.len() as u64);
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = match cut {
            Cut::Whole => rest.len(),
            Cut::Pieces => (1 + dice.below(1 + bytes.len() / 4)).min(rest.len()),
            Cut::Bytes => 1,
        };
        let (piece, after) = rest.split_at(length);
        // A peer that has closed takes no more, which is its right.
        if !socket.try_send(piece) {
            return;
        }
        rest = after;
    }
}

impl Target {
    #[track_caller]
    fn open(self) -> RawSocket {
        match self {
            Target::Broker(broker) => RawSocket::open_synced(broker, &format!("/{}", fresh("frames"))),
            Target::Echo(address) => {
                let mut http = Http::over(TcpStream::connect(address).expect("the echo is there"));
                let upgrade = Request::new("GET", "/").anonymous().field("Connection", "Upgrade");
                let upgrade = upgrade.field("Upgrade", "websocket").field("Sec-WebSocket-Version", "13");
                http.send(&upgrade.field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").bytes());
                RawSocket::accepted(http)
            }
        }
    }
}

impl Bystander {
    #[track_caller]
    fn begin(target: Target) -> Bystander {
        match target {
            Target::Broker(broker) => {
                let key = fresh("bystander");
                let mut viewer = Viewer::open(broker, &format!("/{key}"));
                viewer.snapshot();
                Bystander::Viewer(key, Box::new(viewer))
            }
            Target::Echo(_) => Bystander::Echo(target.open()),
        }
    }

    #[track_caller]
    fn is_served(&mut self, target: Target) {
        match (self, target) {
            (Bystander::Viewer(key, viewer), Target::Broker(broker)) => {
                let written = broker.ask(put(key, "\"still here\"")).record();
                assert_eq!(viewer.record().text, written.text, "another viewer");
            }
            (Bystander::Echo(socket), _) => {
                socket.send(&frame(0x81, b"still here"));
                assert_eq!(socket.text(), "still here", "another peer");
            }
            (Bystander::Viewer(..), Target::Echo(_)) => panic!("a viewer of an echo"),
        }
    }
}
