//! What only the owner of a key does: read it, change it, in the key's own order.
//!
//! Always true: a write is answered after the store has it, and its producer's answer is in line before any
//! viewer's frame. A refused write changes nothing.
//!
//! Read first: `conn/call.rs`, `shard/store.rs`.

use crate::access::Author;
use crate::conn::call::{Outcome, Question};
use crate::ids::KeyId;
use crate::key::Key;
use crate::shard::Shard;
use crate::shard::interest::Watcher;
use crate::shard::owner::KeyHash;
use crate::shard::viewers::CLOSE_RESTART;
use crate::wire::WireError;
use crate::wire::condition::Conditions;
use crate::wire::merge::merge_patch;
use crate::wire::record::{Draft, Record};

impl Shard {
    /// Carries a question out; says which key changed. The caller sees that the answer is in line before
    /// [`Shard::changed`] tells the viewers.
    pub(super) fn carry_out(&mut self, question: Question, hash: KeyHash) -> (Outcome, Option<KeyId>) {
        match question {
            Question::Get(key) => (self.read(&key, hash), None),
            Question::Put { key, draft, conditions, by } => {
                self.write(&key, hash, &conditions, by, |_| Ok(draft))
            }
            Question::Patch { key, patch, conditions, by } => self.patch(&key, hash, &conditions, by, &patch),
            Question::Delete { key, conditions, by } => self.delete(&key, hash, &conditions, by),
        }
    }

    fn read(&self, key: &Key, hash: KeyHash) -> Outcome {
        let live = self.store.find(key, hash).and_then(|id| self.store.get(id)?.live());
        live.map_or(Outcome::Missing, |record| Outcome::Found(record.clone()))
    }

    fn patch(
        &mut self,
        key: &Key,
        hash: KeyHash,
        conditions: &Conditions,
        by: Author,
        patch: &[u8],
    ) -> (Outcome, Option<KeyId>) {
        let limits = self.house.limits.clone();
        self.write(key, hash, conditions, by, |current| {
            let merged = merge_patch(current.map_or(b"{}", Record::data), patch);
            Draft::new(key, &merged, &limits)
        })
    }

    fn write(
        &mut self,
        key: &Key,
        hash: KeyHash,
        conditions: &Conditions,
        by: Author,
        make: impl FnOnce(Option<&Record>) -> Result<Draft, WireError>,
    ) -> (Outcome, Option<KeyId>) {
        let found = self.store.find(key, hash);
        if let Err(error) = self.check_pace(found) {
            return self.refuse(Outcome::Refused(error));
        }
        let current = found.and_then(|id| self.store.get(id)?.live());
        if !conditions.allow_write(current.map(Record::rev)) {
            return self.refuse(Outcome::Conflict(current.cloned()));
        }
        let is_new = current.is_none();
        let held = current.map_or(0, Record::bytes_kept);
        let draft = match make(current) {
            Ok(draft) => draft,
            Err(error) => return self.refuse(Outcome::Refused(error)),
        };
        if let Err(error) = self.check_room(is_new, held, draft.data().len()) {
            return self.refuse(Outcome::Refused(error));
        }
        let groups = &self.groups;
        let id = found
            .unwrap_or_else(|| self.store.find_or_make(key, hash, true, || groups.of(key.as_str(), true)));
        let record = draft.seal(key, self.store.next_rev(id), self.stamp(id));
        self.store.replace(id, record.clone(), by);
        self.note_pace(id);
        let writes = &mut self.counters.writes;
        *(if is_new { &mut writes.created } else { &mut writes.replaced }) += 1;
        (Outcome::Written { record, created: is_new }, Some(id))
    }

    fn delete(
        &mut self,
        key: &Key,
        hash: KeyHash,
        conditions: &Conditions,
        by: Author,
    ) -> (Outcome, Option<KeyId>) {
        let found = self.store.find(key, hash);
        let current = found.and_then(|id| self.store.get(id)?.live());
        let (Some(id), Some(record)) = (found, current) else {
            let outcome = match conditions.if_match {
                Some(_) => Outcome::Conflict(None),
                None => Outcome::Missing,
            };
            return self.refuse(outcome);
        };
        if !conditions.allow_write(Some(record.rev())) {
            return self.refuse(Outcome::Conflict(Some(record.clone())));
        }
        if let Err(error) = self.check_pace(Some(id)) {
            return self.refuse(Outcome::Refused(error));
        }
        let deletion = Record::deletion(key, self.store.next_rev(id), self.stamp(id));
        self.store.replace(id, deletion.clone(), by);
        self.note_pace(id);
        self.counters.writes.deleted += 1;
        (Outcome::Deleted(deletion), Some(id))
    }

    fn refuse(&mut self, outcome: Outcome) -> (Outcome, Option<KeyId>) {
        if let Outcome::Refused(error) = &outcome {
            self.note_refusal(error);
        }
        let writes = &mut self.counters.writes;
        *(match outcome {
            Outcome::Conflict(_) => &mut writes.conflict,
            Outcome::Missing => &mut writes.missing,
            Outcome::Refused(_) | Outcome::Found(_) | Outcome::Written { .. } | Outcome::Deleted(_) => {
                &mut writes.refused
            }
        }) += 1;
        (outcome, None)
    }

    fn check_room(&self, is_new: bool, held: usize, wanted: usize) -> Result<(), WireError> {
        let limits = &self.house.limits;
        if is_new && self.store.keys_live() >= limits.keys_max {
            return Err(WireError::KeysFull(limits.keys_max));
        }
        let share = limits.state_memory_bytes_max / usize::from(self.owner.shards());
        // What takes less room than before is always taken: a snapshot may have brought more than there is room for.
        if wanted > held && self.store.bytes_live() - held + wanted > share {
            return Err(WireError::StateMemoryFull(limits.state_memory_bytes_max));
        }
        Ok(())
    }

    /// The time of a write: the wall clock's, but never before the revision it follows.
    fn stamp(&self, id: KeyId) -> u64 {
        self.store.not_before_ms(id).max(self.now.wall_ms)
    }

    /// Forgets the oldest deletions beyond the limit. Another core that has still to be told of one is
    /// waited for; a viewer that has still to be told is sent away, to come back for a whole snapshot.
    pub(super) fn forget_tombstones(&mut self) {
        let mut postponed = 0;
        while let Some(id) = self.store.next_to_forget(self.house.limits.tombstones_max + postponed) {
            if self.links.iter().any(|link| link.owed.contains(id)) {
                self.store.remember_longer(id);
                postponed += 1;
                continue;
            }
            self.send_away_who_is_owed(id);
            self.store.forget(id);
        }
    }

    /// A deletion is about to be forgotten. Who watches a prefix and has still to be told of it could never be
    /// told: no second snapshot on the same stream says which keys it leaves out. So its stream ends, and its
    /// client opens another.
    pub(super) fn send_away_who_is_owed(&mut self, id: KeyId) {
        let Some(entry) = self.store.get(id) else { return };
        if entry.watchers.is_held() || entry.live().is_some() {
            return;
        }
        let mut late = Vec::new();
        for group in entry.groups.iter().filter_map(|group| self.groups.get(*group)) {
            for watcher in group.watchers.iter() {
                if let Watcher::Conn(conn) = watcher
                    && self.conns.get(conn).is_some_and(|conn| conn.outbox.owed.contains(id))
                {
                    late.push(conn);
                }
            }
        }
        for conn in late {
            self.close_viewer(
                conn,
                CLOSE_RESTART,
                "too many deletions passed unread; come back for the rest",
            );
        }
    }
}
