//! The one encoding of a state: what GET, PUT, a WebSocket frame and an SSE event all carry.
//!
//! Always true: a record is built once per revision, in one buffer that viewers and cores share. The state is
//! compacted straight into its place; what stands before it is written in front of it later, when the
//! revision is known.
//!
//! Read first: `json.rs`, `frame.rs`.

use bytes::Bytes;

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
        let room = HEADER_BYTES_MAX + PREFIX_BYTES_MAX + key.as_str().len();
        let mut buffer = Vec::with_capacity(room + raw.len() + 1);
        buffer.resize(room, 0);
        json::compact_into(raw, limits.nesting_max, &mut buffer)?;
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
        let frame = Bytes::from(self.buffer).slice(frame_at..);
        let data = header_len + prefix.len..frame.len() - 1;
        Record::over(frame, header_len, data, rev, updated_at_ms, kept, false)
    }
}

/// One revision of one key, encoded: cheap to clone, shared by all who send it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Frame header and record.
    frame: Bytes,
    rev: Rev,
    updated_at_ms: u64,
    data_end: usize,
    kept: usize,
    data_at: u16,
    header_len: u8,
    deleted: bool,
}

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
        let kept = frame.len();
        let data = data_at..data_at + NO_DATA.len();
        Record::over(Bytes::from(frame), header_len, data, rev, updated_at_ms, kept, end == DELETED)
    }

    fn over(
        frame: Bytes,
        header_len: usize,
        data: std::ops::Range<usize>,
        rev: Rev,
        updated_at_ms: u64,
        kept: usize,
        deleted: bool,
    ) -> Record {
        Record {
            frame,
            rev,
            updated_at_ms,
            data_end: data.end,
            kept,
            data_at: data.start as u16,
            header_len: header_len as u8,
            deleted,
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
