//! What clients really say, for inputs to be put together from.
//!
//! Always true: each is one whole request or frame, and says which keys it watches and nothing else.
//!
//! Read first: `targets/shard.rs`.

use std::sync::LazyLock;

use crate::house::{READER, SECRET};

/// One thing to say.
pub struct Word {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The patterns that it watches, if it opens a stream.
    pub watches: Option<&'static [&'static str]>,
    /// It does not change what is watched.
    pub is_harmless: bool,
}

const SOCKET: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const MERGE: &str = "Content-Type: application/merge-patch+json\r\n";

/// All of them.
pub static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| {
    let mut words = requests();
    words.extend(streams());
    words.extend(frames());
    words
});

fn request(line: &str, secret: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{line} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {secret}\r\n{fields}{length}\r\n{body}")
        .into_bytes()
}

fn requests() -> Vec<Word> {
    let long = format!("{{\"data\":\"{}\"}}", "x".repeat(280));
    [
        ("PUT /api/lux/a", "", r#"{"data":1}"#),
        ("PUT /api/lux/a", "", r#"{"data":{"n":[1,2],"m":{}}}"#),
        ("PUT /api/lux/b", "", r#"{"data":null}"#),
        ("PUT /api/lux/c", "", r#"{"data":"written, not read"}"#),
        ("PUT /api/lux/d1", "", &long),
        ("PUT /api/lux/d2", "", r#"{"data":2}"#),
        ("PUT /api/lux/a", "If-None-Match: *\r\n", r#"{"data":3}"#),
        ("PUT /api/lux/a", "If-Match: *\r\nPrefer: return=minimal\r\n", r#"{"data":4}"#),
        ("PUT /api/lux/a", "If-Match: \"100000000000.1\"\r\n", r#"{"data":5}"#),
        ("PATCH /api/lux/a", MERGE, r#"{"n":null,"k":7}"#),
        ("PATCH /api/lux/d1", MERGE, "null"),
        ("DELETE /api/lux/a", "", ""),
        ("DELETE /api/lux/b", "", ""),
        ("DELETE /api/lux/d1", "", ""),
        ("DELETE /api/lux/d2", "", ""),
        ("GET /api/lux/a", "", ""),
        ("HEAD /api/lux/a", "", ""),
        ("GET /api/lux/a?wait=5", "If-None-Match: \"100000000000.1\"\r\n", ""),
        ("GET /api/lux/b?wait=60", "If-None-Match: *\r\n", ""),
        ("GET /api/lux?prefix=d&limit=1", "", ""),
        ("GET /api/lux?prefix=a", "", ""),
        ("GET /metrics", "", ""),
        ("GET /readyz", "Connection: close\r\n", ""),
        ("PUT /api/lux/a", "Expect: 100-continue\r\n", r#"{"data":6}"#),
        ("PUT /api/lux/a", "Transfer-Encoding: chunked\r\n", ""),
        ("PUT /api/lux/e", "", "{\"data\":["),
    ]
    .into_iter()
    .map(|(line, fields, body)| Word {
        bytes: request(line, SECRET, fields, body),
        watches: None,
        is_harmless: false,
    })
    .collect()
}

fn streams() -> Vec<Word> {
    const A: &[&str] = &["a"];
    const D: &[&str] = &["d*"];
    const BOTH: &[&str] = &["a", "b", "d*"];
    [
        ("/a", SECRET, SOCKET, A),
        ("/a", READER, SOCKET, A),
        ("/d*", SECRET, SOCKET, D),
        ("?keys=a,b,d*", SECRET, SOCKET, BOTH),
        ("/a?since=100000000000.1", SECRET, SOCKET, &[]),
        ("?keys=b", SECRET, SOCKET, &["b"]),
        ("/a", SECRET, "", A),
        ("/d*", SECRET, "Accept: text/event-stream\r\n", D),
        ("?keys=a,b,d*", SECRET, "", BOTH),
    ]
    .into_iter()
    .map(|(path, secret, fields, watches)| Word {
        bytes: request(&format!("GET /api/lux/stream{path}"), secret, fields, ""),
        watches: Some(watches),
        is_harmless: false,
    })
    .collect()
}

fn frames() -> Vec<Word> {
    let frame = |first: u8, payload: &str| {
        [&[first, 0x80 + payload.len() as u8, 0, 0, 0, 0], payload.as_bytes()].concat()
    };
    [
        (0x8a, "", true),
        (0x89, "ping", true),
        (0x81, "no command", true),
        (0x81, r#"{"subscribe":["a"]}"#, false),
        (0x81, r#"{"subscribe":["d*","b"]}"#, false),
        (0x81, r#"{"unsubscribe":["a","d*"]}"#, false),
        (0x81, r#"{"unsubscribe":["a"],"subscribe":["a*"]}"#, false),
        (0x81, r#"{"subscribe":["c"]}"#, true),
        (0x81, r#"{"subscribe":["a1","a2","a3","a4","a5"]}"#, true),
        (0x88, "", false),
        (0x01, r#"{"subscribe":["#, false),
        (0x80, r#""b"]}"#, false),
    ]
    .into_iter()
    .map(|(first, payload, is_harmless)| Word { bytes: frame(first, payload), watches: None, is_harmless })
    .collect()
}
