//! Bodies: the same whatever the cuts, and as a reader says who sees all bytes at once.
//!
//! Always true: body, end and refusal are the same for both readers.
//!
//! Read first: `../src/body.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lux::wire::Progress;
use lux::wire::body::BodyReader;
use lux::wire::framing::Framing;
use lux_fuzz::body::{Read, chunked, plain};
use lux_fuzz::cuts::pieces;

fuzz_target!(|data: &[u8]| {
    let [kind, how, bytes @ ..] = data else { return };
    let bytes_max = 100;
    let (framing, expected) = match *kind {
        0..200 => (Framing::Chunked, chunked(bytes, bytes_max)),
        200.. => {
            let length = u64::from(*kind) - 200;
            (Framing::Length(length * length), plain(bytes, length * length, bytes_max))
        }
    };
    assert_eq!(read(framing, bytes, 255, bytes_max), expected, "at once");
    assert_eq!(read(framing, bytes, *how, bytes_max), expected, "in pieces");
});

fn read(framing: Framing, bytes: &[u8], how: u8, bytes_max: usize) -> Read {
    let mut reader = BodyReader::new(framing, bytes_max)?;
    let mut body = Vec::new();
    for piece in pieces(bytes.len(), how) {
        if let Progress::Done { used, .. } = reader.read(&bytes[piece.clone()], &mut body)? {
            return Ok(Some((body, piece.start + used)));
        }
    }
    Ok(match reader.read(&[], &mut body)? {
        Progress::Done { .. } => Some((body, bytes.len())),
        Progress::NeedMore => None,
    })
}
