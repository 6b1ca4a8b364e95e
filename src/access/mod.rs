//! Who may do what: the table of API keys, each with a grant on key patterns.
//!
//! Always true: a table never changes; a reload makes a new one and [`Access::carry_over`] says who still
//! has a place in it. No secret is kept, only hashes. Time comes in as `wall_ms`.
//!
//! Read first: `key.rs`, then `secret.rs`. The file it is made from is `keyfile.rs`; who may open a stream
//! from a browser's page is `origins.rs`.

mod grant;
pub mod keyfile;
mod origins;
mod secret;

use std::collections::BTreeMap;
use std::fmt;

use subtle::ConstantTimeEq;

use crate::key::{Key, Pattern};
use crate::limits::API_KEY_BYTES;
use crate::wire::WireError;

pub use grant::Grant;
pub use origins::{Origins, check_origin};
pub use secret::{SECRET_PREFIX, SECRET_RANDOM_BYTES, Secret, SecretError, SecretHash, hash, make_secret};

/// One API key's place in one [`Access`] table. It means nothing in another table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HolderId(pub u32);

/// Who wrote a state, as it is kept beside it: the beginning of a hash, so that it means the same API key in
/// every table, on every core and after a reload. It is never shown; a table knows the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Author(u64);

/// One API key as the table knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// What the operator calls it; unique within a key file.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: SecretHash,
    /// What its holder may read and write.
    pub grant: Grant,
    /// From this Unix millisecond on the key is refused.
    pub expires_at_ms: Option<u64>,
}

impl KeyEntry {
    fn author(&self) -> Author {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        Author(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    fn is_live(&self, wall_ms: u64) -> bool {
        self.expires_at_ms.is_none_or(|end| wall_ms < end)
    }
}

impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The hash stays out: it is not the secret, but a log is no place for it either.
        f.debug_struct("KeyEntry")
            .field("name", &self.name)
            .field("grant", &self.grant)
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// Every API key that the broker knows; made whole, replaced whole, shared between cores.
#[derive(Clone, Debug)]
pub struct Access {
    holders: Vec<KeyEntry>,
    by_hash: BTreeMap<SecretHash, HolderId>,
    /// Told `--insecure-open`: the only holder is everybody.
    open: bool,
}

impl Access {
    /// A table of these keys. Where two entries have one hash, the first of them stands.
    pub fn new(entries: Vec<KeyEntry>) -> Access {
        let mut by_hash = BTreeMap::new();
        for (at, entry) in (0u32..).zip(&entries) {
            by_hash.entry(entry.hash).or_insert(HolderId(at));
        }
        Access { holders: entries, by_hash, open: false }
    }

    /// A table in which everybody may do everything, with or without a key (`--insecure-open`).
    pub fn open() -> Access {
        let everybody = KeyEntry {
            name: "everybody".to_owned(),
            hash: [0; 32],
            grant: Grant::all(),
            expires_at_ms: None,
        };
        Access { holders: vec![everybody], by_hash: BTreeMap::new(), open: true }
    }

    /// Whose secret this is.
    ///
    /// # Errors
    /// [`WireError::Unauthorized`] without a secret, with an unknown one and with one that has expired; the
    /// three look alike, so that nobody learns which keys once existed.
    pub fn identify(&self, secret: Option<&str>, wall_ms: u64) -> Result<HolderId, WireError> {
        if self.open {
            return Ok(HolderId(0));
        }
        let secret =
            secret.filter(|text| API_KEY_BYTES.contains(&text.len())).ok_or(WireError::Unauthorized)?;
        let given = hash(secret);
        let id = *self.by_hash.get(&given).ok_or(WireError::Unauthorized)?;
        let holder = self.holder(id);
        // The map's own comparison may leak how much of a hash agreed, which helps nobody find a secret; the
        // last word still belongs to a comparison that takes the same time whatever it finds.
        let same = bool::from(holder.hash.ct_eq(&given));
        if same && holder.is_live(wall_ms) { Ok(id) } else { Err(WireError::Unauthorized) }
    }

    /// Whether the holder may see every key that the pattern can ever name.
    pub fn may_read(&self, id: HolderId, pattern: &Pattern) -> bool {
        self.holder(id).grant.may_read(pattern)
    }

    /// Whether the holder may write, patch and delete this key.
    pub fn may_write(&self, id: HolderId, key: &Key) -> bool {
        self.holder(id).grant.may_write(key)
    }

    /// What the operator calls this key; fit for a log.
    pub fn name(&self, id: HolderId) -> &str {
        &self.holder(id).name
    }

    /// Who this holder is, to be kept beside what it writes.
    pub fn author(&self, id: HolderId) -> Author {
        self.holder(id).author()
    }

    /// What the operator calls the API key of this author, if it is still in the table; fit for a log.
    pub fn author_name(&self, author: Author) -> Option<&str> {
        self.holders.iter().find(|holder| holder.author() == author).map(|holder| holder.name.as_str())
    }

    /// Whether the key has not expired by now.
    pub fn is_live(&self, id: HolderId, wall_ms: u64) -> bool {
        self.holder(id).is_live(wall_ms)
    }

    /// The Unix millisecond in which this key expires, if it ever does.
    pub fn expires_at(&self, id: HolderId) -> Option<u64> {
        self.holder(id).expires_at_ms
    }

    /// The first Unix millisecond after `wall_ms` in which some key expires.
    pub fn next_expiry(&self, wall_ms: u64) -> Option<u64> {
        self.holders.iter().filter_map(|holder| holder.expires_at_ms).filter(|end| *end > wall_ms).min()
    }

    /// Where this holder stands in a newer table: the same secret, or everybody once the broker is open.
    /// Its grant may be another there, and it may have expired.
    pub fn carry_over(&self, new: &Access, id: HolderId) -> Option<HolderId> {
        if new.open {
            return Some(HolderId(0));
        }
        if self.open {
            return None;
        }
        new.by_hash.get(&self.holder(id).hash).copied()
    }

    /// How many keys the table holds, expired ones included; 0 for an open table.
    pub fn keys(&self) -> usize {
        if self.open { 0 } else { self.holders.len() }
    }

    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        self.open
    }

    fn holder(&self, id: HolderId) -> &KeyEntry {
        &self.holders[id.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_782_000_000_000;
    const FIRST: &str = "lux_first-first-first";
    const SECOND: &str = "lux_second-second-se";

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text.as_bytes()).unwrap()).collect()
    }

