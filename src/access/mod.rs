//! Who may do what: the table of API keys, each with a grant on key patterns.
//!
//! Always true: a table never changes; a reload makes a new one and [`Access::carry_over`] says who still
//! has a place in it. No secret is kept, only hashes. Time comes in as `wall_ms`.
//!
//! Read first: `key.rs`, then `secret.rs`. The file it is made from is `keyfile.rs`; who may open a stream
//! from a browser's page is `origins.rs`; what stands in for an API key for a while is `token/mod.rs`.

mod grant;
pub mod keyfile;
mod origins;
mod secret;
pub mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::key::{Key, Pattern};
use crate::limits::API_KEY_BYTES;
use crate::wire::WireError;

pub use grant::Grant;
pub use origins::{Origins, check_origin};
pub use secret::{SECRET_PREFIX, SECRET_RANDOM_BYTES, Secret, SecretError, SecretHash, hash, make_secret};

use token::{MakerTag, Pass, Passes, TokenFault, Tokens};

/// One API key's place in one [`Access`] table. It means nothing in another table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HolderId(pub u32);

/// Who wrote a state, as it is kept beside it: the beginning of a hash, so that it means the same API key in
/// every table, on every core and after a reload. It is never shown; a table knows the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Author(u64);

/// Whoever asks: an API key of the table, or a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holder {
    /// An API key.
    Key(HolderId),
    /// A token, and what it grants.
    Token(Arc<Pass>),
}

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

/// Every API key that the broker knows, and whose tokens it believes; made whole, replaced whole, shared between cores.
#[derive(Clone, Debug)]
pub struct Access {
    holders: Vec<KeyEntry>,
    by_hash: BTreeMap<SecretHash, HolderId>,
    /// Told `--insecure-open`: the only holder is everybody.
    open: bool,
    tokens: Arc<Tokens>,
    /// API keys as tokens name them that were made with them.
    makers: BTreeMap<MakerTag, HolderId>,
}

impl Access {
    /// A table of these keys. Where two entries have one hash, the first of them stands.
    pub fn new(entries: Vec<KeyEntry>) -> Access {
        let mut by_hash = BTreeMap::new();
        for (at, entry) in (0u32..).zip(&entries) {
            by_hash.entry(entry.hash).or_insert(HolderId(at));
        }
        let (tokens, makers) = Default::default();
        Access { holders: entries, by_hash, open: false, tokens, makers }
    }

    /// The same table, with these tokens beside its keys.
    pub fn with_tokens(mut self, tokens: Tokens) -> Access {
        for (hash, id) in &self.by_hash {
            self.makers.extend(tokens.maker_tags(hash).into_iter().map(|tag| (tag, *id)));
        }
        self.tokens = Arc::new(tokens);
        self
    }

    /// A table in which everybody may do everything, with or without a key (`--insecure-open`).
    pub fn open() -> Access {
        let everybody = KeyEntry {
            name: "everybody".to_owned(),
            hash: [0; 32],
            grant: Grant::all(),
            expires_at_ms: None,
        };
        Access { open: true, ..Access::new(vec![everybody]) }
    }

    /// Whose secret this is: an API key's, or a token's own.
    ///
    /// # Errors
    /// [`WireError::Unauthorized`] without a secret, with an unknown one and with one that has expired; the
    /// three look alike, so that nobody learns which keys once existed. [`WireError::BadToken`] with a token that
    /// is not good: who has it may know why.
    pub fn identify(&self, secret: Option<&str>, wall_ms: u64) -> Result<Holder, WireError> {
        self.identify_with(&mut Passes::default(), secret, wall_ms)
    }

    /// The same, where the tokens of before are remembered.
    ///
    /// # Errors
    /// As [`Access::identify`].
    pub fn identify_with(
        &self,
        passes: &mut Passes,
        secret: Option<&str>,
        wall_ms: u64,
    ) -> Result<Holder, WireError> {
        if self.open {
            return Ok(Holder::Key(HolderId(0)));
        }
        let secret = secret.ok_or(WireError::Unauthorized)?;
        if let Some(id) = self.find_key(secret) {
            return if self.entry(id).is_live(wall_ms) {
                Ok(Holder::Key(id))
            } else {
                Err(WireError::Unauthorized)
            };
        }
        if !token::has_its_shape(secret) {
            return Err(WireError::Unauthorized);
        }
        let refused = |fault: TokenFault| WireError::BadToken(fault.text());
        let pass = passes.find(&self.tokens, secret, wall_ms).map_err(refused)?;
        match self.has_maker(&pass, wall_ms) {
            true => Ok(Holder::Token(pass)),
            false => Err(refused(TokenFault::Maker)),
        }
    }

    fn find_key(&self, secret: &str) -> Option<HolderId> {
        if !API_KEY_BYTES.contains(&secret.len()) {
            return None;
        }
        let given = hash(secret);
        let id = *self.by_hash.get(&given)?;
        // The map's own comparison may leak how much of a hash agreed, which helps nobody find a secret; the
        // last word still belongs to a comparison that takes the same time whatever it finds.
        bool::from(self.entry(id).hash.ct_eq(&given)).then_some(id)
    }

    /// Whether the holder may see every key that the pattern can ever name.
    pub fn may_read(&self, holder: &Holder, pattern: &Pattern) -> bool {
        match holder {
            Holder::Key(id) => self.entry(*id).grant.may_read(pattern),
            Holder::Token(pass) => {
                let maker =
                    pass.maker.map(|tag| self.maker(tag).is_some_and(|key| key.grant.may_read(pattern)));
                pass.read.iter().any(|granted| granted.covers(pattern)) && maker.unwrap_or(true)
            }
        }
    }

