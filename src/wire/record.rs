//! The one encoding of a state: what GET, PUT, a WebSocket frame and an SSE event all carry.
//!
//! Always true: a record is built once per revision, in one buffer that viewers and cores share. The state is
//! compacted straight into its place; what stands before it is written in front of it later, when the
//! revision is known.
//!
//! Read first: `json.rs`, `frame.rs`.

use bytes::{Buf, Bytes};

use super::error::WireError;
use super::{frame, json};
use crate::ids::Rev;
use crate::key::Key;
use crate::limits::{KEY_BYTES_MAX, Limits};

const KEY: &[u8] = br#"{"key":""#;
const REV: &[u8] = br#"","rev":"#;
const UPDATED_AT: &[u8] = br#","updatedAt":"#;
const DATA: &[u8] = br#","data":"#;
const NO_DATA: &[u8] = b"null";
const DELETED: &[u8] = br#","deleted":true}"#;
const NUMBER_BYTES_MAX: usize = 20;
/// Everything before the data of a record, without the key.
const PREFIX_BYTES_MAX: usize = KEY.len() + REV.len() + UPDATED_AT.len() + DATA.len() + 2 * NUMBER_BYTES_MAX;
const HEADER_BYTES_MAX: usize = 10;

/// Appends a state to a buffer, compacted and not deeper than asked.
type Compacting = fn(&[u8], usize, &mut Vec<u8>) -> Result<(), WireError>;

/// A state on its way to become a [`Record`]: its data in place, room in front.
#[derive(Debug)]
pub struct Draft {
    /// Room, then the data, then `}`.
    buffer: Vec<u8>,
    /// How much room there is.
    room: usize,
}

impl Draft {
    /// Compacts `raw`, which is valid JSON, into place.
    ///
    /// # Errors
    /// [`WireError::TooDeep`] and [`WireError::StateTooLarge`], both judged on what is kept.
    pub fn new(key: &Key, raw: &[u8], limits: &Limits) -> Result<Draft, WireError> {
        Draft::fill(key, raw, limits, json::compact_into)
    }

    /// Puts the `data` of a body into place, compacted.
    ///
    /// # Errors
    /// Those of [`json::data_into`], and [`WireError::StateTooLarge`].
    pub fn of_body(key: &Key, body: &[u8], limits: &Limits) -> Result<Draft, WireError> {
        Draft::fill(key, body, limits, json::data_into)
    }

    /// Puts a state into place that was compacted and judged once already: one out of a snapshot.
    pub fn of_kept(key: &Key, data: &[u8]) -> Draft {
        let room = HEADER_BYTES_MAX + PREFIX_BYTES_MAX + key.as_str().len();
        let mut buffer = Vec::with_capacity(room + data.len() + 1);
        buffer.resize(room, 0);
        buffer.extend_from_slice(data);
        buffer.push(b'}');
        Draft { buffer, room }
    }

    fn fill(key: &Key, raw: &[u8], limits: &Limits, compact: Compacting) -> Result<Draft, WireError> {
        let room = HEADER_BYTES_MAX + PREFIX_BYTES_MAX + key.as_str().len();
        let mut buffer = Vec::with_capacity(room + raw.len() + 1);
        buffer.resize(room, 0);
        compact(raw, limits.nesting_max, &mut buffer)?;
        if buffer.len() - room > limits.state_bytes_max {
            return Err(WireError::StateTooLarge(limits.state_bytes_max));
        }
        buffer.push(b'}');
        // What was white space would stay in memory for as long as the state lives.
        if buffer.capacity() - buffer.len() > buffer.len() / 8 {
            buffer.shrink_to_fit();
        }
        Ok(Draft { buffer, room })
    }

    /// The state, compacted.
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.room..self.buffer.len() - 1]
    }

    /// Makes it a revision: writes what stands before the data. `key` is the one it was made for.
    pub fn seal(mut self, key: &Key, rev: Rev, updated_at_ms: u64) -> Record {
        let mut prefix = Prefix::new();
        prefix.write(key, rev, updated_at_ms);
        prefix.push(DATA);
        let json_at =
            self.room.checked_sub(prefix.len).expect("a draft is sealed for the key it was made for");
        self.buffer[json_at..self.room].copy_from_slice(prefix.bytes());

        let mut header = [0; HEADER_BYTES_MAX];
        let header_len = frame::header(self.buffer.len() - json_at, &mut header);
        let frame_at = json_at - header_len;
        self.buffer[frame_at..json_at].copy_from_slice(&header[..header_len]);

        let kept = self.buffer.capacity();
        let mut frame = Bytes::from(self.buffer);
        // Not `slice`: that would count references of a buffer which nobody shares yet.
        frame.advance(frame_at);
        Record {
            rev,
            updated_at_ms,
            data_end: frame.len() - 1,
            kept,
            data_at: (header_len + prefix.len) as u16,
            header_len: header_len as u8,
            deleted: false,
            frame,
        }
    }
}

