//! Request heads: found at the same place whatever the cuts, and read as a second reader reads them.
//!
//! Always true: what one reader takes the other takes, and all that it says is the same.
//!
//! Read first: `../src/head.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::limits::Limits;
use lux::wire::request::{self, Head, Method};
use lux::wire::{Progress, WireError, upgrade};
use lux_fuzz::cuts::pieces;
use lux_fuzz::head as slow;

fuzz_target!(|data: &[u8]| {
    let [how, bytes @ ..] = data else { return };
    let limits = Limits { head_bytes_max: 600, head_fields_max: 8, ..Limits::default() };
    let found = request::find_end(bytes, 0, &limits);
    check_end(bytes, &found, &limits);
    check_cuts(bytes, *how, &found, &limits);
    if let Ok(Progress::Done { used, .. }) = found {
        let second = slow::read(&bytes[..used], limits.head_fields_max);
        match (request::parse(&bytes[..used], &limits), second) {
            (Ok(head), Some(second)) => check_head(&head, &second),
            (Err(_), None) => {}
            (first, second) => panic!("one of them takes it: {first:?}, {second:?}"),
        }
    }
});

fn check_end(bytes: &[u8], found: &Result<Progress<()>, WireError>, limits: &Limits) {
    let window = &bytes[..bytes.len().min(limits.head_bytes_max)];
    let is_full = bytes.len() >= limits.head_bytes_max;
    match (found, slow::blank_bytes(window).map(|begin| slow::end(window, begin))) {
        (Err(WireError::Malformed(_)), None) => {}
        (Err(WireError::HeadTooLarge(_)), Some(None)) if is_full => {}
        (Ok(Progress::NeedMore), Some(None)) if !is_full => {}
        (Ok(Progress::Done { used, .. }), Some(Some(end))) if *used == end => {}
        (found, end) => panic!("{found:?}, {end:?}"),
    }
}

fn check_cuts(bytes: &[u8], how: u8, found: &Result<Progress<()>, WireError>, limits: &Limits) {
    let mut scanned = 0;
    for piece in pieces(bytes.len(), how) {
        match request::find_end(&bytes[..piece.end], scanned, limits) {
            Ok(Progress::NeedMore) => scanned = piece.end,
            earlier => return assert_eq!(earlier, *found),
        }
    }
    assert_eq!(*found, request::find_end(bytes, scanned, limits));
}

fn check_head(head: &Head<'_>, second: &slow::Head<'_>) {
    assert_eq!(head.path.as_bytes(), second.path);
    assert_eq!(head.query.as_bytes(), second.query);
    assert_eq!(head.framing, second.framing);
    let method = match second.method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"PUT" => Method::Put,
        b"PATCH" => Method::Patch,
        b"DELETE" => Method::Delete,
        b"OPTIONS" => Method::Options,
        b"POST" => Method::Post,
        _ => Method::Other,
    };
    assert_eq!(head.method, method);
    for (name, _) in &second.fields {
        let name = std::str::from_utf8(name).expect("tokens are ASCII");
        assert_eq!(head.fields(name).collect::<Vec<_>>(), second.values(name), "{name}");
    }
    let options = second.list("connection");
    assert_eq!(head.keep_alive, !options.contains(&b"close".to_vec()));
    assert_eq!(head.connection_upgrade, options.contains(&b"upgrade".to_vec()));
    assert_eq!(head.expects_continue, !second.list("expect").is_empty());
    check_bearer(head, second);
    check_upgrade(head, second);
}

fn check_bearer(head: &Head<'_>, second: &slow::Head<'_>) {
    let lines = second.values("authorization");
    let text = match lines[..] {
        [one] => std::str::from_utf8(one).ok(),
        _ => None,
    };
    let token = text
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.map(|(_, token)| token.trim_start()).filter(|token| !token.is_empty());
    assert_eq!(head.bearer(), token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic())));
}

fn check_upgrade(head: &Head<'_>, second: &slow::Head<'_>) {
    let names_websocket = second.list("upgrade").contains(&b"websocket".to_vec());
    assert_eq!(upgrade::wanted(head), names_websocket);
    let is_nonce = |value: &[u8]| {
        let digits = value.iter().filter(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte)).count();
        value.len() == 24 && digits == 22 && &value[22..] == b"=="
    };
    let is_good = names_websocket
        && head.connection_upgrade
        && head.method == Method::Get
        && matches!(
            second.framing,
            lux::wire::framing::Framing::Empty | lux::wire::framing::Framing::Length(0)
        )
        && second.values("sec-websocket-version") == [b"13"]
        && matches!(second.values("sec-websocket-key")[..], [one] if is_nonce(one));
    match upgrade::handshake(head) {
        Ok(offered) => assert!(is_good && offered.accept.len() == 28),
        Err(_) => assert!(!is_good),
    }
}
