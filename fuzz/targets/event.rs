//! Event streams: whatever the states are, a browser's parser gets every record whole and in order.
//!
//! Always true: no state can end an event early or begin another.
//!
//! Read first: `../src/events.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::ids::{Epoch, Rev};
use lux::key::{Key, Pattern};
use lux::limits::Limits;
use lux::wire::condition::parse_id;
use lux::wire::record::{Draft, Record};
use lux::wire::{event, json, message};
use lux_fuzz::events::{Event, read};

// Parts end in a zero; the first byte of each says what it becomes, the rest may be a state.
fuzz_target!(|data: &[u8]| {
    let (epoch, key) = (Epoch::from_bits(u64::MAX), Key::parse(b"a:b").expect("a key"));
    let (mut stream, mut expected, mut comments, mut id) = (Vec::new(), Vec::new(), 0, String::new());
    for (at, part) in data.split(|byte| *byte == 0).enumerate() {
        let [kind, raw @ ..] = part else { continue };
        let rev = Rev(u64::from(*kind) << at.min(55));
        let mut says = |kind: &str, data: &[u8], id: &str| {
            let data = String::from_utf8(data.to_vec()).expect("UTF-8");
            expected.push(Event { kind: kind.to_owned(), data, id: id.to_owned() });
        };
        match kind % 4 {
            0 => {
                stream.extend_from_slice(event::COMMENT);
                comments += 1;
            }
            1 => {
                let keys = Pattern::parse(raw).map(|pattern| vec![pattern]).unwrap_or_default();
                let synced = message::synced(&epoch, Some(&keys));
                event::synced(&mut stream, &synced);
                says("synced", &synced, &id);
            }
            with_id => {
                let record = state(&key, raw, rev);
                let is_single = with_id == 2;
                event::record(&mut stream, is_single.then_some((&epoch, rev)), &record.json());
                if is_single {
                    id = format!("{}.{}", epoch.as_str(), rev.0);
                    assert_eq!(parse_id(&id), Some((epoch.as_str(), rev)), "it is its own `since`");
                }
                says("message", &record.json(), &id);
            }
        }
    }
    let stream = String::from_utf8(stream).expect("UTF-8");
    assert_eq!(read(&stream), (expected, comments));
});

/// The record of a state, or of its deletion where these bytes are none.
fn state(key: &Key, raw: &[u8], rev: Rev) -> Record {
    let draft = json::whole_value(raw).and_then(|raw| Draft::new(key, raw, &Limits::default()));
    match draft {
        Ok(draft) => draft.seal(key, rev, 5),
        Err(_) => Record::deletion(key, rev, 5),
    }
}
