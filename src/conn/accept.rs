//! Whether `Accept` lets an event stream be the answer (RFC 9110, section 12.5.1).
//!
//! Always true: no `Accept` at all accepts everything; of several ranges that fit, the most specific decides.
//!
//! Read first: `wire/request.rs`.

use crate::wire::request::Head;

/// Whether the peer takes `text/event-stream`; `*/*` and no field at all do.
pub fn admits_event_stream(head: &Head<'_>) -> bool {
    let mut best: Option<(u8, bool)> = None;
    let mut any_field = false;
    for value in head.fields("accept") {
        any_field = true;
        for range in value.split(|b| *b == b',') {
            let Some(fit) = fits(range) else { continue };
            if best.is_none_or(|(specific, _)| fit.0 >= specific) {
                best = Some(fit);
            }
        }
    }
    !any_field || best.is_some_and(|(_, wanted)| wanted)
}

/// How specifically a media range names event streams, and whether its weight is above zero.
fn fits(range: &[u8]) -> Option<(u8, bool)> {
    let mut parts = range.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let specific = match parts.next()?.to_ascii_lowercase().as_slice() {
        b"text/event-stream" => 2,
        b"text/*" => 1,
        b"*/*" => 0,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix(b"q=").or(part.strip_prefix(b"Q=")));
    let wanted = weight.is_none_or(|q| q.iter().any(|b| (b'1'..=b'9').contains(b)));
    Some((specific, wanted))
}
