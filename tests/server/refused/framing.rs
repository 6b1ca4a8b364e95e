//! Requests that two readers could read as two different things: the raw material of smuggling.
//!
//! Always true: each gets one answer and a closed connection, and what stands behind it is never taken for
//! a request of its own.
//!
//! Read first: `refused/mod.rs`.

use super::assert_others_go_on;
use crate::harness::{API_KEY, Broker, fresh, get};

crate::on_1_2_4_cores!(
    field_lines_that_are_wrong,
    framings_that_are_wrong,
    request_lines_that_are_wrong,
    heads_that_are_wrong,
    chunks_that_are_wrong,
    other_protocols,
    a_good_request_before_a_bad_one_is_answered,
);

/// Sends the bytes with a good request behind them. `KEY` and `AUTH` stand for a key and the credentials.
#[track_caller]
fn assert_refused(broker: &Broker, text: &[u8], statuses: &[u16]) {
    let key = fresh("smuggled");
    let tail = "PUT /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 10\r\n\r\n{\"data\":1}";
    let bytes = fill_in(&[text, tail.as_bytes()].concat(), &key);
    let mut connection = broker.http();
    connection.try_send(&bytes);
    let answer = connection.answer();
    let shown = String::from_utf8_lossy(text);
    assert!(statuses.contains(&answer.status()), "{} for {shown:?}: {}", answer.status(), answer.text());
    assert!(answer.head.says_close(), "no close for {shown:?}");
    let status = answer.status();
    answer.trouble(status);
    connection.expect_end();
    assert_eq!(broker.ask(get(&key)).status(), 404, "{shown:?} smuggled a request");
}

fn fill_in(bytes: &[u8], key: &str) -> Vec<u8> {
    let auth = format!("Authorization: Bearer {API_KEY}");
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(&byte) = rest.first() {
        if let Some(after) = rest.strip_prefix(b"KEY") {
            out.extend(key.as_bytes());
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b"AUTH") {
            out.extend(auth.as_bytes());
            rest = after;
        } else {
            out.push(byte);
            rest = &rest[1..];
        }
    }
    out
}

/// A `PUT` with these lines in its head, beside `Host` and the credentials.
fn with_lines(lines: &[u8]) -> Vec<u8> {
    let head = b"PUT /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\n";
    [head, lines, b"\r\n\r\n{\"data\":1}"].concat()
}

const FIELD_LINES: [&[u8]; 26] = [
    // White space around the name (RFC 9112, section 5.1).
    b"Content-Length : 10",
    b"Content-Length\t: 10",
    b"X : y\r\nContent-Length: 10",
    // Folded lines (section 5.2).
    b" Content-Length: 10",
    b"X: a\r\n b\r\nContent-Length: 10",
    b"X: a\r\n\tContent-Length: 10",
    b"Content-Length:\r\n 10",
    // Line ends that are none (section 2.2).
    b"X: y\nContent-Length: 10",
    b"Content-Length: 10\n",
    b"Content-Length: 10\nTransfer-Encoding: chunked",
    b"X: a\rContent-Length: 10",
    b"X: a\r\rContent-Length: 10",
    b"X: a\r",
    b"X: a\r\n\nContent-Length: 10",
    // Control characters.
    b"X: a\0b\r\nContent-Length: 10",
    b"X: \x01\r\nContent-Length: 10",
    b"X: \x0b\r\nContent-Length: 10",
    b"X: \x7f\r\nContent-Length: 10",
    // Names that are no tokens.
    b"X Y: z\r\nContent-Length: 10",
    b": nameless\r\nContent-Length: 10",
    b"no colon\r\nContent-Length: 10",
    b"NoColon\r\nContent-Length: 10",
    b"X(y): z\r\nContent-Length: 10",
    b"\"X\": z\r\nContent-Length: 10",
    b"X\x80: z\r\nContent-Length: 10",
    b"X\0: z\r\nContent-Length: 10",
];

fn field_lines_that_are_wrong(broker: &Broker) {
    for lines in FIELD_LINES {
        assert_refused(broker, &with_lines(lines), &[400]);
    }
    assert_others_go_on(broker);
}

