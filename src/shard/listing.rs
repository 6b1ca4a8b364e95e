//! A page of keys: every core's part, put together in bytewise order.
//!
//! Always true: following `next` from page to page passes every key that was there all along exactly once.
//! A core that had more than it sent sets a horizon: nothing behind it goes into this page.
//!
//! Read first: `conn/waiting.rs`.

use bytes::Bytes;

use crate::conn::call::{Format, Listing, Reply};
use crate::conn::waiting::Waiting;
use crate::ids::{ConnId, Epoch};
use crate::key::Key;
use crate::limits::LIST_BYTES_MAX;
use crate::shard::Shard;
use crate::shard::contract::PeerMessage;
use crate::wire::record::Record;

impl Shard {
    pub(super) fn begin_list(&mut self, id: ConnId, listing: Listing, format: Format) {
        let remaining = usize::from(self.owner.shards());
        let (records, more) = self.list_part(&listing);
        for other in self.owner.others(self.id) {
            self.tell(other, PeerMessage::List { ticket: id, listing: listing.clone() });
        }
        let waiting = Waiting::List { format, listing, remaining, records: Vec::new(), horizon: None };
        self.wait(id, waiting);
        self.listed(id, records, more);
    }

    /// This core's part of a page, and whether it has more after it.
    pub(super) fn list_part(&self, listing: &Listing) -> (Vec<(Key, Record)>, bool) {
        let after = listing.after.as_deref().unwrap_or_default();
        let entries = self.store.with_prefix_after(&listing.prefix, after).map(|(_, entry)| entry);
        let mut records = Vec::new();
        let mut bytes = 0;
        for entry in entries.filter(|entry| entry.owned) {
            let Some(record) = entry.live() else { continue };
            if records.len() == listing.limit || bytes > LIST_BYTES_MAX {
                return (records, true);
            }
            bytes += if listing.with_data { record.json_len() } else { 0 };
            records.push((entry.key.clone(), record.clone()));
        }
        (records, false)
    }

    /// One core's part is here.
    pub(super) fn listed(&mut self, id: ConnId, part: Vec<(Key, Record)>, has_more: bool) {
        let Some(mut waiting) = self.take_waiting(id) else { return };
        if let Waiting::List { remaining, records, horizon, .. } = &mut waiting {
            *remaining -= 1;
            if let Some((last, _)) = part.last().filter(|_| has_more)
                && horizon.as_ref().is_none_or(|horizon| last < horizon)
            {
                *horizon = Some(last.clone());
            }
            records.extend(part);
        }
        match waiting {
            Waiting::List { format, listing, remaining: 0, records, horizon } => {
                let json = page(&self.house.epoch, &listing, records, horizon);
                self.answer_late(id, &Reply::Page(Bytes::from(json)), &format);
            }
            unfinished => self.wait(id, unfinished),
        }
    }
}

fn page(epoch: &Epoch, listing: &Listing, mut records: Vec<(Key, Record)>, horizon: Option<Key>) -> Vec<u8> {
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    let within =
        horizon.as_ref().map_or(records.len(), |horizon| records.partition_point(|(key, _)| key <= horizon));
    let mut next = None;
    let mut out = format!("{{\"epoch\":\"{}\",\"records\":[", epoch.as_str()).into_bytes();
    let mut written = 0;
    for (key, record) in &records[..within] {
        if written == listing.limit || out.len() > LIST_BYTES_MAX {
            break;
        }
        if written > 0 {
            out.push(b',');
        }
        match listing.with_data {
            true => out.extend_from_slice(&record.json()),
            false => record.write_without_data(key, &mut out),
        }
        written += 1;
        next = Some(key);
    }
    out.push(b']');
    if let Some(next) = next.filter(|_| written < records.len() || horizon.is_some()) {
        out.extend_from_slice(format!(",\"next\":\"{next}\"").as_bytes());
    }
    out.push(b'}');
    out
}
