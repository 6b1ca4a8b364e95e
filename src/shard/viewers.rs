//! Viewers of this core: their streams opened, their commands carried out, their snapshots owed.
//!
//! Always true: a snapshot is a set of owed keys with a mark behind it, so no limit can cut it short and a
//! change during it conflates with it. `synced` leaves when everything before it has left.
//!
//! Read first: `conn/stream.rs`, `shard/joining.rs`.

use std::collections::HashSet;

use crate::conn::call::{Format, Protocol, Reply, Viewing};
use crate::conn::stream::{self, Later, Said, Stream};
use crate::conn::waiting::Purpose;
use crate::conn::{Life, Speech, reply};
use crate::ids::{ConnId, KeyId, Place, Rev};
use crate::key::Pattern;
use crate::limits::ANSWER_BYTES_MAX;
use crate::shard::Shard;
use crate::wire::WireError;
use crate::wire::frame;
use crate::wire::message::{self, Command};

/// The viewer is to come back: the broker restarts, or cannot tell it all that it missed.
pub(super) const CLOSE_RESTART: u16 = 1012;

impl Shard {
    /// An HTTP connection becomes a viewer.
    pub(super) fn open_stream(&mut self, id: ConnId, viewing: Viewing, format: &Format) {
        let Viewing { patterns, single, since, holder, behind, protocol } = viewing;
        if let Err(error) = self.count_stream(id, behind) {
            return self.answer(id, &Reply::Error(error), format);
        }
        let letterhead = reply::Letterhead { epoch: &self.house.epoch, date: self.date.at(self.now.wall_ms) };
        let Some(conn) = self.conns.get_mut(id) else { return };
        reply::write_stream_head(&mut conn.outbox, &protocol, format, &letterhead);
        let (mut visit, bytes) = (None, conn.outbox.answer_bytes());
        if let Speech::Http(http, _) = &mut conn.speech {
            self.memory.change(http.weighed_bytes, 0);
            visit = http.visit.take();
        }
        let status = if matches!(protocol, Protocol::Socket { .. }) { 101 } else { 200 };
        let mut stream = match protocol {
            Protocol::Socket { .. } => Stream::socket(holder, single),
            Protocol::Events => Stream::events(holder, single),
        };
        stream.opened_s = u32::try_from(self.now.wall_ms / 1000).unwrap_or(u32::MAX);
        conn.speech = Speech::Stream(Box::new(stream));
        self.counters.viewers += 1;
        self.counters.requests += 1;
        if self.house.guard.keeps_log {
            self.log_stream(id, visit, status, bytes);
        }
        self.set_due(id, self.now.after(self.house.limits.ping_interval_ms));
        self.queue(id);
        if self.conns.get(id).is_some_and(|conn| conn.peer_done) {
            // It asked, and left before it was its turn.
            return self.end_now(id);
        }
        if let Some(patterns) = patterns {
            self.join(id, patterns, Purpose::Open { since });
        }
    }