/// One revision of one key, encoded: cheap to clone, shared by all who send it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Frame header and record.
    frame: Bytes,
    rev: Rev,
    updated_at_ms: u64,
    /// Where the data ends in `frame`.
    data_end: usize,
    /// Bytes of the whole buffer, room in front included.
    kept: usize,
    /// Where the data begins in `frame`; header, key and numbers always fit.
    data_at: u16,
    /// Where the record begins in `frame`.
    header_len: u8,
    deleted: bool,
}

const _: () = assert!(HEADER_BYTES_MAX + PREFIX_BYTES_MAX + KEY_BYTES_MAX <= u16::MAX as usize);

impl Record {
    /// The record that says the key's state was deleted.
    pub fn deletion(key: &Key, rev: Rev, updated_at_ms: u64) -> Record {
        Record::without_state(key, rev, updated_at_ms, DELETED)
    }

    /// The record of a key that this epoch never had: revision 0, no state, not deleted.
    pub fn absent(key: &Key) -> Record {
        Record::without_state(key, Rev(0), 0, b"}")
    }

    /// A deletion whose tombstone was forgotten: when it happened is not known any more.
    pub fn forgotten(key: &Key, rev: Rev) -> Record {
        Record::deletion(key, rev, 0)
    }

    fn without_state(key: &Key, rev: Rev, updated_at_ms: u64, end: &[u8]) -> Record {
        let mut prefix = Prefix::new();
        prefix.write(key, rev, updated_at_ms);
        prefix.push(DATA);
        let mut header = [0; HEADER_BYTES_MAX];
        let header_len = frame::header(prefix.len + NO_DATA.len() + end.len(), &mut header);
        let frame = [&header[..header_len], prefix.bytes(), NO_DATA, end].concat();
        let data_at = header_len + prefix.len;
        Record {
            rev,
            updated_at_ms,
            data_end: data_at + NO_DATA.len(),
            kept: frame.capacity(),
            data_at: data_at as u16,
            header_len: header_len as u8,
            deleted: end == DELETED,
            frame: Bytes::from(frame),
        }
    }

    /// Its revision.
    pub fn rev(&self) -> Rev {
        self.rev
    }

    /// When it was written, in Unix milliseconds by the broker's clock.
    pub fn updated_at_ms(&self) -> u64 {
        self.updated_at_ms
    }

    /// Whether it says that the state was deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The record as one unmasked text frame, shared.
    pub fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    /// The record alone, shared.
    pub fn json(&self) -> Bytes {
        self.frame.slice(usize::from(self.header_len)..)
    }

    /// Length of the record alone, in bytes.
    pub fn json_len(&self) -> usize {
        self.frame.len() - usize::from(self.header_len)
    }

    /// The state, compacted; `null` where there is none.
    pub fn data(&self) -> &[u8] {
        &self.frame[usize::from(self.data_at)..self.data_end]
    }

    /// Bytes of memory it holds, shared or not.
    pub fn bytes_kept(&self) -> usize {
        self.kept
    }

    /// Appends the record without its data: `{"key":…,"rev":…,"updatedAt":…}`.
    pub fn write_without_data(&self, key: &Key, out: &mut Vec<u8>) {
        let mut prefix = Prefix::new();
        prefix.write(key, self.rev, self.updated_at_ms);
        prefix.push(b"}");
        out.extend_from_slice(prefix.bytes());
    }
}

/// What stands before the data, on the stack.
struct Prefix {
    buffer: [u8; PREFIX_BYTES_MAX + KEY_BYTES_MAX],
    len: usize,
}

impl Prefix {
    fn new() -> Prefix {
        Prefix { buffer: [0; PREFIX_BYTES_MAX + KEY_BYTES_MAX], len: 0 }
    }

    /// Everything from the brace to `updatedAt`; a key needs no escaping.
    fn write(&mut self, key: &Key, rev: Rev, updated_at_ms: u64) {
        let mut digits = itoa::Buffer::new();
        self.push(KEY);
        self.push(key.as_str().as_bytes());
        self.push(REV);
        self.push(digits.format(rev.0).as_bytes());
        self.push(UPDATED_AT);
        self.push(digits.format(updated_at_ms).as_bytes());
    }

