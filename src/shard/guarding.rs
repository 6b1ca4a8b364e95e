//! What keeps one peer from harming others: how many connections an address may have, how fast a key may be
//! written, how much memory all of them may take. And what is written down about each request.
//!
//! Always true: whoever is turned away was told so, as long as not too many are being told at once; what was
//! refused changed nothing. A core counts what it sees itself.
//!
//! Read first: `guard/mod.rs`.

use core::net::IpAddr;

use crate::conn::{Conn, Speech};
use crate::guard::address::Address;
use crate::guard::forwarded::Proxies;
use crate::guard::memory::Notice;
use crate::guard::rate::{Bucket, Rate};
use crate::guard::tally::Denied;
use crate::guard::visit::{Happening, Line, Visit};
use crate::ids::{ConnId, KeyId};
use crate::limits::{REFUSED_AT_ONCE_MAX, SMALL_BODY_BYTES};
use crate::shard::Shard;
use crate::time::Now;
use crate::wire::WireError;

/// Come back later: in the registry of close codes (RFC 6455, section 11.7).
const CLOSE_TRY_LATER: u16 = 1013;

/// Who is at the other end of a connection; kept only where somebody wants to know.
pub struct Caller {
    socket: Address,
    /// Under which address it is counted.
    counted: Option<Address>,
    /// What opened the stream that this connection is now.
    visit: Option<Box<Visit>>,
    /// Bytes sent on that stream.
    sent_bytes: u64,
    /// The close code that was said.
    close_code: Option<u16>,
}

/// How fast one key is written.
#[derive(Clone, Copy, Default)]
pub struct Pace {
    generation: u32,
    bucket: Bucket,
}

impl Shard {
    /// The same core, which believes these proxies, and writes down every request if it is to.
    pub fn with_guard(mut self, proxies: Proxies, keeps_log: bool) -> Shard {
        self.house.guard.proxies = proxies;
        self.house.guard.keeps_log = keeps_log;
        self
    }

    /// A connection was accepted from this address; nothing if it is to be closed without a word, since too
    /// many are being told already that they may not stay.
    pub fn opened_from(&mut self, ip: IpAddr, now: Now) -> Option<ConnId> {
        self.now = now;
        if !self.wants_callers() {
            return Some(self.opened(now));
        }
        let socket = Address::from(ip);
        let is_proxy = self.house.guard.proxies.trusts(socket);
        let counted = if is_proxy { Ok(None) } else { self.count_address(socket) };
        if counted.is_err() && self.turned_away >= REFUSED_AT_ONCE_MAX {
            self.counters.turned_away += 1;
            return None;
        }
        let id = self.open(counted.as_ref().err().cloned());
        let counted = counted.unwrap_or_default();
        let caller = Caller { socket, counted, visit: None, sent_bytes: 0, close_code: None };
        let slot = id.slot as usize;
        if self.callers.len() <= slot {
            self.callers.resize_with(slot + 1, || None);
        }
        self.callers[slot] = Some(caller);
        Some(id)
    }

    /// Whether anything depends on where a connection comes from.
    fn wants_callers(&self) -> bool {
        let (limits, guard) = (&self.house.limits, &self.house.guard);
        let is_limited = limits.connections_per_address > 0 || limits.connects_per_address > 0;
        is_limited || guard.keeps_log || !guard.proxies.is_empty()
    }

    /// Counts one more connection or stream; under which address, if they are counted at all.
    pub(super) fn count_address(&mut self, address: Address) -> Result<Option<Address>, WireError> {
        let limits = &self.house.limits;
        let (most, rate) = (limits.connections_per_address, limits.connects_per_address);
        if most == 0 && rate == 0 {
            return Ok(None);
        }
        let group = address.group();
        match self.addresses.open(&group, most, Rate::new(rate), self.now) {
            Ok(()) => Ok(Some(group)),
            Err(Denied::TooMany) => Err(WireError::AddressFull(most)),
            Err(Denied::TooFast) => Err(WireError::ConnectsTooFast(rate)),
        }
    }

    /// A stream that came through a proxy of ours counts for whom it speaks.
    pub(super) fn count_stream(&mut self, id: ConnId, behind: Option<Address>) -> Result<(), WireError> {
        let Some(address) = behind else { return Ok(()) };
        let counted = self.count_address(address).inspect_err(|_| self.counters.turned_away += 1)?;
        if let Some(caller) = self.caller(id) {
            caller.counted = counted;
        }
        Ok(())
    }

