//! Beginning and ending to watch: on this core, and through it on the others.
//!
//! Always true: a peer becomes a watcher at one moment, when every core has brought what was newest when it
//! asked; what is in the store then is its snapshot, and every later change finds it among the watchers. So
//! no change falls between, and nothing in a snapshot is older than what was acknowledged before it.
//!
//! Read first: `shard/interest.rs`, `shard/link.rs`, `conn/waiting.rs`.

use crate::conn::Life;
use crate::conn::waiting::{Joining, Purpose, Watch};
use crate::ids::{ConnId, GroupId, KeyId, Place, ShardId};
use crate::key::Pattern;
use crate::shard::Shard;
use crate::shard::contract::{JoinTicket, PeerMessage};
use crate::shard::interest::Watcher;

impl Shard {
    /// Begins to watch; completes at once where no other core has a say.
    pub(super) fn join(&mut self, id: ConnId, patterns: Vec<Pattern>, purpose: Purpose) {
        // What the newcomer has seen is no news to it: see the test in `shard/spread.rs`.
        self.spread_changes();
        // A deletion that had to be forgotten may have sent this very viewer away.
        if self.conns.get(id).is_none_or(|conn| conn.life != Life::Open) {
            return;
        }
        self.note_expiry(id);
        self.joinings = self.joinings.wrapping_add(1);
        let ticket = JoinTicket { conn: id, number: self.joinings };
        let places = Vec::with_capacity(patterns.len());
        let mut joining = Joining { number: ticket.number, places, remaining: 0, purpose };
        let mut asked: Vec<(ShardId, Pattern)> = Vec::new();
        for pattern in patterns {
            let place = self.place(&pattern);
            if joining.places.iter().any(|(_, other)| *other == place) {
                continue;
            }
            let is_watched = self.watch_at(id, place).is_some();
            if !is_watched {
                self.hold(place, ticket);
            }
            asked.extend(self.others_with(&pattern).into_iter().map(|other| (other, pattern.clone())));
            joining.places.push((pattern, place));
        }
        joining.remaining = asked.len();
        if let Some(conn) = self.conns.get_mut(id) {
            conn.joining = Some(Box::new(joining));
        }
        if asked.is_empty() {
            self.complete_join(id);
        }
        // The cores that own keys of a pattern are asked again for each newcomer: the answer means that nothing
        // acknowledged before is still on its way here.
        for (other, pattern) in asked {
            self.tell(other, PeerMessage::Watch { pattern, ticket });
        }
    }

    /// Another core has brought all it had.
    pub(super) fn other_core_is_done(&mut self, ticket: JoinTicket) {
        let Some(joining) = self.conns.get_mut(ticket.conn).and_then(|conn| conn.joining.as_mut()) else {
            return;
        };
        if joining.number != ticket.number {
            return;
        }
        joining.remaining -= 1;
        if joining.remaining == 0 {
            self.complete_join(ticket.conn);
        }
    }

    fn complete_join(&mut self, id: ConnId) {
        let Some(joining) = self.conns.get_mut(id).and_then(|conn| conn.joining.take()) else { return };
        for (_, place) in &joining.places {
            self.become_watcher(id, *place);
        }
        match joining.purpose {
            Purpose::Poll => self.settle_poll(id),
            Purpose::Open { since } => self.stream_joined(id, &joining.places, since),
            Purpose::Subscribe => self.subscription_joined(id, joining.places),
        }
    }

    fn become_watcher(&mut self, id: ConnId, place: Place) {
        if self.watch_at(id, place).is_some() {
            return;
        }
        let Some(watchers) = self.watchers_at(place) else { return };
        let slot = watchers.add(Watcher::Conn(id));
        if let Some(conn) = self.conns.get_mut(id) {
            conn.watches.push(Watch { place, slot });
        }
    }

    /// The watch of a connection at a place, if it has one.
    pub(super) fn watch_at(&self, id: ConnId, place: Place) -> Option<Watch> {
        self.conns.get(id)?.watches.iter().copied().find(|watch| watch.place == place)
    }

