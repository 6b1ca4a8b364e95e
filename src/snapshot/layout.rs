//! Where each field of a snapshot file stands. All numbers are little-endian.
//!
//! | file header | bytes |
//! |---|---|
//! | `LUXSNAP\n` | 8 |
//! | version, 1 | 4 |
//! | generation | 8 |
//! | begun, Unix ms | 8 |
//! | CRC-32 of the 28 before | 4 |
//!
//! | block header | bytes |
//! |---|---|
//! | kind: 1 base, 2 end of the base, 3 changes | 4 |
//! | bytes of its records | 4 |
//! | how many records | 4 |
//! | its number, from 0 | 4 |
//! | written, Unix ms | 8 |
//! | CRC-32 of its records | 4 |
//! | CRC-32 of generation and the 28 before | 4 |
//!
//! | record | bytes |
//! |---|---|
//! | length of the key | 1 |
//! | 0, or 1 for a deletion | 1 |
//! | length of the state | 4 |
//! | revision, `updatedAt` | 8 + 8 |
//! | key, state | |
//!
//! Always true: a header that fits its checksum belongs to this file and stands at its place in it, since the
//! generation is under its checksum and blocks are numbered.
//!
//! Read first: `snapshot/mod.rs`.

/// What every file begins with.
pub const MAGIC: [u8; 8] = *b"LUXSNAP\n";
/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;
/// Length of the file's header and of each block's.
pub const HEADER_BYTES: usize = 32;
/// What stands before the key of a record.
pub const RECORD_BYTES: usize = 22;
/// A block is full once its records reach this; one large state may be more.
pub const BLOCK_BYTES: usize = 1024 * 1024;
/// What the end of the base holds: how many records, and the checksum of all headers before.
pub const END_BYTES: usize = 12;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Part of every state there was.
    Base,
    /// Nothing more of that.
    End,
    /// What has changed since.
    Changes,
}

/// The header of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileHeader {
    /// Grows with each file that begins with a base of its own.
    pub generation: u64,
    /// When it was begun, Unix milliseconds.
    pub begun_ms: u64,
}

/// Why some bytes are no header of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoHeader {
    /// It is something else.
    NotOurs,
    /// It is one, and not as it was written.
    Damaged,
    /// A newer Lux wrote it.
    Newer(u32),
}

/// The header of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// What it holds.
    pub kind: Kind,
    /// Bytes behind this header.
    pub len: u32,
    /// Records in them.
    pub count: u32,
    /// Its place among the blocks of the file.
    pub number: u32,
    /// When it was written, Unix milliseconds.
    pub at_ms: u64,
    /// The checksum of its records.
    pub crc: u32,
}

impl FileHeader {
    /// Its bytes.
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.generation.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.begun_ms.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// What it is instead.
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<FileHeader, NoHeader> {
        if bytes[..8] != MAGIC {
            return Err(NoHeader::NotOurs);
        }
        if crc32fast::hash(&bytes[..28]) != u32_at(bytes, 28) {
            return Err(NoHeader::Damaged);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(FileHeader { generation: u64_at(bytes, 12), begun_ms: u64_at(bytes, 20) }),
            version if version > VERSION => Err(NoHeader::Newer(version)),
            _ => Err(NoHeader::Damaged),
        }
    }
}

impl BlockHeader {
    /// Its bytes, in the file of this generation.
    pub fn bytes(&self, generation: u64) -> [u8; HEADER_BYTES] {
        let kind: u32 = match self.kind {
            Kind::Base => 1,
            Kind::End => 2,
            Kind::Changes => 3,
        };
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.count.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.at_ms.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.crc.to_le_bytes());
        let crc = header_crc(generation, &bytes);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads one of the file of this generation; none if it is not as it was written.
    pub fn read(bytes: &[u8; HEADER_BYTES], generation: u64) -> Option<BlockHeader> {
        if header_crc(generation, bytes) != u32_at(bytes, 28) {
            return None;
        }
        let kind = match u32_at(bytes, 0) {
            1 => Kind::Base,
            2 => Kind::End,
            3 => Kind::Changes,
            _ => return None,
        };
        Some(BlockHeader {
            kind,
            len: u32_at(bytes, 4),
            count: u32_at(bytes, 8),
            number: u32_at(bytes, 12),
            at_ms: u64_at(bytes, 16),
            crc: u32_at(bytes, 24),
        })
    }
}

fn header_crc(generation: u64, bytes: &[u8; HEADER_BYTES]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&generation.to_le_bytes());
    crc.update(&bytes[..28]);
    crc.finalize()
}

/// The number that stands there; the caller has seen that it is whole.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// The number that stands there; the caller has seen that it is whole.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
