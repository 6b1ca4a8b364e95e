//! `POST /api/lux/_token`: a backend asks for a token, for a page that it serves.
//!
//! Always true: only an API key makes tokens, so none lives on through its successors; a token reads no more than the
//! key it was made with, ends no later, and is bound to it.
//!
//! Read first: `access/token/mint.rs`.

use bytes::Bytes;
use serde::Deserialize;

use crate::access::Holder;
use crate::access::token::{MintFault, Minted};
use crate::conn::call::{Format, Reply};
use crate::conn::route::House;
use crate::key::Pattern;
use crate::wire::WireError;

/// How long a token lives unless something else is asked.
const LIFE_DEFAULT_MS: u64 = 3_600_000;

/// A wish for a token without its body.
pub struct Mint {
    /// With which API key.
    pub maker: Holder,
    /// When it was asked.
    pub wall_ms: u64,
    /// How to answer.
    pub format: Format,
}

/// The body. What is not known here is refused: a token that lacks what its maker meant would be a riddle.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish<'b> {
    read: Vec<String>,
    #[serde(rename = "for", borrow)]
    life: Option<std::borrow::Cow<'b, str>>,
}

impl Mint {
    /// Makes the token that the body asks for.
    ///
    /// # Errors
    /// [`WireError::NoToken`] for a body that cannot be met, [`WireError::Forbidden`] for more than the key reads.
    pub fn carry_out(&self, body: &[u8], house: &House) -> Result<Reply, WireError> {
        let no = |why: &dyn std::fmt::Display| WireError::NoToken(why.to_string());
        let wish: Wish<'_> = serde_json::from_slice(body).map_err(|error| no(&error))?;
        let mut read = Vec::with_capacity(wish.read.len());
        for text in &wish.read {
            let pattern = Pattern::parse(text.as_bytes()).map_err(WireError::BadKey)?;
            if !house.access.may_read(&self.maker, &pattern) {
                return Err(WireError::Forbidden(format!("read {pattern}")));
            }
            read.push(pattern);
        }
        let life_ms = match wish.life {
            Some(text) => life(&text).ok_or_else(|| no(&"`for` is a time as 90s, 15m, 1h or 1d"))?,
            None => LIFE_DEFAULT_MS,
        };
        let left_ms =
            house.access.key_expires_at(&self.maker).map_or(u64::MAX, |end| end.saturating_sub(self.wall_ms));
        let hash = house.access.key_hash(&self.maker);
        match house.access.tokens().mint(&read, life_ms.min(left_ms), self.wall_ms, hash) {
            Ok(minted) => Ok(reply(&minted)),
            Err(MintFault::NoKey) => Err(WireError::NoTokenKey),
            Err(fault) => Err(no(&fault)),
        }
    }
}

/// A token's text has no character that JSON would escape.
fn reply(minted: &Minted) -> Reply {
    let Minted { token, expires_at_ms } = minted;
    Reply::Page(Bytes::from(format!("{{\"token\":\"{token}\",\"expiresAt\":{expires_at_ms}}}")))
}

/// A whole number and its unit, in milliseconds.
fn life(text: &str) -> Option<u64> {
    const UNITS: [(char, u64); 4] = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
    let (unit, factor) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let digits = text.strip_suffix(unit)?;
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { digits.parse::<u64>().ok()?.checked_mul(factor) } else { None }
}

#[cfg(test)]
mod tests {
    use super::life;

    #[test]
    fn lives_are_whole_numbers_with_a_unit() {
        assert_eq!((life("90s"), life("15m"), life("1h")), (Some(90_000), Some(900_000), Some(3_600_000)));
        for wrong in ["", "h", "1", "-1h", "1.5h", "1h 30m", "1w", "99999999999999999999d", "+1s"] {
            assert_eq!(life(wrong), None, "{wrong}");
        }
    }
}