    /// Where the watchers of a pattern stand; made if nobody stands there yet.
    pub(super) fn place(&mut self, pattern: &Pattern) -> Place {
        match pattern {
            Pattern::Exact(key) => {
                let hash = self.owner.hash(key);
                let owned = self.owner.of(hash) == self.id;
                let groups = &self.groups;
                Place::Key(self.store.find_or_make(key, hash, owned, || groups.of(key.as_str(), owned)))
            }
            Pattern::Prefix(prefix) => match self.groups.find(prefix) {
                Some(group) => Place::Group(group),
                None => {
                    let group = self.groups.make(prefix);
                    self.enter(group, true);
                    Place::Group(group)
                }
            },
        }
    }

    fn watchers_at(&mut self, place: Place) -> Option<&mut super::interest::Watchers> {
        match place {
            Place::Key(key) => self.store.get_mut(key).map(|entry| &mut entry.watchers),
            Place::Group(group) => self.groups.get_mut(group).map(|group| &mut group.watchers),
        }
    }

    fn hold(&mut self, place: Place, ticket: JoinTicket) {
        let is_first = self.watchers_at(place).is_some_and(super::interest::Watchers::hold);
        if let Place::Group(group) = place
            && is_first
        {
            self.enter(group, false);
            if let Some(group) = self.groups.get_mut(group) {
                group.began_with = ticket.number;
                group.told_by.clear();
            }
        }
    }

    /// Keys of a prefix, our own or the foreign ones, fall under its group from now on.
    fn enter(&mut self, group: GroupId, owned: bool) {
        for member in self.members(group, owned) {
            if let Some(entry) = self.store.get_mut(member) {
                entry.groups.push(group);
            }
        }
    }

    /// They do not any more, and go if nobody else needs them.
    fn exit(&mut self, group: GroupId, owned: bool) {
        for member in self.members(group, owned) {
            if let Some(entry) = self.store.get_mut(member) {
                entry.groups.retain(|other| *other != group);
            }
            self.store.remove_if_unneeded(member);
        }
    }

    fn members(&self, group: GroupId, owned: bool) -> Vec<KeyId> {
        let Some(group) = self.groups.get(group) else { return Vec::new() };
        let members = self.store.with_prefix(&group.prefix).filter(|(_, entry)| entry.owned == owned);
        members.map(|(id, _)| id).collect()
    }

    fn others_with(&self, pattern: &Pattern) -> Vec<ShardId> {
        match pattern {
            Pattern::Prefix(_) => self.owner.others(self.id).collect(),
            Pattern::Exact(key) => {
                let owner = self.owner.of(self.owner.hash(key));
                if owner == self.id { Vec::new() } else { vec![owner] }
            }
        }
    }

