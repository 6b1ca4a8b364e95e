//! Keys that are revoked, expire, or change what they grant, while their holders watch.
//!
//! Always true: who watches was identified by a key that is in the table now, and what is watched lies in its
//! grant. Everything else ends: a stream with 4401, a poll with 401.
//!
//! Read first: `access/mod.rs`, `conn/stream.rs`.

use crate::access::{Access, HolderId};
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
            let Some(held) = self.holder_of(id) else { continue };
            match old.carry_over(&access, *held) {
                Some(holder) => *held = holder,
                None => self.turn_out(id, "this API key was revoked"),
            }
        }
    }

    /// Somebody begins to watch: the core looks again when its key expires. A clock that was set back makes an
    /// expiry of the past one of the future.
    pub(super) fn note_expiry(&mut self, id: ConnId) {
        let Some(holder) = self.holder_of(id).copied() else { return };
        if let Some(at) = self.house.access.expires_at(holder) {
            self.next_expiry_ms = Some(self.next_expiry_ms.map_or(at, |next| next.min(at)));
        }
    }

    /// Ends what is watched with keys that have expired, or that no longer cover it.
    pub(super) fn check_holders(&mut self) {
        self.next_expiry_ms = self.house.access.next_expiry(self.now.wall_ms);
        for id in self.conns.ids() {
            let Some(holder) = self.holder_of(id).copied() else { continue };
            if !self.house.access.is_live(holder, self.now.wall_ms) {
                self.turn_out(id, "this API key has expired");
            } else if !self.is_granted(id, holder) {
                self.turn_out(id, "this API key may no longer read what is watched");
            }
        }
    }

    fn is_granted(&self, id: ConnId, holder: HolderId) -> bool {
        let Some(conn) = self.conns.get(id) else { return true };
        let joining = conn.joining.iter().flat_map(|joining| &joining.places);
        let mut places = conn.watches.iter().map(|watch| watch.place).chain(joining.map(|(_, place)| *place));
        places.all(|place| self.house.access.may_read(holder, &self.pattern_of(place)))
    }

    fn holder_of(&mut self, id: ConnId) -> Option<&mut HolderId> {
        // Whoever is on its way out keeps the holder of a table that may be gone by now.
        let conn = self.conns.get_mut(id).filter(|conn| conn.life == Life::Open)?;
        match &mut conn.speech {
            Speech::Stream(stream) => Some(&mut stream.holder),
            Speech::Http(_, waiting) => match waiting.as_deref_mut()? {
                Waiting::Poll { holder, .. } => Some(holder),
                Waiting::Owner(_)
                | Waiting::List { .. }
                | Waiting::Metrics { .. }
                | Waiting::Explain { .. } => None,
            },
        }
    }

    fn turn_out(&mut self, id: ConnId, reason: &str) {
        self.close_viewer(id, CLOSE_KEY_GONE, reason);
        self.answer_poll(id, &Reply::Error(WireError::Unauthorized));
    }
}
