//! Where bytes are cut before they arrive.
//!
//! Always true: one byte says how, so that a found input repeats its own cuts; 255 is no cut at all.
//!
//! Read first: nothing.

use std::ops::Range;

/// The pieces of so many bytes: byte by byte, in equal steps, or in two.
pub fn pieces(len: usize, how: u8) -> impl Iterator<Item = Range<usize>> {
    let (first, step) = match how {
        0..128 => (usize::from(how) + 1, usize::from(how) + 1),
        128.. => (len * usize::from(how - 128) / 127, len),
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let end = len.min(if at == 0 { first.max(1) } else { at + step });
        let piece = at..end;
        at = end;
        (!piece.is_empty()).then_some(piece)
    })
}
