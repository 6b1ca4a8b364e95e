//! A state from its body to its record: taken if a second reader takes it, encoded as the contract has it, and
//! read back.
//!
//! Always true: the record is these bytes and no others.
//!
//! Read first: `../src/json.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::ids::Rev;
use lux::key::Key;
use lux::limits::Limits;
use lux::wire::record::{Draft, Record};
use lux::wire::{WireError, json};
use lux_fuzz::frames::of_server;
use lux_fuzz::json::{Json, read};

const STATE_BYTES_MAX: usize = 200;
const NESTING_MAX: usize = 6;

fuzz_target!(|data: &[u8]| {
    let [seed, body @ ..] = data else { return };
    let limits = Limits { state_bytes_max: STATE_BYTES_MAX, nesting_max: NESTING_MAX, ..Limits::default() };
    let (key, rev, at) = address(*seed);
    let found = Draft::of_body(&key, body, &limits);
    let in_two_steps = json::data_member(body).and_then(|raw| Draft::new(&key, raw, &limits));
    assert_eq!(found.as_ref().map(Draft::data), in_two_steps.as_ref().map(Draft::data));
    let expected = std::str::from_utf8(body).ok().and_then(read);
    check_whole(body, expected.as_ref());
    let members = match &expected {
        Some(Json::Object(members)) => {
            members.iter().filter(|member| member.0.meant[..] == *b"data").collect()
        }
        Some(_) | None => Vec::new(),
    };
    match (found, expected.is_some(), &members[..]) {
        (Ok(draft), true, [(_, value)]) => encode(&key, draft, rev, at, value),
        (Err(WireError::TooDeep(_)), true, [(_, value)]) => assert!(value.depth() > NESTING_MAX),
        (Err(WireError::StateTooLarge(_)), true, [(_, value)]) => {
            assert!(value.compact().len() > STATE_BYTES_MAX);
        }
        (Err(WireError::NoData(_)), true, [] | [_, _, ..]) => {}
        (Err(WireError::NotUtf8(at)), false, _) => {
            assert!(std::str::from_utf8(&body[..at]).is_ok() && std::str::from_utf8(body).is_err());
        }
        (Err(WireError::NoBody), false, _) => assert!(body.iter().all(u8::is_ascii_whitespace)),
        (Err(WireError::BadJson(_)), false, _) => {}
        (found, _, _) => panic!("{found:?}, {expected:?}"),
    }
});

/// The same body as a patch: one value, whatever it is.
fn check_whole(body: &[u8], expected: Option<&Json<'_>>) {
    let mut out = b"before".to_vec();
    match (json::value_into(body, NESTING_MAX, &mut out), expected) {
        (Ok(()), Some(value)) => {
            assert!(value.depth() <= NESTING_MAX);
            assert_eq!(out.strip_prefix(b"before"), Some(value.compact().as_bytes()));
        }
        (Err(WireError::TooDeep(_)), Some(value)) => assert!(value.depth() > NESTING_MAX),
        (Err(_), None) => {}
        (found, expected) => panic!("{found:?}, {expected:?}"),
    }
}

/// A key and numbers of any length.
fn address(seed: u8) -> (Key, Rev, u64) {
    let name = &"dashboard-main:orders.per~second_9".repeat(4)[..1 + usize::from(seed % 128)];
    let number = u64::MAX >> (seed % 64);
    (Key::parse(name.as_bytes()).expect("a key"), Rev(number), number / 3)
}

fn encode(key: &Key, draft: Draft, rev: Rev, at: u64, value: &Json<'_>) {
    let compact = value.compact();
    assert!(value.depth() <= NESTING_MAX && compact.len() <= STATE_BYTES_MAX);
    let record = draft.seal(key, rev, at);
    let begin = format!(r#"{{"key":"{key}","rev":{},"updatedAt":{at}"#, rev.0);
    check_record(&record, &format!(r#"{begin},"data":{compact}}}"#), value);
    assert!(record.bytes_kept() <= record.frame().len() * 9 / 8 + 100, "it keeps {}", record.bytes_kept());
    let mut out = Vec::new();
    record.write_without_data(key, &mut out);
    assert_eq!(out, format!("{begin}}}").as_bytes());
    let deletion = Record::deletion(key, rev, at);
    check_record(&deletion, &format!(r#"{begin},"data":null,"deleted":true}}"#), &Json::Scalar("null"));
}

/// Its bytes are these, in one frame, and a reader finds the state in them.
fn check_record(record: &Record, text: &str, value: &Json<'_>) {
    let frame = record.frame();
    assert_eq!(of_server(&frame), (0x81, text.as_bytes()));
    assert_eq!(record.json(), text.as_bytes());
    let Some(Json::Object(members)) = read(text) else { panic!("{text} is no object") };
    let names: Vec<&str> = members.iter().map(|member| member.0.written).collect();
    assert_eq!(names[..4], ["\"key\"", "\"rev\"", "\"updatedAt\"", "\"data\""]);
    assert_eq!(&members[3].1, value);
    assert_eq!(record.data(), value.compact().as_bytes());
}
