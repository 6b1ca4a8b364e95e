//! Tokens that were verified lately, so that a producer's or a page's next request costs a look and no signature.
//!
//! Always true: at most [`PASSES_MAX`] are known, the oldest forgotten first; a token is found by the SHA-256 of all of
//! it, so another one never passes for it. What is found may have expired meanwhile: whoever asks looks.
//!
//! Read first: `token/mod.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Pass, TokenFault, Tokens};
use crate::access::{SecretHash, hash};
use crate::limits::{PASSES_MAX, TOKEN_BYTES_MAX};

/// What one core verified lately.
#[derive(Default)]
pub struct Passes {
    known: BTreeMap<SecretHash, Arc<Pass>>,
    order: VecDeque<SecretHash>,
}

impl Passes {
    /// What a token grants, verified now or lately.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn find(&mut self, tokens: &Tokens, token: &str, wall_ms: u64) -> Result<Arc<Pass>, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::TooLong);
        }
        let name = hash(token);
        if let Some(pass) = self.known.get(&name) {
            return if wall_ms < pass.expires_at_ms { Ok(pass.clone()) } else { Err(TokenFault::Expired) };
        }
        let pass = Arc::new(tokens.verify(token, wall_ms)?);
        if self.order.len() == PASSES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(name, pass.clone());
        self.order.push_back(name);
        Ok(pass)
    }

    /// Forgets everything: the keys were exchanged.
    pub fn clear(&mut self) {
        *self = Passes::default();
    }
}
