//! The echo, spoken to by a client that others wrote (tungstenite), and over plain HTTP.
//!
//! Always true: what comes back is what went out, whatever its size and however it was cut; so the echo is what a
//! public suite expects to find.
//!
//! Read first: `echo/service.rs`. The Autobahn suite has been pointed at it: see `docs/testing.md`.

use std::net::TcpStream;

use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Message, WebSocket};

use crate::frames::echo_address;
use crate::harness::{Http, PATIENCE, Request};

fn open() -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(echo_address()).expect("the echo is there");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
    let (socket, _) = tungstenite::client("ws://echo.test/", stream).expect("a handshake");
    socket
}

#[test]
fn what_is_said_comes_back() {
    let mut socket = open();
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 262_144] {
        for message in [Message::text("x".repeat(length)), Message::binary(vec![0xfe; length])] {
            socket.send(message.clone()).expect("it goes out");
            assert!(socket.read().expect("it comes back") == message, "{length} bytes");
        }
    }
    // Many at once, more than either side's buffers hold: the echo stops reading until it is read from.
    let large = Message::binary(vec![7; 200_000]);
    std::thread::scope(|scope| {
        let stream = socket.get_ref().try_clone().expect("a descriptor is left");
        let mut writer =
            WebSocket::from_raw_socket(stream, tungstenite::protocol::Role::Client, Some(Default::default()));
        let message = large.clone();
        scope.spawn(move || (0..40).for_each(|_| writer.send(message.clone()).expect("it goes out")));
        (0..40).for_each(|_| assert!(socket.read().expect("it comes back") == large));
    });
}

#[test]
fn fragments_come_back_whole_and_pings_between_them() {
    let mut socket = open();
    let part = |text: &'static str, opcode, is_final| {
        Message::Frame(Frame::message(text.as_bytes(), OpCode::Data(opcode), is_final))
    };
    socket.send(part("frag", Data::Text, false)).expect("it goes out");
    socket.send(Message::Ping("between".into())).expect("it goes out");
    socket.send(part("men", Data::Continue, false)).expect("it goes out");
    socket.send(part("ts", Data::Continue, true)).expect("it goes out");
    assert_eq!(socket.read().expect("a pong"), Message::Pong("between".into()));
    assert_eq!(socket.read().expect("it comes back"), Message::text("fragments"));
}

#[test]
fn a_close_is_closed() {
    let mut socket = open();
    let close = CloseFrame { code: CloseCode::Library(4999), reason: "done".into() };
    socket.close(Some(close)).expect("it goes out");
    match socket.read().expect("a close frame") {
        Message::Close(Some(answer)) => assert_eq!(answer.code, CloseCode::Library(4999)),
        other => panic!("a close frame was due, and came {other:?}"),
    }
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn plain_requests_are_answered() {
    let stream = TcpStream::connect(echo_address()).expect("the echo is there");
    let mut connection = Http::over(stream);
    for request in [
        Request::new("GET", "/"),
        Request::new("GET", "/hello?x=y"),
        Request::new("HEAD", "/"),
        Request::new("POST", "/").body("hello"),
        Request::new("POST", "/").chunks(&[b"hel", b"lo"]),
        Request::new("PUT", "/anything").body("{}"),
    ] {
        let answer = connection.ask(&request.anonymous()).expect(200);
        assert!(!answer.head.says_close(), "the connection goes on");
    }
}