    /// Says goodbye to a connection that was let in only for that.
    pub(super) fn turn_away(&mut self, id: ConnId, error: WireError) {
        self.counters.turned_away += 1;
        if error == WireError::Overloaded {
            self.memory.refuse(self.mark_bytes(), self.now);
        }
        if let Some(Conn { speech: Speech::Http(http, _), .. }) = self.conns.get_mut(id) {
            http.is_turned_away = true;
            self.turned_away += 1;
        }
        self.refuse_and_close(id, error);
    }

    /// The last of a connection: what was counted of it is not any more. The slot's next one is another's.
    pub(super) fn forget_caller(&mut self, slot: u32, conn: &Conn) {
        if let Speech::Http(http, _) = &conn.speech {
            self.memory.change(http.weighed_bytes, 0);
            self.turned_away -= usize::from(http.is_turned_away);
        }
        if let Some(bytes) = self.talkers.remove(&slot) {
            self.memory.change(bytes, 0);
        }
        let caller = self.callers.get_mut(slot as usize).and_then(Option::take);
        if let Some(counted) = caller.and_then(|caller| caller.counted) {
            self.addresses.closed(&counted);
        }
    }

    fn caller(&mut self, id: ConnId) -> Option<&mut Caller> {
        self.callers.get_mut(id.slot as usize)?.as_mut()
    }

    /// Before a peer is read: who it is, and how much it may send.
    pub(super) fn attend(&mut self, id: ConnId) {
        let mark_bytes = self.mark_bytes();
        let guard = &mut self.house.guard;
        guard.caller = match self.callers.get(id.slot as usize) {
            Some(Some(caller)) => Some(caller.socket),
            Some(None) | None => None,
        };
        guard.room_bytes = self.memory.room_bytes(mark_bytes);
    }

    /// What peers may take on this core: an equal share of the whole.
    pub(super) fn mark_bytes(&self) -> usize {
        self.house.limits.memory_mark_bytes / usize::from(self.owner.shards())
    }

    /// Whether what peers take has reached the mark.
    pub(super) fn is_past_mark(&self) -> bool {
        self.memory.room_bytes(self.mark_bytes()) == 0
    }

    /// Counts anew what a connection takes.
    pub(super) fn weigh(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Http(http, _) = &mut conn.speech else { return };
        let bytes = http.weight() + conn.outbox.answer_bytes();
        let before = std::mem::replace(&mut http.weighed_bytes, bytes);
        self.memory.change(before, bytes);
    }

    /// Counts anew what a viewer takes in the middle of a message. Few ever are, so they stand in a list of their
    /// own; past the mark they are sent away, since nobody was promised memory for long messages.
    pub(super) fn weigh_viewer(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Speech::Stream(stream) = &mut conn.speech else { return };
        let bytes = stream.held_bytes();
        if bytes == 0 && self.talkers.is_empty() {
            return;
        }
        let room =
            self.memory.room_bytes(self.house.limits.memory_mark_bytes / usize::from(self.owner.shards()));
        let before = self.talkers.remove(&id.slot).unwrap_or_default();
        let is_too_much = bytes > SMALL_BODY_BYTES && bytes > before + room;
        let kept = if is_too_much { 0 } else { bytes };
        self.memory.change(before, kept);
        if is_too_much {
            stream.forget_message();
            self.memory.refuse(self.mark_bytes(), self.now);
            return self.close_viewer(id, CLOSE_TRY_LATER, "the broker is short of memory; come back");
        }
        if kept > 0 {
            self.talkers.insert(id.slot, kept);
        }
    }

    /// Something that was asked does not fit.
    pub(super) fn note_refusal(&mut self, error: &WireError) {
        if *error == WireError::Overloaded {
            self.memory.refuse(self.mark_bytes(), self.now);
        }
        self.counters.too_fast += u64::from(matches!(error, WireError::WritesTooFast(..)));
    }

