//! Everything that happened, as one number.
//!
//! Always true: two runs with the same number were the same run, as far as a client or the kernel could tell.
//! It is made of whole numbers and bytes; no address and no float goes into it.
//!
//! Read first: nothing.

/// A running hash (FNV-1a, 64 bits, eight bytes at a time).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace(u64);

impl Default for Trace {
    fn default() -> Trace {
        Trace(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    /// Takes in a number.
    pub fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 29;
    }

    /// Takes in bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        for byte in tail {
            self.number(u64::from(*byte));
        }
    }

    /// What it came to.
    pub fn sum(self) -> u64 {
        self.0
    }
}
