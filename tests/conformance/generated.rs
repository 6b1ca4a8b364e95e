//! Vectors that are too regular to be written out: every reserved bit and opcode, close codes, UTF-8 cut at every
//! byte.
//!
//! Always true: what is generated is a vector like any other, named by its section.
//!
//! Read first: `script.rs`.

use crate::table::Vector;

/// All of them.
pub fn vectors() -> Vec<Vector> {
    [reserved_bits(), reserved_opcodes(), masks(), close_codes(), good_characters(), bad_sequences()].concat()
}

fn vector(section: &str, name: String, expected: &str, sent: String) -> Vector {
    Vector { name: format!("RFC 6455, {section}: {name}"), expected: expected.to_string(), sent }
}

/// Bytes as the inside of brackets has them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// 5.2: "MUST be 0 unless an extension is negotiated", and none is.
fn reserved_bits() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for bits in (0x10_u8..=0x70).step_by(0x10) {
        for (opcode, name) in [(1, "text"), (2, "binary"), (8, "close"), (9, "ping"), (10, "pong")] {
            let first = 0x80 | bits | opcode;
            let payload = if opcode == 8 { "\\x03\\xe8" } else { "x" };
            let name = format!("bits {:03b} on a {name}", bits >> 4);
            vectors.push(vector("5.2", name, "close(1002)", format!("{first:02x}({payload})")));
        }
        let sent = format!("text+(a) {:02x}(b)", 0x80 | bits);
        vectors.push(vector("5.2", format!("bits {:03b} on a continuation", bits >> 4), "close(1002)", sent));
        let sent = format!("text(a) {:02x}(b) cont(c)", bits | 1);
        let name = format!("bits {:03b} on a fragment behind a good text", bits >> 4);
        vectors.push(vector("5.2", name, "echo close(1002)", sent));
    }
    vectors
}

/// 5.2: "If an unknown opcode is received, the receiving endpoint MUST fail the connection."
fn reserved_opcodes() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for opcode in (0x3..=0x7).chain(0xb..=0xf_u8) {
        for (what, sent) in [
            ("alone", format!("{:02x}(x)", 0x80 | opcode)),
            ("alone, empty", format!("{:02x}()", 0x80 | opcode)),
            ("that goes on", format!("{opcode:02x}(x) cont(y)")),
            ("between fragments", format!("text+(a) {:02x}(x) cont(b)", 0x80 | opcode)),
            ("of 126 bytes", format!("{:02x}(\\*126(x))", 0x80 | opcode)),
        ] {
            vectors.push(vector("5.2", format!("opcode {opcode:x} {what}"), "close(1002)", sent));
        }
        let sent = format!("text(a) ping(p) {:02x}(x)", 0x80 | opcode);
        let name = format!("opcode {opcode:x} behind good frames");
        vectors.push(vector("5.2", name, "echo pong(p) close(1002)", sent));
    }
    vectors
}

/// 5.3: every value of each of a mask's bytes.
fn masks() -> Vec<Vector> {
    (0..4_u32)
        .map(|place| {
            let frame = |byte: u32| format!("mask:{:08x} text(hello, mask)", byte << (8 * place));
            let sent: Vec<String> = (0..256).map(frame).collect();
            let name = format!("every value of byte {} of a mask", 3 - place);
            vector("5.3", name, "echo ".repeat(256).trim_end(), sent.join(" "))
        })
        .collect()
}

/// 7.4: which codes a close frame may hold. 1000–1003 and 1007–1011 are the RFC's; 1012–1014 were registered with IANA
/// later; 3000–4999 are for libraries and applications.
fn close_codes() -> Vec<Vector> {
    let may = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    let near = [(0, 3), (990, 1030), (1098, 1101), (1998, 2001), (2990, 3010), (3998, 4002), (4990, 5010)];
    let far = [4096, 4401, 8191, 10_000, 32_767, 32_768, 50_000, 65_534, 65_535, 256, 512, 59_395];
    let codes = near.into_iter().flat_map(|(first, last)| first..=last).chain(far);
    codes
        .map(|code| {
            let expected = if may(code) { format!("close({code})") } else { "close(1002)".to_string() };
            let what = if may(code) { "may be sent" } else { "may not be sent" };
            vector("7.4", format!("code {code} {what}"), &expected, format!("close({code})"))
        })
        .collect()
}

/// The first and the last character of each length, and around the surrogates.
const GOOD: [char; 12] = [
    '\0',
    '\x7f',
    '\u{80}',
    '\u{7ff}',
    '\u{800}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{fffd}',
    '\u{ffff}',
    '\u{10000}',
    '\u{1f600}',
    '\u{10ffff}',
];

