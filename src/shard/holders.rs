//! Keys that are revoked, expire, or change what they grant, while their holders watch; tokens that end.
//!
//! Always true: who watches was identified by a key that is in the table now, or by a token whose signer is, and what is
//! watched lies in its grant. Everything else ends: a stream with 4401, a poll with 401. `expiring` holds whoever watches
//! with a token, and nobody else.
//!
//! Read first: `access/mod.rs`, `conn/stream.rs`.

use crate::access::{Access, Holder};
use crate::conn::call::Reply;
use crate::conn::waiting::Waiting;
use crate::conn::{Life, Speech};
use crate::ids::ConnId;
use crate::shard::Shard;
use crate::wire::WireError;

/// A viewer's key is gone: a code of our own, from the range that RFC 6455, section 7.4.2, leaves to us.
const CLOSE_KEY_GONE: u16 = 4401;

impl Shard {
    /// The table was replaced: each holder is found again in the new one, or what it does here ends.
    pub(super) fn carry_holders_over(&mut self, old: &Access) {
        for id in self.conns.ids() {
            let access = self.house.access.clone();
            self.forget_expiry(id);
            let Some(held) = self.holder_of(id) else { continue };
            match (old.carry_over(&access, &held), &held) {
                (Some(holder), _) => self.set_holder(id, holder),
                (None, Holder::Key(_)) => self.turn_out(id, "this API key was revoked"),
                (None, Holder::Token(_)) => self.turn_out(id, "the key behind this token is gone"),
            }
            self.note_expiry(id);
        }
    }

    /// Somebody begins to watch: the core looks again when its key expires, or the one behind its token. A clock that
    /// was set back makes an expiry of the past one of the future. Tokens are many, and each of them ends; so they
    /// stand in order.
    pub(super) fn note_expiry(&mut self, id: ConnId) {
        let Some(holder) = self.holder_of(id) else { return };
        let expiry = self.house.access.key_expires_at(&holder);
        self.next_expiry_ms = self.next_expiry_ms.into_iter().chain(expiry).min();
        if let Holder::Token(pass) = holder {
            self.expiring.insert((pass.expires_at_ms, id));
        }
    }

    /// Whoever watches no longer has nothing to end.
    pub(super) fn forget_expiry(&mut self, id: ConnId) {
        if let Some(Holder::Token(pass)) = self.holder_of(id) {
            self.expiring.remove(&(pass.expires_at_ms, id));
        }
    }

    /// Ends what is watched with tokens whose time has come.
    pub(super) fn end_expired(&mut self) {
        while self.expiring.first().is_some_and(|(at, _)| *at <= self.now.wall_ms) {
            if let Some((_, id)) = self.expiring.pop_first() {
                self.turn_out(id, "this token has expired");
            }
        }
    }

    /// Ends what is watched with keys that have expired, or that no longer cover it.
    pub(super) fn check_holders(&mut self) {
        self.next_expiry_ms = self.house.access.next_expiry(self.now.wall_ms);
        for id in self.conns.ids() {
            let Some(holder) = self.holder_of(id) else { continue };
            if !self.house.access.is_live(&holder, self.now.wall_ms) {
                self.turn_out(id, "this API key has expired");
            } else if !self.is_granted(id, &holder) {
                self.turn_out(id, "this API key may no longer read what is watched");
            }
        }
    }

    fn is_granted(&self, id: ConnId, holder: &Holder) -> bool {
        let Some(conn) = self.conns.get(id) else { return true };
        let joining = conn.joining.iter().flat_map(|joining| &joining.places);
        let mut places = conn.watches.iter().map(|watch| watch.place).chain(joining.map(|(_, place)| *place));
        places.all(|place| self.house.access.may_read(holder, &self.pattern_of(place)))
    }

    fn holder_of(&self, id: ConnId) -> Option<Holder> {
        // Whoever is on its way out keeps the holder of a table that may be gone by now.
        let conn = self.conns.get(id).filter(|conn| conn.life == Life::Open)?;
        match &conn.speech {
            Speech::Stream(stream) => Some(stream.holder()),
            Speech::Http(_, waiting) => match waiting.as_deref()? {
                Waiting::Poll { holder, .. } => Some(holder.clone()),
                Waiting::Owner(_)
                | Waiting::List { .. }
                | Waiting::Metrics { .. }
                | Waiting::Explain { .. } => None,
            },
        }
    }

    fn set_holder(&mut self, id: ConnId, new: Holder) {
        match self.conns.get_mut(id).map(|conn| &mut conn.speech) {
            Some(Speech::Stream(stream)) => stream.set_holder(new),
            Some(Speech::Http(_, waiting)) => match waiting.as_deref_mut() {
                Some(Waiting::Poll { holder, .. }) => *holder = new,
                Some(
                    Waiting::Owner(_)
                    | Waiting::List { .. }
                    | Waiting::Metrics { .. }
                    | Waiting::Explain { .. },
                )
                | None => {}
            },
            None => {}
        }
    }

    fn turn_out(&mut self, id: ConnId, reason: &str) {
        self.close_viewer(id, CLOSE_KEY_GONE, reason);
        self.answer_poll(id, &Reply::Error(WireError::Unauthorized));
    }
}
