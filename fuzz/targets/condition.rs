//! `If-Match` and `If-None-Match`: the same writes and reads pass as by a second reading of the lists.
//!
//! Always true: a list that is refused is refused by both.
//!
//! Read first: `../src/lists.rs`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lux::ids::{Epoch, Rev};
use lux::limits::Limits;
use lux::wire::condition::Conditions;
use lux::wire::request;
use lux_fuzz::head as slow;
use lux_fuzz::lists;

static EPOCH: LazyLock<Epoch> = LazyLock::new(|| Epoch::from_bits(1));

// Each line of the input is a field line; its first byte says which.
fuzz_target!(|data: &[u8]| {
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
    for line in data.split(|byte| *byte == b'\n') {
        let [kind, value @ ..] = line else { continue };
        head.extend_from_slice(if kind % 2 == 0 { b"If-Match:" } else { b"If-None-Match:" });
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let (Ok(read), Some(second)) = (request::parse(&head, &Limits::default()), slow::read(&head, 64)) else {
        return;
    };
    let (matches, others) = (second.values("if-match"), second.values("if-none-match"));
    let (if_match, if_none_match) = (lists::read(&matches), lists::read(&others));
    let is_good =
        (matches.is_empty() || if_match.is_some()) && (others.is_empty() || if_none_match.is_some());
    let Ok(conditions) = Conditions::of(&read, &EPOCH) else {
        return assert!(!is_good, "{if_match:?} {if_none_match:?}");
    };
    assert!(is_good);
    assert_eq!(conditions.is_empty(), matches.is_empty() && others.is_empty());
    for current in [None, Some(0), Some(1), Some(7), Some(12), Some(u64::MAX)] {
        let is_named = if_none_match.as_ref().is_some_and(|list| list.names(EPOCH.as_str(), current, true));
        let is_there = if_match.as_ref().is_none_or(|list| list.names(EPOCH.as_str(), current, false));
        assert_eq!(conditions.not_modified(current.map(Rev)), is_named, "{current:?}");
        assert_eq!(conditions.allow_write(current.map(Rev)), is_there && !is_named, "{current:?}");
    }
});