    /// Reads what a viewer says.
    pub(super) fn read_viewer(&mut self, id: ConnId, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let Some(conn) = self.conns.get_mut(id) else { return };
            let Speech::Stream(stream) = &mut conn.speech else { return };
            if conn.life != Life::Open {
                return;
            }
            if stream.has_command_waiting() || conn.outbox.answer_bytes() > ANSWER_BYTES_MAX {
                return stream.keep(&bytes[at..]);
            }
            let (used, said) = stream.next(&mut bytes[at..], &self.house);
            at += used;
            self.heard(id, said);
        }
    }

    /// Goes on where a viewer's command, and its bytes behind it, had to wait.
    pub(super) fn read_viewer_on(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let is_busy = conn.joining.is_some() || conn.outbox.has_mark();
        let Speech::Stream(stream) = &mut conn.speech else { return };
        if is_busy && stream.has_command_waiting() {
            return;
        }
        let Some(later) = stream.later.take() else { return };
        let Later { command, mut bytes } = *later;
        if let Some(command) = command {
            self.command(id, command);
        }
        self.read_viewer(id, &mut bytes);
    }

    fn heard(&mut self, id: ConnId, said: Said) {
        match said {
            Said::NeedMore | Said::Nothing => {}
            Said::Answer(bytes) => self.say(id, &bytes),
            Said::Command(command) => self.take_command(id, command),
            Said::Close(bytes) => {
                // A close frame of ours: two bytes of header, then the code.
                if let [_, _, high, low, ..] = bytes[..] {
                    self.note_close_code(id, u16::from_be_bytes([high, low]));
                }
                self.say(id, &bytes);
                self.begin_close(id);
            }
        }
    }

    /// Carries a command out, or keeps it until the snapshot under way is complete. One that only takes away
    /// need not wait for that.
    fn take_command(&mut self, id: ConnId, command: Command) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Stream(stream) = &mut conn.speech else { return };
        if command.subscribe.is_none() && conn.joining.is_none() {
            return self.command(id, command);
        }
        stream.later.get_or_insert_default().command = Some(command);
        self.read_viewer_on(id);
    }

    fn say(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.outbox.tail().extend_from_slice(bytes);
            self.queue(id);
        }
    }

    /// All of a command or nothing: what it takes away first, then what it adds.
    fn command(&mut self, id: ConnId, command: Command) {
        if let Err(error) = self.check_command(id, &command) {
            return self.heard(id, stream::complain(&error));
        }
        for pattern in &command.unsubscribe {
            if let Some(place) = self.find_place(pattern)
                && let Some(watch) = self.watch_at(id, place)
            {
                self.leave(id, watch);
                self.note_given_up(id, pattern);
            }
        }
        if !command.unsubscribe.is_empty() {
            self.forget_unwatched(id);
        }
        if let Some(patterns) = command.subscribe {
            self.join(id, patterns, Purpose::Subscribe);
        }
    }

    fn note_given_up(&mut self, id: ConnId, pattern: &Pattern) {
        if let Some(conn) = self.conns.get_mut(id)
            && let Speech::Stream(stream) = &mut conn.speech
        {
            stream.give_up(pattern);
        }
    }

    fn check_command(&self, id: ConnId, command: &Command) -> Result<(), WireError> {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let Speech::Stream(stream) = &conn.speech else { return Ok(()) };
        let holder = stream.holder();
        let subscribe = command.subscribe.as_deref().unwrap_or_default();
        for pattern in subscribe {
            if !self.house.access.may_read(&holder, pattern) {
                return Err(WireError::Forbidden(format!("read {pattern}")));
            }
        }
        let places = |patterns: &[Pattern]| -> HashSet<Place> {
            patterns.iter().filter_map(|pattern| self.find_place(pattern)).collect()
        };
        let (ended, begun) = (places(&command.unsubscribe), places(subscribe));
        let stay = |watch: &&crate::conn::waiting::Watch| {
            !ended.contains(&watch.place) && !begun.contains(&watch.place)
        };
        let watched = conn.watches.iter().filter(stay).count() + subscribe.len();
        match watched > self.house.limits.patterns_max {
            true => Err(WireError::TooManyPatterns(self.house.limits.patterns_max)),
            false => Ok(()),
        }
    }

    fn find_place(&self, pattern: &Pattern) -> Option<Place> {
        match pattern {
            Pattern::Exact(key) => self.store.find(key, self.owner.hash(key)).map(Place::Key),
            Pattern::Prefix(prefix) => self.groups.find(prefix).map(Place::Group),
        }
    }

    /// What is owed of keys that no pattern of this viewer names any more is not owed.
    fn forget_unwatched(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let watches = &conn.watches;
        let is_watched = |place: Place| watches.iter().any(|watch| watch.place == place);
        let store = &self.store;
        conn.outbox.retain_owed(|key| {
            let groups = store.get(key).map(|entry| entry.groups.as_slice()).unwrap_or_default();
            is_watched(Place::Key(key)) || groups.iter().any(|group| is_watched(Place::Group(*group)))
        });
    }

    /// A stream's first patterns are watched: its snapshot is owed.
    pub(super) fn stream_joined(&mut self, id: ConnId, places: &[(Pattern, Place)], since: Option<Rev>) {
        let is_single = match self.conns.get(id).map(|conn| &conn.speech) {
            Some(Speech::Stream(stream)) => stream.single,
            Some(Speech::Http(..)) | None => return,
        };
        for (_, place) in places {
            match (is_single, *place) {
                (true, Place::Key(key)) => self.owe_single(id, key, since),
                (_, place) => self.owe_snapshot(id, place),
            }
        }
        self.owe_synced(id, &message::synced(&self.house.epoch, None));
    }

    /// Later patterns are watched: their snapshot is owed, under their own names.
    pub(super) fn subscription_joined(&mut self, id: ConnId, places: Vec<(Pattern, Place)>) {
        let (patterns, places): (Vec<Pattern>, Vec<Place>) = places.into_iter().unzip();
        self.say_where_it_begins(id, &patterns);
        for place in places {
            self.owe_snapshot(id, place);
        }
        self.owe_synced(id, &message::synced(&self.house.epoch, Some(&patterns)));
    }

    /// What goes before this word was on its way already, and is no part of the snapshot.
    fn say_where_it_begins(&mut self, id: ConnId, patterns: &[Pattern]) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if let Speech::Stream(stream) = &mut conn.speech
            && stream.take_up(patterns)
        {
            self.say(id, &frame::text(&message::syncing(&self.house.epoch, patterns)));
        }
    }

    fn owe_single(&mut self, id: ConnId, key: KeyId, since: Option<Rev>) {
        self.store.fill_absent(key);
        let rev = self.store.get(key).map(|entry| entry.rev());
        if since.is_none() || since != rev {
            self.owe(id, key);
        }
    }

    fn owe_snapshot(&mut self, id: ConnId, place: Place) {
        match place {
            Place::Key(key) => {
                if self.store.get(key).is_some_and(|entry| entry.live().is_some()) {
                    self.owe(id, key);
                }
            }
            Place::Group(group) => {
                let Some(group) = self.groups.get(group) else { return };
                let Some(conn) = self.conns.get_mut(id) else { return };
                for (key, entry) in self.store.with_prefix(&group.prefix) {
                    if entry.live().is_some() {
                        conn.outbox.owed.insert(key);
                    }
                }
                self.queue(id);
            }
        }
    }

    fn owe(&mut self, id: ConnId, key: KeyId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.outbox.owed.insert(key);
            self.queue(id);
        }
    }

    fn owe_synced(&mut self, id: ConnId, json: &[u8]) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if let Speech::Stream(stream) = &conn.speech {
            conn.outbox.set_mark(stream.synced(json));
            self.queue(id);
        }
    }

    /// A heartbeat is due. A peer that has not taken the bytes before it is slow, not dead, and is left alone.
    pub(super) fn beat(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Stream(stream) = &mut conn.speech else { return };
        if stream.has_command_waiting() {
            // Nothing is read behind a command that waits for another core, so its pongs are not heard.
            stream.pings_unanswered = 0;
        }
        if stream.pings_unanswered >= 2 {
            return self.close_viewer(id, 1011, "two pings went unanswered");
        }
        if conn.outbox.is_flushed() {
            stream.pings_unanswered += u8::from(stream.is_socket());
            let heartbeat = stream.heartbeat();
            conn.outbox.tail().extend_from_slice(&heartbeat);
        }
        self.set_due(id, self.now.after(self.house.limits.ping_interval_ms));
        self.queue(id);
    }

    /// Says why, and ends a stream.
    pub(super) fn close_viewer(&mut self, id: ConnId, code: u16, reason: &str) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Stream(stream) = &conn.speech else { return };
        if conn.life == Life::Open {
            let farewell = stream.farewell(code, reason);
            self.note_close_code(id, code);
            self.say(id, &farewell);
            self.begin_close(id);
        }
    }
}
