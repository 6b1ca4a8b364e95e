//! What leaves this core for its peers, chosen at the moment it can leave.
//!
//! Always true: the bytes handed out are the newest this core knows, and a connection whose send is in
//! flight is not asked for more. A peer that does not read is not read either once its answers pile up.
//!
//! Read first: `conn/outbox.rs`.

use bytes::Bytes;

use crate::conn::http::Phase;
use crate::conn::outbox::{Dialect, States};
use crate::conn::{Conn, Life, Speech};
use crate::counters::Ages;
use crate::ids::{ConnId, KeyId};
use crate::limits::ANSWER_BYTES_MAX;
use crate::shard::Shard;
use crate::shard::store::Store;
use crate::time::Now;
use crate::wire::record::Record;

/// What a closing connection is read with: its bytes are dropped.
const DROPPED_READ_BYTES: usize = 4 * 1024;
/// Viewers say little; most of what they send is an empty pong of six bytes.
const VIEWER_READ_BYTES: usize = 16;
/// A viewer in the middle of a longer message.
const MESSAGE_READ_BYTES: usize = 4 * 1024;

impl Shard {
    /// A connection with an answer to send and nothing in flight. It counts as in flight until `sent`.
    pub fn next_answer(&mut self) -> Option<(ConnId, Bytes)> {
        while let Some(id) = self.answering.pop_front() {
            if let Some(bytes) = self.send_from(id) {
                return Some((id, bytes));
            }
        }
        None
    }

    /// A connection with something to send and nothing in flight, answers first. It counts as in flight until
    /// `sent`.
    pub fn next_send(&mut self) -> Option<(ConnId, Bytes)> {
        self.spread_changes();
        loop {
            let id = match self.answering.pop_front() {
                Some(id) => id,
                None => self.ready.pop_front()?,
            };
            if let Some(bytes) = self.send_from(id) {
                return Some((id, bytes));
            }
        }
    }

    fn send_from(&mut self, id: ConnId) -> Option<Bytes> {
        let conn = self.conns.get_mut(id)?;
        conn.queued = false;
        match &conn.speech {
            Speech::Http(..) if !conn.outbox.owed.is_empty() => self.settle_poll(id),
            Speech::Http(..) => {}
            // What goes out may hold a newer state, of which it is not to be told afterwards.
            Speech::Stream(_) => self.spread_changes(),
        }
        let bytes = self.next_bytes(id);
        match bytes {
            Some(_) => self.counters.sends += 1,
            None => self.after_flush(id),
        }
        bytes
    }

    fn next_bytes(&mut self, id: ConnId) -> Option<Bytes> {
        let conn = self.conns.get_mut(id)?;
        let dialect = match &conn.speech {
            Speech::Http(..) => Dialect::Frames,
            Speech::Stream(stream) => stream.dialect(&self.house.epoch),
        };
        let (store, ages) = (&mut self.store, &mut self.counters.ages);
        conn.outbox.next(dialect, &mut Going { store, ages, now_ms: self.now.wall_ms })
    }

    /// Something that is not the shard's goes out on this connection: nothing is chosen for it until `sent`, with
    /// no bytes. Whether that is so; if not, a send of the shard is in flight.
    pub fn hold_back(&mut self, id: ConnId) -> bool {
        self.conns.get_mut(id).is_some_and(|conn| conn.outbox.hold_back())
    }

    /// The kernel took `written` of the bytes that were in flight; they come back so that the rest can go.
    pub fn sent(&mut self, id: ConnId, bytes: Bytes, written: usize, now: Now) {
        self.now = now;
        self.counters.sent_bytes += written as u64;
        if self.house.guard.keeps_log {
            self.note_sent(id, written);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.outbox.sent(bytes, written);
        if conn.life == Life::Open && conn.outbox.answer_bytes() <= ANSWER_BYTES_MAX {
            match &conn.speech {
                Speech::Http(http, _) if http.held_bytes() > 0 && http.phase() != Phase::Answering => {
                    self.read_requests(id, &[]);
                }
                Speech::Http(..) => self.end_if_done(id),
                Speech::Stream(_) => self.read_viewer_on(id),
            }
        }
        self.queue(id);
        self.resume(id);
        self.weigh(id);
    }

    /// How many bytes to read from a connection next; 0: not now, [`Shard::next_read`] will name it.
    pub fn appetite(&mut self, id: ConnId) -> usize {
        let Some(conn) = self.conns.get_mut(id) else { return 0 };
        let bytes = appetite(conn);
        conn.paused = bytes == 0;
        bytes
    }

    /// A connection that was not to be read and may be again.
    pub fn next_read(&mut self) -> Option<ConnId> {
        self.resumed.pop_front()
    }

    /// Reads on, if the connection was paused and need not be.
    pub(super) fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.paused
            && appetite(conn) > 0
        {
            conn.paused = false;
            self.resumed.push_back(id);
        }
    }
}

