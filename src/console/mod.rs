//! The page the broker serves at `/`.

/// A file built into the binary.
pub struct Asset {
    /// Where it is served.
    pub path: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub bytes: &'static [u8],
}

/// The file at a path.
pub fn find(_path: &str) -> Option<&'static Asset> {
    None
}