const LENGTHS: [&str; 20] = [
    "+5",
    "+10",
    "-10",
    "-0",
    "0x0a",
    "10a",
    "a",
    "1 0",
    "10 ,",
    "10,",
    ",10",
    "10, 10",
    "10, 11",
    "10;",
    "10.0",
    "1e1",
    "\"10\"",
    "",
    "18446744073709551616",
    "99999999999999999999999999",
];

const FRAMINGS: [&str; 10] = [
    "Content-Length: 10\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 10",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Content-Length: 10\r\nContent-Length: 10",
    "Content-Length: 10\r\nContent-Length: 11",
    "Content-Length: 0\r\nContent-Length: 10",
    "content-length: 10\r\nX: y\r\nCONTENT-LENGTH: 10",
    "Transfer-Encoding : chunked",
    "Content-Length: 10\r\nTransfer-Encoding:\tchunked",
    "Transfer-Encoding: \u{b}chunked",
];

/// Codings that the broker does not know (RFC 9112, section 6.1); some are malformed as well.
const CODINGS: [&str; 13] = [
    "gzip",
    "gzip, chunked",
    "identity",
    "chunked, identity",
    "chunked, chunked",
    "chunked\r\nTransfer-Encoding: chunked",
    "chunked\r\nTransfer-Encoding: identity",
    "xchunked",
    "chunkedx",
    "chunked;q=1",
    "\"chunked\"",
    "",
    "chunked, ,gzip",
];

fn framings_that_are_wrong(broker: &Broker) {
    for length in LENGTHS {
        assert_refused(broker, &with_lines(format!("Content-Length: {length}").as_bytes()), &[400]);
    }
    for framing in FRAMINGS {
        assert_refused(broker, &with_lines(framing.as_bytes()), &[400]);
    }
    for coding in CODINGS {
        assert_refused(broker, &with_lines(format!("Transfer-Encoding: {coding}").as_bytes()), &[400, 501]);
    }
    for coding in ["gzip", "gzip, chunked", "identity", "br"] {
        assert_refused(broker, &with_lines(format!("Transfer-Encoding: {coding}").as_bytes()), &[501]);
    }
    assert_others_go_on(broker);
}

fn request_lines_that_are_wrong(broker: &Broker) {
    for line in [
        &b"GET  /api/lux/KEY HTTP/1.1"[..],
        b"GET /api/lux/KEY  HTTP/1.1",
        b"GET /api/lux/KEY HTTP/1.1 ",
        b" GET /api/lux/KEY HTTP/1.1",
        b"GET\t/api/lux/KEY HTTP/1.1",
        b"GET /api/lux/KEY\tHTTP/1.1",
        b"GET /api/lux/KEY",
        b"GET",
        b"GET /",
        b"/api/lux/KEY HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET api/lux/KEY HTTP/1.1",
        b"GET /api/lux/a b HTTP/1.1",
        b"GET /api/lux/a\0 HTTP/1.1",
        b"GET /api/lux/a\x7f HTTP/1.1",
        b"GET /api/lux/a\xff HTTP/1.1",
        b"GET /api/lux/a#b HTTP/1.1",
        b"GET * HTTP/1.1",
        b"G@T /api/lux/KEY HTTP/1.1",
        b"G(T) /api/lux/KEY HTTP/1.1",
        b"GET\0 /api/lux/KEY HTTP/1.1",
        b"GET /api/lux/KEY HTTP/1.1\rX",
        b"GET /api/lux/KEY http/1.1",
        b"GET /api/lux/KEY HTTP/1.",
        b"GET /api/lux/KEY HTTP/11",
        b"GET /api/lux/KEY HTTP/1.1x",
        b"GET /api/lux/KEY HTTP /1.1",
        b"GET /api/lux/KEY HTTPS/1.1",
        b"GET /api/lux/KEY HTTP/1,1",
        b"GET /api/lux/KEY HTTP/+1.1",
    ] {
        assert_refused(broker, &[line, b"\r\nHost: x\r\nAUTH\r\n\r\n"].concat(), &[400, 505]);
    }
    for version in ["1.0", "0.9", "2.0", "1.2", "3.0"] {
        let head = format!("GET /api/lux/KEY HTTP/{version}\r\nHost: x\r\nAUTH\r\n\r\n");
        assert_refused(broker, head.as_bytes(), &[505]);
    }
    assert_others_go_on(broker);
}