/// What is newest, and how old it was when it went out.
struct Going<'a> {
    store: &'a mut Store,
    ages: &'a mut Ages,
    now_ms: u64,
}

impl States for Going<'_> {
    #[inline]
    fn give(
        &mut self,
        key: KeyId,
        is_change: bool,
        speak: impl FnOnce(&Record) -> Option<Bytes>,
    ) -> Option<Bytes> {
        let entry = self.store.get_mut(key);
        let Some((record, told)) = entry.and_then(|entry| Some((entry.record.as_ref()?, &mut entry.told)))
        else {
            return Some(Bytes::new());
        };
        let bytes = speak(record)?;
        if is_change {
            self.ages.count(self.now_ms.saturating_sub(record.updated_at_ms()));
            if let Some(told) = told {
                told.give(self.now_ms);
            }
        }
        Some(bytes)
    }
}

fn appetite(conn: &Conn) -> usize {
    match (conn.life, &conn.speech) {
        (Life::Over, _) => 0,
        (Life::Closing | Life::Lingering, _) => DROPPED_READ_BYTES,
        (Life::Open, _) if conn.outbox.answer_bytes() > ANSWER_BYTES_MAX => 0,
        (Life::Open, Speech::Http(http, _)) => http.appetite(),
        (Life::Open, Speech::Stream(stream)) if stream.has_command_waiting() => 0,
        (Life::Open, Speech::Stream(stream)) if stream.is_mid_message() => MESSAGE_READ_BYTES,
        (Life::Open, Speech::Stream(_)) => VIEWER_READ_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use crate::shard::bare::{self, NOW, ask};

    const PUT: &str = "PUT /api/lux/board HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{\"data\":1}";
    const WATCH: &str = "GET /api/lux/stream/board HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    #[test]
    fn a_state_that_goes_with_the_beginning_is_not_told_again() {
        let mut shard = bare::shard(0, 1);
        // In the same bytes as a request before it, so that it is in line for its answer when it becomes a viewer.
        let viewer = ask(&mut shard, &format!("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n{WATCH}"));
        ask(&mut shard, PUT);
        let mut told = String::new();
        // As the runtime asks: answers first.
        while let Some((to, bytes)) = shard.next_answer().or_else(|| shard.next_send()) {
            if to == viewer {
                told.push_str(&String::from_utf8_lossy(&bytes));
            }
            let len = bytes.len();
            shard.sent(to, bytes, len, NOW);
        }
        assert_eq!(told.matches("\"rev\":1").count(), 1, "{told}");
    }

    #[test]
    fn a_beginning_is_one_send_and_so_is_an_answer_with_the_change_behind_it() {
        let mut shard = bare::shard(0, 1);
        let id = ask(&mut shard, WATCH);
        let (_, beginning) = shard.next_send().expect("it is answered");
        let text = String::from_utf8_lossy(&beginning).into_owned();
        let places = ["HTTP/1.1 101", "\"rev\":0", "\"synced\":true"].map(|part| text.find(part));
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{text}");
        assert!(shard.next_send().is_none());
        let len = beginning.len();
        shard.sent(id, beginning, len, NOW);

        ask(&mut shard, PUT);
        shard.received(id, &mut [0x89, 0x80, 0, 0, 0, 0], NOW);
        let sends: Vec<_> = std::iter::from_fn(|| shard.next_send()).filter(|(to, _)| *to == id).collect();
        let [(_, bytes)] = sends.as_slice() else { panic!("{} sends", sends.len()) };
        assert_eq!(bytes[..3], [0x8a, 0x00, 0x81], "the pong, then the change");
    }
}