    /// Ends one watch of a connection.
    pub(super) fn leave(&mut self, id: ConnId, watch: Watch) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.watches.retain(|other| *other != watch);
        }
        if let Some(watchers) = self.watchers_at(watch.place) {
            watchers.remove(watch.slot);
        }
        self.release(watch.place);
    }

    /// Ends all a connection watches or is about to.
    pub(super) fn leave_everything(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let watches = std::mem::take(&mut conn.watches);
        let joining = conn.joining.take();
        for watch in &watches {
            if let Some(watchers) = self.watchers_at(watch.place) {
                watchers.remove(watch.slot);
            }
            self.release(watch.place);
        }
        for (_, place) in joining.map(|joining| joining.places).unwrap_or_default() {
            if !watches.iter().any(|watch| watch.place == place) {
                self.release(place);
            }
        }
    }

    fn release(&mut self, place: Place) {
        let Some(watchers) = self.watchers_at(place) else { return };
        let was_last_here = watchers.release();
        if was_last_here {
            let pattern = self.pattern_of(place);
            for other in self.others_with(&pattern) {
                let pattern = pattern.clone();
                self.tell(other, PeerMessage::Unwatch { pattern });
            }
            // From here on nobody tells us of foreign keys: what we have of them would grow old unseen.
            if let Place::Group(group) = place {
                self.exit(group, false);
            }
        }
        self.tidy(place);
    }

    /// The pattern whose watchers stand at a place.
    pub(super) fn pattern_of(&self, place: Place) -> Pattern {
        let pattern = match place {
            Place::Key(key) => self.store.get(key).map(|entry| Pattern::Exact(entry.key.clone())),
            Place::Group(group) => self.groups.get(group).map(|group| Pattern::Prefix(group.prefix.clone())),
        };
        pattern.unwrap_or(Pattern::ALL)
    }

    /// Removes what stands at a place that nobody holds any more.
    fn tidy(&mut self, place: Place) {
        match place {
            Place::Key(key) => {
                // Who watched just this key kept its deletion known, for those who watch a prefix as well.
                if !self.store.is_needed(key) {
                    self.send_away_who_is_owed(key);
                    self.store.remove_if_unneeded(key);
                }
            }
            Place::Group(id) => {
                if self.groups.get(id).is_none_or(|group| group.watchers.is_held()) {
                    return;
                }
                self.exit(id, true);
                self.groups.remove(id);
            }
        }
    }

    /// Another core wants to be told of keys of ours.
    pub(super) fn core_watches(&mut self, from: ShardId, pattern: Pattern, ticket: JoinTicket) {
        if !self.links[from.index()].watches.contains_key(&pattern) {
            let place = self.place(&pattern);
            if let Some(watchers) = self.watchers_at(place) {
                watchers.hold_for_core();
                let slot = watchers.add(Watcher::Core(from));
                self.links[from.index()].watches.insert(pattern.clone(), Watch { place, slot });
            }
            let newest = self.newest_for_core(place);
            let link = &mut self.links[from.index()];
            link.push(PeerMessage::Watching { pattern, ticket });
            newest.into_iter().for_each(|key| {
                link.owed.insert(key);
            });
        }
        self.links[from.index()].push_mark(ticket);
    }

    /// Another core has heard that keys of a prefix are watched here, and since which wish. What we have of its
    /// keys from before that is let go, unless something else kept it true: had such a key been deleted before
    /// the other core heard, nobody would tell, since a prefix begins with states and not with deletions.
    pub(super) fn core_tells(&mut self, from: ShardId, pattern: &Pattern, ticket: JoinTicket) {
        if let Pattern::Prefix(prefix) = pattern
            && let Some(id) = self.groups.find(prefix)
            && let Some(group) = self.groups.get(id)
            && group.began_with == ticket.number
        {
            let others = self.foreign_members_untold(id, from);
            others.into_iter().for_each(|key| self.store.remove(key));
            if let Some(group) = self.groups.get_mut(id) {
                group.told_by.push(from);
            }
        }
    }

    /// Keys of a prefix that another core owns and that nobody here has been told of all along.
    fn foreign_members_untold(&self, group: GroupId, from: ShardId) -> Vec<KeyId> {
        let tells = |id: &GroupId| self.groups.get(*id).is_some_and(|group| group.told_by.contains(&from));
        let is_untold = |id: &KeyId| {
            self.store.get(*id).is_some_and(|entry| {
                self.owner.of(self.owner.hash(&entry.key)) == from
                    && !entry.watchers.is_held()
                    && !entry.groups.iter().any(tells)
            })
        };
        self.members(group, false).into_iter().filter(is_untold).collect()
    }

    /// What another core has to have before it can serve viewers: states, and for one key its deletion.
    fn newest_for_core(&mut self, place: Place) -> Vec<KeyId> {
        match place {
            Place::Key(key) => {
                self.store.fill_absent(key);
                vec![key]
            }
            Place::Group(group) => {
                let Some(group) = self.groups.get(group) else { return Vec::new() };
                let ours = self.store.with_prefix(&group.prefix).filter(|(_, entry)| entry.owned);
                ours.filter(|(_, entry)| entry.live().is_some()).map(|(key, _)| key).collect()
            }
        }
    }

    /// Another core does not want to be told any more.
    pub(super) fn core_unwatches(&mut self, from: ShardId, pattern: &Pattern) {
        let Some(watch) = self.links[from.index()].watches.remove(pattern) else { return };
        if let Some(watchers) = self.watchers_at(watch.place) {
            watchers.remove(watch.slot);
            watchers.release_for_core();
        }
        self.tidy(watch.place);
    }
}
