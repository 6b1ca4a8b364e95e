//! Short-lived tokens: signed grants (JWT, RFC 7519) that a viewer brings in place of an API key.
//!
//! Always true: nothing that a token says counts before its signature holds under a key of ours, and a key checks
//! one algorithm only, its own. A token reads and never writes, and it ends. Time comes in as `wall_ms`.
//!
//! Read first: `access/mod.rs`; then `compact.rs` (text to parts), `key.rs` (one key), `claims.rs` (parts to a
//! grant), `mint.rs` (the other way), `keyset.rs` (files of keys), `passes.rs` (what was verified lately).

mod claims;
mod compact;
mod key;
mod keyset;
mod mint;
mod object;
mod passes;
mod pem;
mod template;

use std::fmt;

use sha2::{Digest, Sha256};

use super::SecretHash;
use crate::key::Pattern;

pub use claims::{Claimed, Grants, Rule};
pub use compact::has_its_shape;
pub use key::{Algorithm, TokenKey};
pub use keyset::{KeySet, parse as parse_keys, secret_key_text};
pub use mint::{MintFault, Minted};
pub use passes::Passes;
pub use template::Template;

use compact::Compact;

/// Which key, under which rule, let a token in: what a reload looks for.
pub type Fingerprint = [u8; 16];

/// Which API key a token was made with, told apart without a trace of the key itself.
pub type MakerTag = [u8; 12];

/// What a token that was verified grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What may be read.
    pub read: Vec<Pattern>,
    /// From this Unix millisecond on it is refused.
    pub expires_at_ms: u64,
    /// What let it in.
    pub signer: Fingerprint,
    /// The API key that it was made with. It grants no more than that one does now.
    pub maker: Option<MakerTag>,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Longer than [`crate::limits::TOKEN_BYTES_MAX`].
    TooLong,
    /// Not three parts in base64url, the first two JSON objects without doubled names (RFC 7515, section 7.1).
    Shape,
    /// `alg` is none of ours.
    Algorithm,
    /// `crit` names what has to be understood, and nothing is (RFC 7515, section 4.1.11).
    Critical,
    /// No key of this `kid` and `alg`.
    UnknownKey,
    /// The signature does not hold.
    Signature,
    /// No `exp`, or none that is a time.
    NoExpiry,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies ahead.
    NotYet,
    /// It lives longer than the operator lets tokens live.
    TooLongLife,
    /// `iss` is not who is believed here.
    Issuer,
    /// `aud` does not name us.
    Audience,
    /// What it grants is missing, empty or no list of key patterns.
    NoGrant,
    /// It was made with an API key that is gone.
    Maker,
}

impl TokenFault {
    /// What is wrong, for whoever sent it.
    pub fn text(self) -> &'static str {
        match self {
            TokenFault::TooLong => "it is longer than 4096 bytes",
            TokenFault::Shape => "it is no JWT in its compact form",
            TokenFault::Algorithm => "its alg is none of HS256, RS256, ES256 and EdDSA",
            TokenFault::Critical => "its crit asks for an extension",
            TokenFault::UnknownKey => "no key here has its kid and alg",
            TokenFault::Signature => "its signature does not hold",
            TokenFault::NoExpiry => "it has no exp",
            TokenFault::Expired => "it has expired",
            TokenFault::NotYet => "its nbf or iat lies ahead",
            TokenFault::TooLongLife => "it lives longer than longest_life allows",
            TokenFault::Issuer => "its iss is not the one believed here",
            TokenFault::Audience => "its aud does not name this broker",
            TokenFault::NoGrant => "it grants nothing to read",
            TokenFault::Maker => "the API key that it was made with is gone",
        }
    }
}

/// Keys that are believed, and what is made of the claims they sign.
#[derive(Clone)]
struct Signers {
    keys: Vec<(TokenKey, Fingerprint)>,
    rule: Rule,
}

impl Signers {
    fn new(keys: Vec<TokenKey>, rule: Rule) -> Signers {
        let rule_text = format!("{rule:?}");
        let print = |key: TokenKey| {
            let print = fingerprint(&key, &rule_text);
            (key, print)
        };
        Signers { keys: keys.into_iter().map(print).collect(), rule }
    }
}

/// The same key under another rule is another fingerprint, so that a rule that was narrowed ends what it let in.
fn fingerprint(key: &TokenKey, rule_text: &str) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(key.digest());
    hash.update(rule_text.as_bytes());
    let mut print = Fingerprint::default();
    print.copy_from_slice(&hash.finalize()[..16]);
    print
}

/// Every key whose tokens are believed: the broker's own, and those of the operator's identity provider.
#[derive(Clone, Default)]
pub struct Tokens {
    own: Option<Signers>,
    others: Option<Signers>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.signers().flat_map(|signers| &signers.keys).map(|(key, _)| key)).finish()
    }
}

impl Tokens {
    /// The broker's own keys, of which the first signs, and the most that a token of theirs lives.
    pub fn with_own(mut self, keys: Vec<TokenKey>, longest_life_ms: u64) -> Tokens {
        self.own = (!keys.is_empty()).then(|| Signers::new(keys, Rule::own(longest_life_ms)));
        self
    }

    /// Keys of others, and what is made of their claims.
    pub fn with_others(mut self, keys: Vec<TokenKey>, rule: Rule) -> Tokens {
        self.others = (!keys.is_empty()).then(|| Signers::new(keys, rule));
        self
    }

    /// What a token grants at this moment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, text: &str, wall_ms: u64) -> Result<Pass, TokenFault> {
        let compact = Compact::parse(text)?;
        let (signers, print) = self.find(&compact)?;
        let Claimed { read, expires_at_ms, maker } = signers.rule.read(compact.claims()?, wall_ms)?;
        Ok(Pass { read, expires_at_ms, signer: print, maker })
    }

    /// Whether what let a token in is still there.
    pub fn knows(&self, print: &Fingerprint) -> bool {
        self.signers().flat_map(|signers| &signers.keys).any(|(_, known)| known == print)
    }

    /// How an API key is named in tokens made with it, by each of the broker's own keys.
    pub fn maker_tags(&self, hash: &SecretHash) -> Vec<MakerTag> {
        self.own_keys().filter_map(|key| mint::maker_tag(key, hash)).collect()
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.signers().map(|signers| signers.keys.len()).sum()
    }

    fn signers(&self) -> impl Iterator<Item = &Signers> {
        self.own.iter().chain(&self.others)
    }

    fn own_keys(&self) -> impl Iterator<Item = &TokenKey> {
        self.own.iter().flat_map(|signers| &signers.keys).map(|(key, _)| key)
    }

    /// The key whose signature it is. Keys are few, so trying each that could be costs little.
    fn find(&self, compact: &Compact<'_>) -> Result<(&Signers, Fingerprint), TokenFault> {
        let mut fault = TokenFault::UnknownKey;
        for signers in self.signers() {
            for (key, print) in &signers.keys {
                if key.may_have_signed(compact.algorithm, compact.kid.as_deref()) {
                    if key.verify(compact.signed, &compact.signature) {
                        return Ok((signers, *print));
                    }
                    fault = TokenFault::Signature;
                }
            }
        }
        Err(fault)
    }
}

#[cfg(test)]
mod tests;
