//! Server-Sent Events: the stream for those who have no WebSocket.
//!
//! Always true: a record is one line, since compact JSON has no line breaks, so one `data:` carries it.
//!
//! Read first: `record.rs`.

use crate::ids::{Epoch, Rev};

/// A comment that keeps the stream open and means nothing.
pub const COMMENT: &[u8] = b":\n\n";

/// Appends a record as a `message` event; with `id` where one key is watched, so that a browser can resume.
pub fn record(out: &mut Vec<u8>, id: Option<(&Epoch, Rev)>, json: &[u8]) {
    if let Some((epoch, rev)) = id {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(epoch.as_str().as_bytes());
        out.push(b'.');
        out.extend_from_slice(itoa::Buffer::new().format(rev.0).as_bytes());
        out.push(b'\n');
    }
    data(out, json);
}

/// Appends the event that ends a snapshot.
pub fn synced(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(b"event: synced\n");
    data(out, json);
}

fn data(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(json);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_as_an_event_source_reads_them() {
        let (mut out, epoch) = (Vec::new(), Epoch::from_bits(0));
        record(&mut out, Some((&epoch, Rev(7))), br#"{"rev":7}"#);
        record(&mut out, None, br#"{"rev":8}"#);
        synced(&mut out, br#"{"synced":true}"#);
        out.extend_from_slice(COMMENT);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "id: 000000000000.7\ndata: {\"rev\":7}\n\ndata: {\"rev\":8}\n\n\
             event: synced\ndata: {\"synced\":true}\n\n:\n\n"
        );
    }
}
