//! From claims that were signed to a grant that ends.
//!
//! Always true: a claim that is there counts, and one of the wrong kind refuses the token: `exp`, `nbf` and `iat` are
//! numbers (RFC 7519, section 4.1), `aud` names us or the token is not for us, a grant is key patterns only.
//!
//! Read first: `token/mod.rs`, `object.rs`.

use data_encoding::BASE64URL_NOPAD;

use super::object::Object;
use super::template::Template;
use super::{MakerTag, TokenFault};
use crate::key::Pattern;

/// Where Lux's own tokens keep what they grant.
pub const OWN_CLAIM: &str = "lux.read";
/// Where they keep with which API key they were made.
const MAKER_CLAIM: &str = "lux.by";

/// What is made of the claims that some keys sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who has to have issued the token; anybody whose key it is, if `None`.
    pub issuer: Option<String>,
    /// Whom it has to be for. Without one, a token that names somebody is for somebody else.
    pub audience: Option<String>,
    /// Where the grant stands.
    pub grants: Grants,
    /// The most from `iat` (or now, where there is none) to `exp`.
    pub longest_life_ms: u64,
    /// How far the issuer's clock may be ahead of ours.
    pub leeway_ms: u64,
}

/// Where a token's grant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// In this claim: a list of key patterns, or one text with spaces between them. Dots go down.
    Claim(String),
    /// In ours, which also say which API key they were made with.
    Own,
    /// In these templates, filled with the token's claims.
    Templates(Vec<Template>),
}

/// What claims come to.
#[derive(Debug)]
pub struct Claimed {
    /// What may be read.
    pub read: Vec<Pattern>,
    /// When it ends, Unix milliseconds.
    pub expires_at_ms: u64,
    /// The API key it was made with.
    pub maker: Option<MakerTag>,
}

impl Rule {
    /// For the broker's own tokens.
    pub fn own(longest_life_ms: u64) -> Rule {
        Rule { issuer: None, audience: None, grants: Grants::Own, longest_life_ms, leeway_ms: 30_000 }
    }

    /// Reads claims whose signature holds.
    ///
    /// # Errors
    /// What is wrong with them at this moment.
    pub fn read(&self, claims: String, wall_ms: u64) -> Result<Claimed, TokenFault> {
        let claims = Object::parse(&claims).ok_or(TokenFault::Shape)?;
        let expires_at_ms = self.check_times(&claims, wall_ms)?;
        self.check_names(&claims)?;
        let read = self.patterns(&claims).filter(|read| !read.is_empty()).ok_or(TokenFault::NoGrant)?;
        let maker = match &self.grants {
            Grants::Own => maker(&claims)?,
            Grants::Claim(_) | Grants::Templates(_) => None,
        };
        Ok(Claimed { read, expires_at_ms, maker })
    }

    fn check_times(&self, claims: &Object<'_>, wall_ms: u64) -> Result<u64, TokenFault> {
        let expires_at_ms = time(claims, "exp")?.ok_or(TokenFault::NoExpiry)?;
        let (issued, not_before) = (time(claims, "iat")?, time(claims, "nbf")?);
        if expires_at_ms <= wall_ms {
            return Err(TokenFault::Expired);
        }
        let latest = wall_ms.saturating_add(self.leeway_ms);
        if issued.is_some_and(|at| at > latest) || not_before.is_some_and(|at| at > latest) {
            return Err(TokenFault::NotYet);
        }
        match expires_at_ms.saturating_sub(issued.unwrap_or(wall_ms)) > self.longest_life_ms {
            true => Err(TokenFault::TooLongLife),
            false => Ok(expires_at_ms),
        }
    }

    fn check_names(&self, claims: &Object<'_>) -> Result<(), TokenFault> {
        if let Some(issuer) = &self.issuer
            && claims.text("iss").flatten().as_ref() != Some(issuer)
        {
            return Err(TokenFault::Issuer);
        }
        let named: Option<Vec<String>> = match claims.get("aud") {
            None if self.audience.is_none() => return Ok(()),
            None => None,
            Some(value) => list(value),
        };
        let is_ours = named.zip(self.audience.as_ref()).is_some_and(|(named, ours)| named.contains(ours));
        if is_ours { Ok(()) } else { Err(TokenFault::Audience) }
    }

    /// Every pattern, or nothing: half of a grant would be a riddle.
    fn patterns(&self, claims: &Object<'_>) -> Option<Vec<Pattern>> {
        let of_claim = |path: &str| {
            let texts = list(claims.at(path)?)?;
            let words = texts.iter().flat_map(|text| text.split_ascii_whitespace());
            words.map(|word| Pattern::parse(word.as_bytes()).ok()).collect()
        };
        match &self.grants {
            Grants::Claim(path) => of_claim(path),
            Grants::Own => of_claim(OWN_CLAIM),
            Grants::Templates(templates) => templates.iter().map(|template| template.fill(claims)).collect(),
        }
    }
}

/// A `NumericDate` (RFC 7519, section 2) in milliseconds; `None` if it is not there.
fn time(claims: &Object<'_>, name: &str) -> Result<Option<u64>, TokenFault> {
    const LATEST_SECONDS: f64 = 1e11;
    let Some(value) = claims.get(name) else { return Ok(None) };
    match serde_json::from_str::<f64>(value) {
        Ok(seconds) if (0.0..=LATEST_SECONDS).contains(&seconds) => {
            Ok(Some((seconds * 1000.0).round() as u64))
        }
        Ok(_) | Err(_) => Err(TokenFault::Shape),
    }
}

/// A list of texts, or one text alone.
fn list(value: &str) -> Option<Vec<String>> {
    let alone = || serde_json::from_str::<String>(value).ok().map(|text| vec![text]);
    serde_json::from_str(value).ok().or_else(alone)
}

fn maker(claims: &Object<'_>) -> Result<Option<MakerTag>, TokenFault> {
    let Some(value) = claims.at(MAKER_CLAIM) else { return Ok(None) };
    let text: String = serde_json::from_str(value).map_err(|_| TokenFault::Shape)?;
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| TokenFault::Shape)?;
    bytes.try_into().map(Some).map_err(|_| TokenFault::Shape)
}
