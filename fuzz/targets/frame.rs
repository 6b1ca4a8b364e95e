//! WebSocket frames: the same whatever the cuts, as a second reader hears them; and ours can be read.
//!
//! Always true: what was heard before a breach is heard, and the breach has the same name.
//!
//! Read first: `../src/frames.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::wire::frame::{self, FrameReader, Heard};
use lux::wire::{Progress, WireError};
use lux_fuzz::cuts::pieces;
use lux_fuzz::frames::{of_server, read};

const MESSAGE_BYTES_MAX: usize = 300;

fuzz_target!(|data: &[u8]| {
    let [how, bytes @ ..] = data else { return };
    let expected = read(bytes, MESSAGE_BYTES_MAX);
    assert_eq!(hear(bytes, 255), expected, "at once");
    assert_eq!(hear(bytes, *how), expected, "in pieces");
    expected.0.iter().for_each(check_answer);
});

fn hear(bytes: &[u8], how: u8) -> (Vec<Heard>, Option<WireError>) {
    let (mut reader, mut heard) = (FrameReader::default(), Vec::new());
    let mut bytes = bytes.to_vec();
    for piece in pieces(bytes.len(), how) {
        let mut at = piece.start;
        loop {
            match reader.read(&mut bytes[at..piece.end], MESSAGE_BYTES_MAX) {
                Ok(Progress::Done { value, used }) => {
                    heard.push(value);
                    at += used;
                }
                Ok(Progress::NeedMore) => break,
                Err(error) => return (heard, Some(error)),
            }
        }
    }
    (heard, None)
}

fn check_answer(heard: &Heard) {
    match heard {
        Heard::Text(text) => assert_eq!(of_server(&frame::text(text.as_bytes())), (0x81, text.as_bytes())),
        Heard::Binary(bytes) => assert_eq!(of_server(&frame::binary(bytes)), (0x82, &bytes[..])),
        Heard::Ping(bytes) => assert_eq!(of_server(&frame::pong(bytes)), (0x8a, &bytes[..])),
        Heard::Pong => {}
        Heard::Close(code) => {
            let code = code.unwrap_or(1000);
            let close = frame::close(code, "é".repeat(usize::from(code) % 70).as_str());
            let (first, payload) = of_server(&close);
            assert_eq!((first, &payload[..2]), (0x88, &code.to_be_bytes()[..]));
            assert!(payload.len() <= 125 && std::str::from_utf8(&payload[2..]).is_ok());
        }
    }
}
