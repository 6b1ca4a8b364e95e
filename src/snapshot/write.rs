//! Records to blocks.
//!
//! Always true: a block that was given out is whole; its header is written last, over its own records.
//!
//! Read first: `layout.rs`.

use super::layout::{BLOCK_BYTES, BlockHeader, END_BYTES, FileHeader, HEADER_BYTES, Kind, RECORD_BYTES};
use crate::key::Key;
use crate::limits::KEY_BYTES_MAX;
use crate::wire::record::Record;

const _: () = assert!(KEY_BYTES_MAX <= u8::MAX as usize, "a key's length is one byte");

/// Makes the blocks of one file, in their order.
pub struct Blocks {
    generation: u64,
    number: u32,
    /// Room for a header, then records.
    buffer: Vec<u8>,
    count: u32,
    /// Records of the base so far.
    records: u64,
    /// Over the headers so far.
    whole: crc32fast::Hasher,
}

impl Blocks {
    /// Of a new file, and its first bytes.
    pub fn begin(generation: u64, now_ms: u64) -> (Blocks, [u8; HEADER_BYTES]) {
        let header = FileHeader { generation, begun_ms: now_ms }.bytes();
        (Blocks::go_on(generation, 0), header)
    }

    /// Of a file that has so many blocks, its base among them.
    pub fn go_on(generation: u64, number: u32) -> Blocks {
        let (buffer, whole) = (vec![0; HEADER_BYTES], crc32fast::Hasher::new());
        Blocks { generation, number, buffer, count: 0, records: 0, whole }
    }

    /// How many blocks the file has.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Adds a record to the block that is being made.
    pub fn push(&mut self, key: &Key, record: &Record) {
        let (name, data) = (key.as_str().as_bytes(), record.data());
        let data = if record.is_deleted() { &[][..] } else { data };
        self.buffer.reserve(RECORD_BYTES + name.len() + data.len());
        self.buffer.push(name.len() as u8);
        self.buffer.push(u8::from(record.is_deleted()));
        self.buffer.extend_from_slice(&(data.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(&record.rev().0.to_le_bytes());
        self.buffer.extend_from_slice(&record.updated_at_ms().to_le_bytes());
        self.buffer.extend_from_slice(name);
        self.buffer.extend_from_slice(data);
        self.count += 1;
    }

    /// Whether the block is large enough to be given out.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= BLOCK_BYTES
    }

    /// Whether it has no record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The block, to be written as it is; [`Blocks::next`] begins another.
    pub fn seal(&mut self, kind: Kind, now_ms: u64) -> &[u8] {
        let header = BlockHeader {
            kind,
            len: (self.buffer.len() - HEADER_BYTES) as u32,
            count: self.count,
            number: self.number,
            at_ms: now_ms,
            crc: crc32fast::hash(&self.buffer[HEADER_BYTES..]),
        };
        let bytes = header.bytes(self.generation);
        self.whole.update(&bytes);
        self.buffer[..HEADER_BYTES].copy_from_slice(&bytes);
        &self.buffer
    }

    /// Begins the block behind the one that was sealed.
    pub fn next(&mut self) {
        self.records += u64::from(self.count);
        self.number += 1;
        self.count = 0;
        // What one large state needed is not kept for ever.
        self.buffer.truncate(HEADER_BYTES);
        self.buffer.shrink_to(2 * BLOCK_BYTES);
    }

    /// The block that ends the base.
    pub fn seal_end(&mut self, now_ms: u64) -> &[u8] {
        debug_assert!(self.is_empty(), "the last records went before");
        let whole = self.whole.clone().finalize();
        self.buffer.extend_from_slice(&self.records.to_le_bytes());
        self.buffer.extend_from_slice(&whole.to_le_bytes());
        debug_assert_eq!(self.buffer.len(), HEADER_BYTES + END_BYTES);
        self.seal(Kind::End, now_ms)
    }
}
