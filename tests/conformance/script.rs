//! Frames as words: what a vector of `socket/*.txt` sends.
//!
//! Always true: a script is bytes, and the messages that a reader who follows RFC 6455 would find in them.
//!
//! Read first: `table.rs`, for the escapes inside brackets.
//!
//! | word | sends |
//! |---|---|
//! | `text(x)`, `bin(x)` | a whole message |
//! | `text+(x)`, `bin+(x)` | its first fragment |
//! | `cont+(x)`, `cont(x)` | a further fragment, the last fragment |
//! | `ping(x)`, `pong(x)` | a ping, a pong |
//! | `close()`, `close(1000 x)` | a close frame, with code and reason |
//! | `c1:(x)` | a frame with this first byte |
//! | `mask:01020304` | from here on frames are masked so; otherwise with a mask of no pattern |
//! | `bare:81(x)` | a frame with this first byte, without a mask |
//! | `raw(x)` | these bytes |

use crate::table::{closing, unescape};

/// Frames masked with this have no byte as it was.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a vector sends.
pub struct Script {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Opcode and payload of each whole message in it, in order.
    pub messages: Vec<(u8, Vec<u8>)>,
}

/// A name, and what stands in the brackets behind it.
#[derive(Debug, PartialEq)]
pub struct Word {
    /// What stands before the bracket.
    pub name: String,
    /// What stands inside, with its escapes resolved; nothing where there are no brackets.
    pub payload: Vec<u8>,
}

/// Takes a text of words apart.
#[track_caller]
pub fn words(text: &str) -> Vec<Word> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let end = rest.find([' ', '(']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (inside, after) = match after.strip_prefix('(') {
            Some(inside) => {
                let (payload, after) = inside.split_at(closing(inside));
                (payload, &after[1..])
            }
            None => ("", after),
        };
        words.push(Word { name: name.to_string(), payload: unescape(inside) });
        rest = after.trim_start();
    }
    words
}

impl Script {
    /// Reads what a vector sends.
    #[track_caller]
    pub fn parse(text: &str) -> Script {
        let mut script = Script { bytes: Vec::new(), messages: Vec::new() };
        let mut mask = MASK;
        let mut begun: Option<(u8, Vec<u8>)> = None;
        for Word { name, payload } in words(text) {
            let (kind, of) = name.split_once(':').unwrap_or((&name, ""));
            match kind {
                "raw" => script.bytes.extend(payload),
                "mask" => {
                    mask = u32::from_str_radix(of, 16).expect("eight hex digits").to_be_bytes();
                }
                "bare" => script.bytes.extend(frame(hex(of), None, &payload)),
                "close" => script.bytes.extend(frame(0x88, Some(mask), &close_payload(&payload))),
                _ => {
                    let first = first_byte(kind).unwrap_or_else(|| hex(kind));
                    script.bytes.extend(frame(first, Some(mask), &payload));
                    script.messages.extend(message_after(&mut begun, first, payload));
                }
            }
        }
        script
    }
}

fn first_byte(kind: &str) -> Option<u8> {
    let opcode = match kind.trim_end_matches('+') {
        "cont" => 0x0,
        "text" => 0x1,
        "bin" => 0x2,
        "ping" => 0x9,
        "pong" => 0xa,
        _ => return None,
    };
    Some(if kind.ends_with('+') { opcode } else { 0x80 | opcode })
}

#[track_caller]
fn hex(text: &str) -> u8 {
    u8::from_str_radix(text, 16).unwrap_or_else(|_| panic!("nobody knows {text:?}"))
}

/// `1000 reason` as a close frame has it.
fn close_payload(text: &[u8]) -> Vec<u8> {
    let Some(digits) = text.split(|byte| *byte == b' ').next().filter(|digits| !digits.is_empty()) else {
        return Vec::new();
    };
    let code: u16 = std::str::from_utf8(digits).unwrap().parse().expect("a close code");
    let reason = text.get(digits.len() + 1..).unwrap_or_default();
    [&code.to_be_bytes(), reason].concat()
}

/// The message that a frame completes, if it does.
fn message_after(begun: &mut Option<(u8, Vec<u8>)>, first: u8, payload: Vec<u8>) -> Option<(u8, Vec<u8>)> {
    match (first & 0x0f, begun.as_mut()) {
        (opcode @ (1 | 2), _) => *begun = Some((opcode, payload)),
        (0, Some((_, so_far))) => so_far.extend(payload),
        (_control_or_wrong, _) => return None,
    }
    if first & 0x80 != 0 { begun.take() } else { None }
}

/// The bytes of one frame, its length in the shortest form.
pub fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let flag = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(flag | length as u8),
        length @ 126..65_536 => {
            bytes.push(flag | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(flag | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.iter().flatten());
    let key = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[test]
fn a_script_says_its_messages() {
    let script =
        Script::parse("text+(a\\s() ) ping(x) cont(b) bin(\\xff) bare:81(no) mask:00000000 close(1000 x)");
    assert_eq!(script.messages, [(1, b"a () b".to_vec()), (2, vec![0xff])]);
    assert!(script.bytes.ends_with(b"\x81\x02no\x88\x83\0\0\0\0\x03\xe8x"));
    assert!(script.bytes.starts_with(&[0x01, 0x85, 0x37, 0xfa, 0x21, 0x3d, b'a' ^ 0x37, b' ' ^ 0xfa]));
}