    /// Whether the holder may write, patch and delete this key. No token may.
    pub fn may_write(&self, holder: &Holder, key: &Key) -> bool {
        match holder {
            Holder::Key(id) => self.entry(*id).grant.may_write(key),
            Holder::Token(_) => false,
        }
    }

    /// What the operator calls this key; fit for a log.
    pub fn name(&self, holder: &Holder) -> &str {
        match holder {
            Holder::Key(id) => &self.entry(*id).name,
            Holder::Token(_) => "a token",
        }
    }

    /// Who this holder is, to be kept beside what it writes.
    pub fn author(&self, holder: &Holder) -> Author {
        match holder {
            Holder::Key(id) => self.entry(*id).author(),
            // Tokens only read.
            Holder::Token(_) => Author::default(),
        }
    }

    /// What the operator calls the API key of this author, if it is still in the table; fit for a log.
    pub fn author_name(&self, author: Author) -> Option<&str> {
        self.holders.iter().find(|holder| holder.author() == author).map(|holder| holder.name.as_str())
    }

    /// Whether what the holder brought has not expired by now.
    pub fn is_live(&self, holder: &Holder, wall_ms: u64) -> bool {
        match holder {
            Holder::Key(id) => self.entry(*id).is_live(wall_ms),
            Holder::Token(pass) => wall_ms < pass.expires_at_ms && self.has_maker(pass, wall_ms),
        }
    }

    /// The Unix millisecond in which the API key expires that somebody holds, or that a token was made with.
    pub fn key_expires_at(&self, holder: &Holder) -> Option<u64> {
        match holder {
            Holder::Key(id) => self.entry(*id).expires_at_ms,
            Holder::Token(pass) => self.maker(pass.maker?)?.expires_at_ms,
        }
    }

    /// The first Unix millisecond after `wall_ms` in which some API key expires.
    pub fn next_expiry(&self, wall_ms: u64) -> Option<u64> {
        self.holders.iter().filter_map(|holder| holder.expires_at_ms).filter(|end| *end > wall_ms).min()
    }

    /// Where this holder stands in a newer table: the same secret, or everybody once the broker is open; a token, if
    /// what let it in is still there. Its grant may be another there, and it may have expired.
    pub fn carry_over(&self, new: &Access, holder: &Holder) -> Option<Holder> {
        if new.open {
            return Some(Holder::Key(HolderId(0)));
        }
        match holder {
            Holder::Key(_) if self.open => None,
            Holder::Key(id) => new.by_hash.get(&self.entry(*id).hash).copied().map(Holder::Key),
            Holder::Token(pass) => {
                let stays =
                    new.tokens.knows(&pass.signer) && pass.maker.is_none_or(|tag| new.maker(tag).is_some());
                stays.then(|| holder.clone())
            }
        }
    }

    /// The hash of the API key that somebody holds; `None` for a token, and for everybody.
    pub fn key_hash(&self, holder: &Holder) -> Option<&SecretHash> {
        match holder {
            Holder::Key(id) if !self.open => Some(&self.entry(*id).hash),
            Holder::Key(_) | Holder::Token(_) => None,
        }
    }

    /// Whose tokens are believed.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// How many keys the table holds, expired ones included; 0 for an open table.
    pub fn keys(&self) -> usize {
        if self.open { 0 } else { self.holders.len() }
    }

    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// A token binds to the key that it was made with: it ends with that one.
    fn has_maker(&self, pass: &Pass, wall_ms: u64) -> bool {
        pass.maker.is_none_or(|tag| self.maker(tag).is_some_and(|key| key.is_live(wall_ms)))
    }

    fn maker(&self, tag: MakerTag) -> Option<&KeyEntry> {
        self.makers.get(&tag).map(|id| self.entry(*id))
    }

    fn entry(&self, id: HolderId) -> &KeyEntry {
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
        assert_eq!((access.name(&first), access.name(&second)), ("first", "second"));
        assert!(access.may_read(&first, &Pattern::ALL) && !access.may_read(&second, &Pattern::ALL));
        assert!(access.may_write(&second, &key("device-1")) && !access.may_write(&first, &key("device-1")));
        for wrong in [None, Some(""), Some("lux_first-first-firsT"), Some(&*"k".repeat(200)), Some("short")] {
            assert_eq!(access.identify(wrong, NOW), Err(WireError::Unauthorized), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_ends_in_the_millisecond_it_expires() {
        let access = Access::new(vec![entry("guest", FIRST, &["*"], &[], Some(NOW))]);
        let guest = access.identify(Some(FIRST), NOW - 1).unwrap();
        assert!(access.is_live(&guest, NOW - 1) && !access.is_live(&guest, NOW));
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
        assert_eq!(old.carry_over(&new, &a), None);
        let b = old.carry_over(&new, &b).unwrap();
        assert_eq!(new.name(&b), "renamed");
        assert!(!new.may_read(&b, &Pattern::ALL));
    }

    #[test]
    fn an_open_table_knows_everybody_and_closes_to_nobody() {
        let open = Access::open();
        let everybody = open.identify(None, NOW).unwrap();
        assert_eq!(open.identify(Some("x"), NOW), Ok(everybody.clone()));
        assert!(open.may_read(&everybody, &Pattern::ALL) && open.may_write(&everybody, &key("anything")));
        assert!(open.carry_over(&Access::open(), &everybody).is_some());
        assert_eq!(open.carry_over(&Access::new(Vec::new()), &everybody), None);
        assert_eq!(Access::new(Vec::new()).identify(None, NOW), Err(WireError::Unauthorized));
    }

    #[test]
    fn debug_shows_no_hash() {
        let access = Access::new(vec![entry("a", FIRST, &["*"], &[], None)]);
        let text = format!("{:?}", access.holders);
        assert!(text.contains("\"a\"") && !text.contains(&hash(FIRST)[0].to_string()));
    }
}