fn heads_that_are_wrong(broker: &Broker) {
    for head in [
        // No host, two of them, or something that is none.
        "GET /api/lux/KEY HTTP/1.1\r\nAUTH\r\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\nHost: x\r\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\nHost: x\r\nhost: y\r\nAUTH\r\n\r\n",
        "GET http://x/api/lux/KEY HTTP/1.1\r\nAUTH\r\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\nHost: a b\r\nAUTH\r\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\nHost: a/b\r\nAUTH\r\n\r\n",
        // Bare line feeds everywhere, and only here and there.
        "GET /api/lux/KEY HTTP/1.1\nHost: x\nAUTH\n\n",
        "GET /api/lux/KEY HTTP/1.1\nHost: x\r\nAUTH\r\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\n\n",
        "GET /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\n Host: x\r\nAUTH\r\n\r\n",
        "GET /api/lux/KEY HTTP/1.1\r\rHost: x\r\nAUTH\r\n\r\n",
    ] {
        assert_refused(broker, head.as_bytes(), &[400]);
    }
}

/// Chunked bodies, each wrong somewhere (RFC 9112, section 7.1).
const CHUNKS: [&[u8]; 33] = [
    b"10000000000000000\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"1000000000000000a\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"fffffffffffffffffffff\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"g\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"0xa\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"+a\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"-a\r\n{\"data\":1}\r\n0\r\n\r\n",
    b" a\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a \r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a\t\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a,\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a.0\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a_\r\n{\"data\":1}\r\n0\r\n\r\n",
    b";a\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a\n{\"data\":1}\r\n0\r\n\r\n",
    b"a\r{\"data\":1}\r\n0\r\n\r\n",
    b"a\r\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a\0\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a\r\n{\"data\":1}0\r\n\r\n",
    b"a\r\n{\"data\":1}\n0\r\n\r\n",
    b"a\r\n{\"data\":1}\r0\r\n\r\n",
    b"a\r\n{\"data\":1}xx0\r\n\r\n",
    b"9\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a;x\ny\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a;x\ry\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a;x\0\r\n{\"data\":1}\r\n0\r\n\r\n",
    b"a\r\n{\"data\":1}\r\n0\n\r\n",
    b"a\r\n{\"data\":1}\r\n0\r\n\n",
    b"a\r\n{\"data\":1}\r\n0\r\nBad Name: x\r\n\r\n",
    b"a\r\n{\"data\":1}\r\n0\r\nX: y\n\r\n",
    b"a\r\n{\"data\":1}\r\n0\r\n folded\r\n\r\n",
    b"a\r\n{\"data\":1}\r\n0\r\nX: a\0\r\n\r\n",
];

fn chunks_that_are_wrong(broker: &Broker) {
    let head = b"PUT /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in CHUNKS {
        assert_refused(broker, &[head, body].concat(), &[400]);
    }
    // These are sizes, only far too large ones.
    for size in ["7fffffffffffffff", "ffffffffffffffff", "fffffffffffffffe", "80000000"] {
        let body = format!("{size}\r\n{{\"data\":1}}\r\n0\r\n\r\n");
        assert_refused(broker, &[head, body.as_bytes()].concat(), &[400, 413]);
    }
    assert_others_go_on(broker);
}

fn other_protocols(broker: &Broker) {
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        assert_refused(broker, bytes, &[400, 505]);
    }
    assert_others_go_on(broker);
}

fn a_good_request_before_a_bad_one_is_answered(broker: &Broker) {
    let key = fresh("good-then-bad");
    let text = "PUT /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 10\r\n\r\n{\"data\":1}\
                GET /api/lux/KEY HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n\
                GET /api/lux/KEY HTTP/1.1\nHost: x\r\n\r\n";
    for mut connection in broker.connections(4) {
        connection.send(&fill_in(text.as_bytes(), &key));
        assert!(matches!(connection.answer().status(), 200 | 201));
        connection.answer().expect(200);
        connection.answer().trouble(400);
        connection.expect_end();
    }
}
