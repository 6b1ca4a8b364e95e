//! WebSocket handshakes that lack something (RFC 6455, section 4.2.1).
//!
//! Always true: a refused handshake is answered over HTTP, with a reason.
//!
//! Read first: `refused/mod.rs`.

use super::assert_others_go_on;
use crate::harness::socket::upgrade;
use crate::harness::{Broker, RawSocket, Request, frame, fresh};

crate::on_1_2_4_cores!(
    an_upgrade_with_a_body_is_400,
    another_version_is_426,
    a_key_that_is_none_is_400,
    a_handshake_has_some_freedom,
    frames_may_follow_the_handshake_at_once,
);

fn an_upgrade_with_a_body_is_400(broker: &Broker) {
    let ask = upgrade(&format!("/{}", fresh("upgrade-body")));
    for request in [ask.clone().body("hello"), ask.clone().chunks(&[b"hello"])] {
        let mut connection = broker.http();
        connection.try_send(&request.bytes());
        let refused = connection.answer();
        assert!(refused.head.says_close());
        refused.trouble(400);
        connection.expect_end();
    }
    assert_others_go_on(broker);
}

fn another_version_is_426(broker: &Broker) {
    for version in ["8", "14", "13, 8", "x", ""] {
        let request = upgrade("/some-key").without("Sec-WebSocket-Version");
        let refused = broker.ask(request.field("Sec-WebSocket-Version", version));
        assert_eq!(refused.field("Sec-WebSocket-Version"), Some("13"), "{version:?}");
        refused.trouble(426);
    }
    let refused = broker.ask(upgrade("/some-key").without("Sec-WebSocket-Version")).status();
    assert!(matches!(refused, 400 | 426), "{refused}");
}

fn a_key_that_is_none_is_400(broker: &Broker) {
    let without = || upgrade("/some-key").without("Sec-WebSocket-Key");
    broker.ask(without()).trouble(400);
    for key in
        ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==x", "!GhlIHNhbXBsZSBub25jZQ=="]
    {
        broker.ask(without().field("Sec-WebSocket-Key", key)).trouble(400);
    }
    broker.ask(upgrade("/some-key").field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")).trouble(400);
}

fn a_handshake_has_some_freedom(broker: &Broker) {
    let ask = || upgrade(&format!("/{}", fresh("freedom")));
    for request in [
        ask().without("Connection").field("connection", "keep-alive, UPGRADE"),
        ask().without("Upgrade").field("upgrade", "WebSocket"),
        ask().field("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ask().field("Content-Length", "0"),
    ] {
        let mut connection = broker.http();
        connection.send(&request.bytes());
        RawSocket::accepted(connection).round_trip(b"");
    }
}

fn frames_may_follow_the_handshake_at_once(broker: &Broker) {
    // Behind another request, and with a ping on its heels: nothing of it may be lost between the two.
    for mut connection in broker.connections(4) {
        let first = Request::new("GET", "/healthz").bytes();
        let ask = upgrade(&format!("/{}", fresh("at-once"))).bytes();
        connection.send(&[first, ask, frame(0x89, b"early")].concat());
        connection.answer().expect(200);
        let mut socket = RawSocket::accepted(connection);
        loop {
            let frame = socket.next().expect("a pong, not the end");
            if frame.opcode == 10 {
                assert_eq!(frame.payload, b"early");
                break;
            }
        }
    }
}