    /// What the log is to say about memory.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.memory.take_notice()
    }

    /// Whether this key, if it is there, may be written once more now.
    ///
    /// # Errors
    /// [`WireError::WritesTooFast`].
    pub(super) fn check_pace(&self, key: Option<KeyId>) -> Result<(), WireError> {
        let rate = Rate::new(self.house.limits.writes_per_key);
        let pace = key.map(|key| self.pace(key)).unwrap_or_default();
        match rate.allows(pace.bucket, self.now) {
            true => Ok(()),
            false => Err(WireError::WritesTooFast("this key", rate.per_second())),
        }
    }

    /// A key was written.
    pub(super) fn note_pace(&mut self, key: KeyId) {
        let rate = Rate::new(self.house.limits.writes_per_key);
        if rate.is_unbounded() {
            return;
        }
        let mut pace = self.pace(key);
        rate.take(&mut pace.bucket, self.now);
        let slot = key.slot as usize;
        if self.paces.len() <= slot {
            self.paces.resize(slot + 1, Pace::default());
        }
        self.paces[slot] = pace;
    }

    /// How fast a key was written of late; another key that had its slot does not count.
    fn pace(&self, key: KeyId) -> Pace {
        let known = self.paces.get(key.slot as usize).filter(|pace| pace.generation == key.generation);
        known.copied().unwrap_or(Pace { generation: key.generation, bucket: Bucket::default() })
    }

    /// When what comes next arrived, in microseconds of the runtime's clock: for the log alone.
    pub fn at_us(&mut self, clock_us: u64) {
        self.house.guard.clock_us = clock_us;
    }

    /// What is to be written down of requests, oldest first.
    pub fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Lines that could not be written down.
    pub fn lines_dropped(&mut self, count: u64) {
        self.counters.log_lines_dropped += count;
    }

    /// A request has its answer.
    pub(super) fn log_answer(&mut self, id: ConnId, status: u16, bytes: usize) {
        let mut visit = None;
        if let Some(Conn { speech: Speech::Http(http, _), .. }) = self.conns.get_mut(id) {
            visit = http.visit.take();
        }
        self.log(Happening::Request, visit, status, bytes as u64);
    }

    /// A stream begins; who opened it is known until it ends.
    pub(super) fn log_stream(&mut self, id: ConnId, visit: Option<Box<Visit>>, status: u16, bytes: usize) {
        self.log(Happening::StreamBegan, visit.clone(), status, bytes as u64);
        if let Some(caller) = self.caller(id) {
            caller.visit = visit;
        }
    }

    /// A stream was sent so much.
    pub(super) fn note_sent(&mut self, id: ConnId, bytes: usize) {
        if let Some(caller) = self.caller(id) {
            caller.sent_bytes += bytes as u64;
        }
    }

    /// A stream is going to end with this code.
    pub(super) fn note_close_code(&mut self, id: ConnId, code: u16) {
        if let Some(caller) = self.caller(id) {
            caller.close_code.get_or_insert(code);
        }
    }

    /// A stream has ended.
    pub(super) fn log_stream_end(&mut self, id: ConnId) {
        let Some(caller) = self.caller(id) else { return };
        let (visit, bytes, code) = (caller.visit.take(), caller.sent_bytes, caller.close_code);
        if let Some(visit) = visit {
            self.log(Happening::StreamEnded(code), Some(visit), 0, bytes);
        }
    }

    fn log(&mut self, happening: Happening, visit: Option<Box<Visit>>, status: u16, bytes: u64) {
        let wall_ms = self.now.wall_ms;
        self.lines.push(Line { wall_ms, happening, visit, status, bytes, took_us: 0 });
    }
}

#[cfg(test)]
mod tests {
    use crate::shard::bare::{NOW, shard};

    const UPGRADE: &str = "GET /api/lux/stream/* HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n";

    #[test]
    fn late_words_about_one_who_left_take_nothing_from_the_next_in_its_slot() {
        let mut shard = shard(0, 1);
        let gone = shard.opened(NOW);
        shard.ended(gone, NOW);
        let viewer = shard.opened(NOW);
        assert_eq!(viewer.slot, gone.slot);
        shard.received(viewer, &mut UPGRADE.as_bytes().to_vec(), NOW);
        while let Some((id, bytes)) = shard.next_send() {
            let len = bytes.len();
            shard.sent(id, bytes, len, NOW);
        }
        // The beginning of a message of 100 bytes.
        shard.received(viewer, &mut [&[0x81, 0xe4, 1, 2, 3, 4], &[b'x'; 40][..]].concat(), NOW);
        let counted = shard.counters().peer_bytes;
        assert!(counted > 0, "what it is saying is counted");
        shard.ended(gone, NOW);
        assert_eq!(shard.counters().peer_bytes, counted);
    }
}
