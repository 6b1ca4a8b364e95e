//! Commands of a viewer: understood as a second reader understands them, and `synced` names what was asked for.
//!
//! Always true: a command is whole or refused.
//!
//! Read first: `../src/json.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::ids::Epoch;
use lux::key::Pattern;
use lux::wire::{WireError, message};
use lux_fuzz::json::{Json, read};
use lux_fuzz::names;

const PATTERNS_MAX: usize = 4;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let expected = understand(text);
    match (message::parse(text, PATTERNS_MAX), expected) {
        (Ok(command), Ok((subscribe, unsubscribe))) => {
            let wished = command.subscribe.unwrap_or_default();
            assert_eq!((texts(&wished), texts(&command.unsubscribe)), (subscribe, unsubscribe));
            check_snapshot_words(&wished);
        }
        (Err(WireError::BadMessage(_)), Err(Why::NoCommand)) => {}
        (Err(WireError::TooManyPatterns(_) | WireError::BadKey(_)), Err(Why::Patterns)) => {}
        (found, expected) => panic!("{found:?}, {expected:?}"),
    }
});

#[derive(Debug)]
enum Why {
    NoCommand,
    Patterns,
}

fn understand(text: &str) -> Result<(Vec<String>, Vec<String>), Why> {
    let Some(Json::Object(members)) = read(text) else { return Err(Why::NoCommand) };
    // A name that is no Unicode is no name here, whatever else stands beside it.
    if members.iter().any(|member| std::str::from_utf8(&member.0.meant).is_err()) {
        return Err(Why::NoCommand);
    }
    let list = |name: &str| {
        let mut named = members.iter().filter(|member| member.0.meant[..] == *name.as_bytes());
        match (named.next().map(|member| &member.1), named.next()) {
            (None | Some(Json::Scalar("null")), None) => Ok(None),
            (Some(Json::Array(values)), None) => strings(values).map(Some),
            _ => Err(Why::NoCommand),
        }
    };
    let (subscribe, unsubscribe) = (list("subscribe")?, list("unsubscribe")?);
    if subscribe.is_none() && unsubscribe.is_none() {
        return Err(Why::NoCommand);
    }
    let lists = [subscribe.unwrap_or_default(), unsubscribe.unwrap_or_default()];
    let is_good = |list: &Vec<String>| {
        list.len() <= PATTERNS_MAX && list.iter().all(|pattern| names::is_pattern(pattern.as_bytes()))
    };
    if !lists.iter().all(is_good) {
        return Err(Why::Patterns);
    }
    let [subscribe, unsubscribe] = lists;
    Ok((subscribe, unsubscribe))
}

fn strings(values: &[Json<'_>]) -> Result<Vec<String>, Why> {
    let string = |value: &Json<'_>| match value {
        Json::Scalar(text) if text.starts_with('"') => {
            String::from_utf8(lux_fuzz::json::meant(text).into_owned()).map_err(|_| Why::NoCommand)
        }
        _ => Err(Why::NoCommand),
    };
    values.iter().map(string).collect()
}

fn texts(patterns: &[Pattern]) -> Vec<String> {
    patterns.iter().map(Pattern::to_string).collect()
}

fn check_snapshot_words(patterns: &[Pattern]) {
    let epoch = Epoch::from_bits(7);
    let keys = texts(patterns).iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(",");
    let expected = |word: &str| format!(r#"{{"{word}":true,"epoch":"{}","keys":[{keys}]}}"#, epoch.as_str());
    assert_eq!(message::synced(&epoch, Some(patterns)), expected("synced").as_bytes());
    assert_eq!(message::syncing(&epoch, patterns), expected("syncing").as_bytes());
}
