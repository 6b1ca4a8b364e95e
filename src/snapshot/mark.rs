//! The mark of a clean stop: a small file beside the snapshot.
//!
//! Always true: it names one snapshot file at one length, so whatever was added to it or cut off later undoes
//! the mark. Where there is one that fits, every acknowledged state is in that file, and the epoch goes on.
//!
//! Read first: `snapshot/mod.rs`.

use super::layout::{u32_at, u64_at};
use crate::ids::{Epoch, Rev};

const MAGIC: [u8; 8] = *b"LUXSTOP\n";
const VERSION: u32 = 1;
const EPOCH_BYTES: usize = 16;
/// How long a mark is.
pub const MARK_BYTES: usize = 72;

/// What a clean stop leaves behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The life that goes on.
    pub epoch: Epoch,
    /// The snapshot it is about.
    pub generation: u64,
    /// How long that is, in bytes.
    pub len: u64,
    /// The highest revision and the latest time that any core had forgotten.
    pub floor: (Rev, u64),
    /// When the broker stopped, Unix milliseconds.
    pub stopped_ms: u64,
}

impl Mark {
    /// Its bytes.
    pub fn bytes(&self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        let epoch = self.epoch.as_str().as_bytes();
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..12 + epoch.len()].copy_from_slice(epoch);
        let numbers = [self.generation, self.len, self.floor.0.0, self.floor.1, self.stopped_ms];
        for (at, number) in (12 + EPOCH_BYTES..).step_by(8).zip(numbers) {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[..MARK_BYTES - 4]);
        bytes[MARK_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Whether these are all states there were at that stop: the same file, as long as it was, and sound.
    pub fn vouches_for(&self, generation: u64, len: u64, is_sound: bool) -> bool {
        is_sound && (generation, len) == (self.generation, self.len)
    }

    /// Reads one; none where anything in it is not as it was written.
    pub fn read(bytes: &[u8]) -> Option<Mark> {
        let (fields, crc) = bytes.split_last_chunk::<4>()?;
        let fits = bytes.len() == MARK_BYTES
            && crc32fast::hash(fields) == u32::from_le_bytes(*crc)
            && fields[..8] == MAGIC
            && u32_at(fields, 8) == VERSION;
        if !fits {
            return None;
        }
        let epoch = fields[12..12 + EPOCH_BYTES].split(|byte| *byte == 0).next()?;
        let number = |nth: usize| u64_at(fields, 12 + EPOCH_BYTES + 8 * nth);
        Some(Mark {
            epoch: Epoch::parse(epoch)?,
            generation: number(0),
            len: number(1),
            floor: (Rev(number(2)), number(3)),
            stopped_ms: number(4),
        })
    }
}
