//! What the broker hands to the kernel, read at the moment it does.
//!
//! Always true: here, and not where a client hears it, it shows whether bytes were the newest when they were
//! chosen, whether a quiet key had to wait, and whether a pong stood behind states.
//!
//! Read first: `view.rs`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lux::conn::explain::Has;
use lux::ids::ConnId;
use lux::key::Key;
use lux::shard::Shard;

use crate::breach::{Kept, breach, hold};
use crate::client::Client;
use crate::speech::record::{self, Record, Said};
use crate::speech::{events, socket};
use crate::table::Table;
use crate::truth::{Truth, show};

/// Who is at the other end of a connection.
pub struct Peer<'w> {
    /// The client, if anybody is.
    pub client: Option<&'w Client>,
    /// The table that its core goes by.
    pub table: &'w Table,
    /// All that it said has been heard and done.
    pub is_caught_up: bool,
}

/// One connection, at the broker's end.
#[derive(Default)]
pub struct Tap {
    /// What the kernel did not take of the last send.
    pub rest: Bytes,
    /// A ping arrived: the next thing that is chosen begins with its pong.
    pub owes_pong: bool,
    /// Pings that were handed out.
    pub pings: usize,
    /// For each key that waits: which others went out since it began to.
    waiting: BTreeMap<usize, BTreeSet<usize>>,
    /// The revision that went out last, by key, and whether it was a state.
    offered: BTreeMap<usize, (u64, bool)>,
}

impl Tap {
    /// Bytes were chosen for this connection.
    pub fn offered(&mut self, bytes: &Bytes, shard: &Shard, peer: &Peer<'_>, truth: &Truth) -> Kept {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return hold(bytes.starts_with(&rest), "a short write goes on where it ended", || {
                format!("{} bytes were left, and {} others came", rest.len(), bytes.len())
            });
        }
        let Some(records) = self.read(bytes)? else { return Ok(()) };
        for record in &records {
            self.check_record(record, shard, peer)?;
        }
        self.check_turns(&records, shard, peer.client, truth)
    }

    /// What the broker would say that this viewer has is what went out to it.
    pub fn check_given(&self, id: ConnId, shard: &Shard, truth: &Truth) -> Kept {
        for (key, (rev, was_live)) in &self.offered {
            let Ok(parsed) = Key::parse(truth.name(*key).as_bytes()) else { continue };
            let Some(Has::Older { rev: said, .. }) = shard.given(id, &parsed) else { continue };
            // To have a deletion that was forgotten since, and to have nothing, are the same.
            hold(said.0 == *rev || (said.0 == 0 && !was_live), "explained truly", || {
                format!("{parsed} went out at {rev}, and {said:?} is what the viewer is said to have")
            })?;
        }
        Ok(())
    }

    /// The records in what was chosen; nothing where it is an answer to a request.
    fn read(&mut self, bytes: &[u8]) -> Kept<Option<Vec<Record>>> {
        let mut texts = Vec::new();
        let mut at = 0;
        match bytes.first() {
            Some(0x81 | 0x88..=0x8a) => {
                let pings_before = self.pings;
                let must_pong = std::mem::take(&mut self.owes_pong);
                let is_state = bytes[0] == 0x81
                    && bytes.windows(8).take(12).any(|eight| eight.starts_with(b"{\"key\":"));
                hold(!must_pong || !is_state, "control first", || "a state went before a pong".to_owned())?;
                while let Some((frame, used)) = read_frame(&bytes[at..])? {
                    at += used;
                    match frame {
                        socket::Frame::Text(text) => texts.push(text),
                        socket::Frame::Ping(_) => self.pings += 1,
                        socket::Frame::Close(1011) => {
                            // The second may have been ready to go when a leap of time made it late.
                            hold(pings_before >= 1, "a stream ends for a reason", || {
                                "no ping had gone out that could have been answered".to_owned()
                            })?;
                        }
                        socket::Frame::Pong(_) | socket::Frame::Close(_) => {}
                    }
                }
            }
            Some(b'd' | b'i' | b'e' | b':') => {
                while let Some((event, used)) = read_event(&bytes[at..])? {
                    at += used;
                    texts.extend(event.data);
                }
            }
            Some(_) | None => return Ok(None),
        }
        hold(at == bytes.len(), "frames are whole", || format!("{} of {} bytes", at, bytes.len()))?;
        let mut records = Vec::new();
        for text in texts {
            match record::read(&text) {
                Ok(Said::Record(record)) => records.push(record),
                Ok(Said::Syncing(_) | Said::Synced(..) | Said::Error(_)) => {}
                Err(error) => return breach("what the broker says can be understood", error),
            }
        }
        Ok(Some(records))
    }

    fn check_record(&self, record: &Record, shard: &Shard, peer: &Peer<'_>) -> Kept {
        let Ok(key) = Key::parse(record.key.as_bytes()) else {
            return breach("no invented value", show(record));
        };
        let newest = shard.newest_rev(&key).0;
        hold(record.rev == newest, "fresh at send", || {
            format!("{} was handed out while its core knew {newest}", show(record))
        })?;
        let Some(client) = peer.client else { return Ok(()) };
        let is_settled = peer.is_caught_up && client.view.synced && client.view.pending.is_empty();
        hold(!is_settled || client.watches(&record.key), "nothing for a key not asked for", || {
            format!("{} was chosen for a viewer of {:?}", show(record), client.view.patterns)
        })?;
        // Rights are taken away with the table; time ends them when the core looks.
        let holder = client.holder;
        hold(peer.table.may_read(holder, &record.key), "who may do what", || {
            format!("{} went to holder {holder}, who may not read it", show(record))
        })
    }

    /// A key that waits lets each other key go before it once.
    fn check_turns(
        &mut self,
        records: &[Record],
        shard: &Shard,
        client: Option<&Client>,
        truth: &Truth,
    ) -> Kept {
        let went: Vec<usize> = records.iter().filter_map(|record| truth.place(&record.key)).collect();
        for (key, record) in went.iter().zip(records) {
            self.offered.insert(*key, (record.rev, record.is_live()));
            self.waiting.remove(key);
        }
        let Some(client) = client.filter(|client| client.view.synced && client.view.pending.is_empty())
        else {
            // What was not watched for a while may have been deleted unsaid.
            self.waiting.clear();
            self.offered.clear();
            return Ok(());
        };
        for key in 0..truth.keys.len() {
            let name = truth.name(key);
            let Some(offered) = self.offered.get(&key).filter(|_| client.watches(name)) else { continue };
            let Ok(parsed) = Key::parse(name.as_bytes()) else { continue };
            let (rev, was_live) = *offered;
            let newest = shard.newest(&parsed);
            // Who has a deletion need not be told of another, with what was between forgotten.
            let is_owed =
                newest.is_some_and(|newest| newest.rev().0 > rev && (was_live || !newest.is_deleted()));
            if went.contains(&key) || !is_owed {
                continue;
            }
            let before = self.waiting.entry(key).or_default();
            for other in &went {
                hold(before.insert(*other), "fair", || {
                    format!("{} went twice while {name} waited", truth.name(*other))
                })?;
            }
        }
        Ok(())
    }
}

fn read_frame(bytes: &[u8]) -> Kept<Option<(socket::Frame, usize)>> {
    socket::read(bytes).or_else(|error| breach("frames are whole", error))
}

fn read_event(bytes: &[u8]) -> Kept<Option<(events::Event, usize)>> {
    events::read(bytes).or_else(|error| breach("frames are whole", error))
}