    fn push(&mut self, bytes: &[u8]) {
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::json::tests::any_json;

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).unwrap()
    }

    fn record(raw: &str, rev: u64) -> Record {
        let key = key("dashboard-main");
        Draft::new(&key, raw.as_bytes(), &Limits::default()).unwrap().seal(&key, Rev(rev), 1_782_000_000_123)
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_state_is_encoded_as_the_contract_has_it() {
        let record = record("{ \"orders\" : 42.0 }", 7);
        let json = r#"{"key":"dashboard-main","rev":7,"updatedAt":1782000000123,"data":{"orders":42.0}}"#;
        assert_eq!(text(&record.json()), json);
        assert_eq!(
            (record.json_len(), record.rev(), record.updated_at_ms()),
            (json.len(), Rev(7), 1_782_000_000_123)
        );
        assert_eq!(text(record.data()), r#"{"orders":42.0}"#);
        assert!(!record.is_deleted());
    }

    #[test]
    fn what_is_not_there_is_encoded_too() {
        let key = key("k");
        let deletion = Record::deletion(&key, Rev(8), 5);
        assert_eq!(text(&deletion.json()), r#"{"key":"k","rev":8,"updatedAt":5,"data":null,"deleted":true}"#);
        let forgotten = Record::forgotten(&key, Rev(9));
        assert_eq!(
            text(&forgotten.json()),
            r#"{"key":"k","rev":9,"updatedAt":0,"data":null,"deleted":true}"#
        );
        let absent = Record::absent(&key);
        assert_eq!(text(&absent.json()), r#"{"key":"k","rev":0,"updatedAt":0,"data":null}"#);
        assert!(deletion.is_deleted() && forgotten.is_deleted() && !absent.is_deleted());
        for record in [deletion, forgotten, absent] {
            assert_eq!(record.data(), b"null");
            assert_eq!(record.bytes_kept(), record.frame().len());
            assert!(record.frame().ends_with(&record.json()));
        }
    }

    #[test]
    fn the_frame_is_one_text_frame_of_any_length() {
        let others = record("\"\"", 7).json_len();
        for len in [others, 125, 126, 127, 65_535, 65_536, 65_537] {
            let record = record(&format!("\"{}\"", "x".repeat(len - others)), 7);
            assert_eq!(record.json_len(), len);
            assert_eq!(record.frame(), frame::text(&record.json()), "{len}");
        }
    }

    #[test]
    fn all_who_send_it_share_its_bytes() {
        let record = record("[1]", 7);
        let (frame, json) = (record.clone().frame(), record.json());
        assert_eq!(frame.as_ptr(), record.frame().as_ptr());
        assert_eq!(json.as_ptr_range().end, frame.as_ptr_range().end);
        assert!(record.bytes_kept() >= frame.len() && record.bytes_kept() < frame.len() + 100);
    }

    #[test]
    fn the_longest_of_everything_fits() {
        let key = key(&"k".repeat(KEY_BYTES_MAX));
        let draft = Draft::new(&key, b"null", &Limits::default()).unwrap();
        let record = draft.seal(&key, Rev(u64::MAX), u64::MAX);
        let value: serde_json::Value = serde_json::from_slice(&record.json()).unwrap();
        assert_eq!((value["rev"].as_u64(), value["updatedAt"].as_u64()), (Some(u64::MAX), Some(u64::MAX)));
        assert_eq!(Record::deletion(&key, Rev(u64::MAX), u64::MAX).data(), b"null");
    }

    #[test]
    fn white_space_takes_no_memory() {
        let record = record(&format!("[{}]", " ".repeat(100_000)), 7);
        assert_eq!(record.data(), b"[]");
        assert!(record.bytes_kept() < 300, "{}", record.bytes_kept());
    }

    #[test]
    fn limits_are_judged_on_what_is_kept() {
        let (key, limits) = (key("k"), Limits { state_bytes_max: 10, nesting_max: 2, ..Limits::default() });
        let draft = |raw: &str| Draft::new(&key, raw.as_bytes(), &limits).map(|draft| draft.data().to_vec());
        assert_eq!(draft("\"12345678\"   "), Ok(b"\"12345678\"".to_vec()));
        assert_eq!(draft("\"123456789\""), Err(WireError::StateTooLarge(10)));
        assert_eq!(draft("[[],[]]"), Ok(b"[[],[]]".to_vec()));
        assert_eq!(draft("[[[]]]"), Err(WireError::TooDeep(2)));
    }

    #[test]
    fn a_listing_can_leave_the_data_out() {
        let mut out = b"[".to_vec();
        record("{\"a\":1}", 7).write_without_data(&key("dashboard-main"), &mut out);
        assert_eq!(text(&out), r#"[{"key":"dashboard-main","rev":7,"updatedAt":1782000000123}"#);
    }

    #[test]
    fn drafts_and_records_cross_cores() {
        fn crosses<T: Send + 'static>() {}
        crosses::<Draft>();
        crosses::<Record>();
        assert!(size_of::<Record>() <= 72);
    }

    proptest! {
        #[test]
        fn every_state_is_read_back(
            value in any_json(),
            name in "[a-z][A-Za-z0-9._~:-]{0,127}",
            rev in any::<u64>(),
            at in any::<u64>(),
        ) {
            prop_assume!(name != "stream");
            let key = key(&name);
            let raw = serde_json::to_string_pretty(&value).unwrap();
            let draft = Draft::new(&key, raw.as_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!(text(draft.data()), value.to_string());
            let record = draft.seal(&key, Rev(rev), at);
            let json = record.json();
            prop_assert_eq!(
                text(&json),
                format!(r#"{{"key":"{name}","rev":{rev},"updatedAt":{at},"data":{value}}}"#)
            );
            prop_assert_eq!(text(record.data()), value.to_string());
            prop_assert_eq!(record.frame(), frame::text(&record.json()));
        }
    }
}
