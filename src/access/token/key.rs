//! One key that tokens are checked with.
//!
//! Always true: a key knows one algorithm and checks with no other, whatever a token's header says; so no public key
//! is ever taken for a shared secret. Its `Debug` shows its name and algorithm only.
//!
//! Read first: `token/mod.rs`.

use std::fmt;

use ring::{hmac, signature};
use sha2::{Digest, Sha256};

/// How a token is signed (RFC 7518, section 3.1; RFC 8037, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name in `alg`. `Ed25519` is what RFC 9864 calls `EdDSA` with that curve.
    pub fn of_name(name: &str) -> Option<Algorithm> {
        match name {
            "HS256" => Some(Algorithm::Hs256),
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" | "Ed25519" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        })
    }
}

/// What a key checks with.
#[derive(Clone)]
pub enum Material {
    /// A shared secret.
    Secret(hmac::Key),
    /// An RSA public key: modulus and exponent, big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point on P-256, uncompressed: 0x04, x, y.
    P256(Vec<u8>),
    /// An Ed25519 public key.
    Ed25519(Vec<u8>),
}

/// A key that tokens are checked with.
#[derive(Clone)]
pub struct TokenKey {
    kid: Option<String>,
    material: Material,
    digest: [u8; 32],
}

impl TokenKey {
    /// A shared secret, at least as long as what HS256 makes of it (RFC 7518, section 3.2).
    ///
    /// # Errors
    /// What it lacks.
    pub fn secret(kid: Option<String>, secret: &[u8]) -> Result<TokenKey, &'static str> {
        if secret.len() < 32 {
            return Err("a secret for HS256 has at least 32 bytes");
        }
        Ok(TokenKey::new(kid, Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret)), &[b"oct", secret]))
    }

    /// An RSA public key; leading zeros do not count.
    ///
    /// # Errors
    /// What it lacks.
    pub fn rsa(kid: Option<String>, n: &[u8], e: &[u8]) -> Result<TokenKey, &'static str> {
        let plain = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let (n, e) = (plain(n), plain(e));
        let bits = n.len() * 8 - n.first().map_or(0, |top| top.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            return Err("an RSA key has 2048 to 8192 bits");
        }
        if e.last().is_none_or(|low| low % 2 == 0) || e.len() > 4 || e == [1] {
            return Err("an RSA key's exponent is odd, from 3 up, mostly 65537");
        }
        Ok(TokenKey::new(kid, Material::Rsa { n: n.clone(), e: e.clone() }, &[b"RSA", &n, b"/", &e]))
    }

    /// A point on P-256, uncompressed.
    ///
    /// # Errors
    /// What it lacks.
    pub fn p256(kid: Option<String>, point: &[u8]) -> Result<TokenKey, &'static str> {
        if point.len() != 65 || point[0] != 4 {
            return Err("a key on P-256 has an x and a y of 32 bytes each");
        }
        Ok(TokenKey::new(kid, Material::P256(point.to_vec()), &[b"EC", point]))
    }

    /// An Ed25519 public key.
    ///
    /// # Errors
    /// What it lacks.
    pub fn ed25519(kid: Option<String>, key: &[u8]) -> Result<TokenKey, &'static str> {
        if key.len() != 32 {
            return Err("an Ed25519 key has 32 bytes");
        }
        Ok(TokenKey::new(kid, Material::Ed25519(key.to_vec()), &[b"OKP", key]))
    }

    fn new(kid: Option<String>, material: Material, parts: &[&[u8]]) -> TokenKey {
        let mut hash = Sha256::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.update(kid.as_deref().unwrap_or_default());
        TokenKey { kid, material, digest: hash.finalize().into() }
    }

    /// The one algorithm it checks.
    pub fn algorithm(&self) -> Algorithm {
        match &self.material {
            Material::Secret(_) => Algorithm::Hs256,
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// What it is called in tokens.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Tells this key from any other.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether a token with this header could be its own. A key without a name, as out of a PEM file, may have signed
    /// under any name, and a token without one may be of any key.
    pub fn may_have_signed(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        let same_name = match (&self.kid, kid) {
            (Some(own), Some(kid)) => own == kid,
            (None, _) | (_, None) => true,
        };
        algorithm == self.algorithm() && same_name
    }

    /// Whether the signature is this key's own of these bytes.
    pub fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        let unparsed = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
        };
        match &self.material {
            Material::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Material::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            Material::P256(point) => unparsed(&signature::ECDSA_P256_SHA256_FIXED, point),
            Material::Ed25519(key) => unparsed(&signature::ED25519, key),
        }
    }

    /// Its signature of these bytes; only a shared secret can sign.
    pub fn sign(&self, bytes: &[u8]) -> Option<hmac::Tag> {
        match &self.material {
            Material::Secret(key) => Some(hmac::sign(key, bytes)),
            Material::Rsa { .. } | Material::P256(_) | Material::Ed25519(_) => None,
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "{} `{}`", self.algorithm(), kid.escape_default()),
            None => write!(f, "{} without a kid", self.algorithm()),
        }
    }
}