/// 8.1: characters whole, and cut by a fragment at each of their bytes.
fn good_characters() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for good in GOOD {
        let code = format!("U+{:04X}", good as u32);
        let text = format!("a{good}z");
        let bytes = text.as_bytes();
        vectors.push(vector("8.1", format!("{code} whole"), "echo", format!("text({})", escaped(bytes))));
        for at in 1..bytes.len() {
            let (before, after) = (escaped(&bytes[..at]), escaped(&bytes[at..]));
            let sent = format!("text+({before}) cont({after})");
            vectors.push(vector("8.1", format!("{code} in fragments, cut at {at}"), "echo", sent));
            let sent = format!("text+({before}) ping(p) cont+() cont({after})");
            let name = format!("{code} in fragments, cut at {at} with a ping and nothing between");
            vectors.push(vector("8.1", name, "pong(p) echo", sent));
        }
    }
    vectors
}

/// What is no UTF-8, and why.
const BAD: [(&[u8], &str); 44] = [
    (b"\x80", "a continuation alone"),
    (b"\xbf", "the last continuation alone"),
    (b"\x80\x80", "two continuations"),
    (b"\x80\xbf\x80\xbf", "four continuations"),
    (b"\xc0\x80", "NUL in two bytes"),
    (b"\xc0\xaf", "a slash in two bytes"),
    (b"\xc1\xbf", "DEL in two bytes"),
    (b"\xe0\x80\x80", "NUL in three bytes"),
    (b"\xe0\x80\xaf", "a slash in three bytes"),
    (b"\xe0\x9f\xbf", "U+07FF in three bytes"),
    (b"\xf0\x80\x80\x80", "NUL in four bytes"),
    (b"\xf0\x80\x80\xaf", "a slash in four bytes"),
    (b"\xf0\x8f\xbf\xbf", "U+FFFF in four bytes"),
    (b"\xed\xa0\x80", "the first high surrogate"),
    (b"\xed\xaf\xbf", "the last high surrogate"),
    (b"\xed\xb0\x80", "the first low surrogate"),
    (b"\xed\xbf\xbf", "the last low surrogate"),
    (b"\xed\xa0\xbd\xed\xb8\x80", "a pair of surrogates"),
    (b"\xed\xb8\x80\xed\xa0\xbd", "a pair the wrong way round"),
    (b"\xf4\x90\x80\x80", "U+110000"),
    (b"\xf5\x80\x80\x80", "a lead byte of later planes"),
    (b"\xf7\xbf\xbf\xbf", "the last lead byte of four"),
    (b"\xf8\x88\x80\x80\x80", "five bytes"),
    (b"\xfb\xbf\xbf\xbf\xbf", "the last of five bytes"),
    (b"\xfc\x84\x80\x80\x80\x80", "six bytes"),
    (b"\xfe", "FE"),
    (b"\xff", "FF"),
    (b"\xfe\xff", "a mark of UTF-16"),
    (b"\xff\xfe\x00\x00", "a mark of UTF-32"),
    (b"\xc3\x28", "two bytes, the second a letter"),
    (b"\xc3\xc3", "two lead bytes"),
    (b"\xe2\x28\xa1", "three bytes, the second a letter"),
    (b"\xe2\x82\x28", "three bytes, the third a letter"),
    (b"\xe2\xe2\x82", "a lead byte in the second place"),
    (b"\xf0\x28\x8c\xbc", "four bytes, the second a letter"),
    (b"\xf0\x90\x28\xbc", "four bytes, the third a letter"),
    (b"\xf0\x90\x8c\x28", "four bytes, the fourth a letter"),
    (b"\xf0\x90\x90", "four bytes, the fourth missing"),
    (b"\xf0\x90", "four bytes, two missing"),
    (b"\xf0", "four bytes, three missing"),
    (b"\xe2\x82", "three bytes, the third missing"),
    (b"\xe2", "three bytes, two missing"),
    (b"\xc3", "two bytes, the second missing"),
    (b"\xe2\x82\xac\xc3", "a good character and half of another"),
];

/// 8.1 and 7.1.6: bad sequences whole, between letters, a byte per fragment, in a close reason.
fn bad_sequences() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (bytes, why) in BAD {
        let bad = escaped(bytes);
        let (last, before) = bytes.split_last().expect("a byte");
        let mut pieces = String::from("text+(ok)");
        pieces.extend(before.iter().map(|byte| format!(" cont+({})", escaped(&[*byte]))));
        pieces.push_str(&format!(" cont({})", escaped(&[*last])));
        for (where_, sent) in [
            ("whole", format!("text({bad})")),
            ("between letters", format!("text(ok{bad}ok)")),
            ("a byte per fragment", pieces),
        ] {
            vectors.push(vector("8.1", format!("{why}, {where_}"), "close(1007)", sent));
        }
        vectors.push(vector(
            "7.1.6",
            format!("{why}, in a reason"),
            "close(1007)",
            format!("close(1000 {bad})"),
        ));
        vectors.push(vector("5.6", format!("{why}, in a binary"), "echo", format!("bin({bad})")));
    }
    vectors
}