    fn entry(
        name: &str,
        secret: &str,
        read: &[&str],
        write: &[&str],
        expires_at_ms: Option<u64>,
    ) -> KeyEntry {
        let grant = Grant { read: patterns(read), write: patterns(write) };
        KeyEntry { name: name.to_owned(), hash: hash(secret), grant, expires_at_ms }
    }

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_secret_finds_its_own_holder_and_nobody_else() {
        let access = Access::new(vec![
            entry("first", FIRST, &["*"], &[], None),
            entry("second", SECOND, &[], &["device-*"], None),
        ]);
        let first = access.identify(Some(FIRST), NOW).unwrap();
        let second = access.identify(Some(SECOND), NOW).unwrap();
        assert_eq!((access.name(first), access.name(second)), ("first", "second"));
        assert!(access.may_read(first, &Pattern::ALL) && !access.may_read(second, &Pattern::ALL));
        assert!(access.may_write(second, &key("device-1")) && !access.may_write(first, &key("device-1")));
        for wrong in [None, Some(""), Some("lux_first-first-firsT"), Some(&*"k".repeat(200)), Some("short")] {
            assert_eq!(access.identify(wrong, NOW), Err(WireError::Unauthorized), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_ends_in_the_millisecond_it_expires() {
        let access = Access::new(vec![entry("guest", FIRST, &["*"], &[], Some(NOW))]);
        let guest = access.identify(Some(FIRST), NOW - 1).unwrap();
        assert!(access.is_live(guest, NOW - 1) && !access.is_live(guest, NOW));
        assert_eq!(access.identify(Some(FIRST), NOW), Err(WireError::Unauthorized));
        assert_eq!(access.next_expiry(NOW - 1), Some(NOW));
        assert_eq!(access.next_expiry(NOW), None);
    }

    #[test]
    fn the_soonest_expiry_comes_first() {
        let access = Access::new(vec![
            entry("never", FIRST, &[], &[], None),
            entry("late", SECOND, &[], &[], Some(NOW + 9)),
            entry("soon", "lux_third-third-third", &[], &[], Some(NOW + 3)),
        ]);
        assert_eq!(access.next_expiry(NOW), Some(NOW + 3));
        assert_eq!(access.next_expiry(NOW + 3), Some(NOW + 9));
    }

    #[test]
    fn a_reload_carries_over_whoever_is_still_there() {
        let old =
            Access::new(vec![entry("a", FIRST, &["*"], &[], None), entry("b", SECOND, &["*"], &[], None)]);
        let new = Access::new(vec![entry("renamed", SECOND, &["device-*"], &[], None)]);
        let (a, b) = (old.identify(Some(FIRST), NOW).unwrap(), old.identify(Some(SECOND), NOW).unwrap());
        assert_eq!(old.carry_over(&new, a), None);
        let b = old.carry_over(&new, b).unwrap();
        assert_eq!(new.name(b), "renamed");
        assert!(!new.may_read(b, &Pattern::ALL));
    }

    #[test]
    fn an_open_table_knows_everybody_and_closes_to_nobody() {
        let open = Access::open();
        let everybody = open.identify(None, NOW).unwrap();
        assert_eq!(open.identify(Some("x"), NOW), Ok(everybody));
        assert!(open.may_read(everybody, &Pattern::ALL) && open.may_write(everybody, &key("anything")));
        assert!(open.carry_over(&Access::open(), everybody).is_some());
        assert_eq!(open.carry_over(&Access::new(Vec::new()), everybody), None);
        assert_eq!(Access::new(Vec::new()).identify(None, NOW), Err(WireError::Unauthorized));
    }

    #[test]
    fn debug_shows_no_hash() {
        let access = Access::new(vec![entry("a", FIRST, &["*"], &[], None)]);
        let text = format!("{:?}", access.holders);
        assert!(text.contains("\"a\"") && !text.contains(&hash(FIRST)[0].to_string()));
    }
}
