//! The snapshot file as bytes: records to blocks, and back.
//!
//! A file is a header and blocks, one behind the other. It begins with the *base*, every state there was,
//! closed by a block with a checksum of the whole; behind it stand *changes*, added every few seconds. Of a key
//! that stands in it more than once, the highest revision counts, so the order of records means nothing and
//! every block stands for itself. How a stop was clean is said by a mark in a file of its own (`mark.rs`).
//!
//! Always true: what is read back was written so: each header and each block has its checksum, and one that
//! does not fit is left out and said. Nothing here touches a disk.
//!
//! Read first: `wire/record.rs`; then `layout.rs`, `write.rs`, `read.rs`. The disk is in `snapshot_dir/`.

pub mod layout;
pub mod mark;
pub mod read;
pub mod write;

#[cfg(test)]
mod tests;

use std::io;

use crate::key::Key;
use crate::wire::record::Record;

/// A key and its newest record, or its deletion.
pub type Kept = (Key, Record);

/// Bytes that can be read from anywhere: a file, or what stands for one in a test.
pub trait Source {
    /// How many there are.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`Source::len`].
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Fills the buffer with those that stand from `at` on.
    ///
    /// # Errors
    /// What the system says; fewer bytes than were asked for are an error too.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = self.get(at as usize..).unwrap_or_default();
        let bytes = from.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}
