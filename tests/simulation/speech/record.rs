//! Records and the other JSON that the broker says, as a client reads them.
//!
//! Always true: the text of a state is kept byte for byte.
//!
//! Read first: `speech/mod.rs`.

use serde::Deserialize;
use serde_json::value::RawValue;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// Its revision.
    pub rev: u64,
    /// When it was written.
    pub updated_at: u64,
    /// Its state, as text; nothing where a listing leaves it out.
    pub data: Option<String>,
    /// Whether it says that the state was deleted.
    pub deleted: bool,
    /// All of it.
    pub text: Vec<u8>,
}

impl Record {
    /// Whether it has a state.
    pub fn is_live(&self) -> bool {
        !self.deleted && self.rev > 0
    }
}

/// What stands in a text of the broker.
pub enum Said {
    /// A record.
    Record(Record),
    /// The beginning of the snapshot of these patterns.
    Syncing(Vec<String>),
    /// The end of a snapshot: the epoch, and the patterns where they are named.
    Synced(String, Option<Vec<String>>),
    /// An error's code.
    Error(String),
}

#[derive(Deserialize)]
struct Members<'t> {
    key: Option<String>,
    rev: Option<u64>,
    #[serde(rename = "updatedAt")]
    updated_at: Option<u64>,
    #[serde(borrow, default)]
    data: Option<&'t RawValue>,
    deleted: Option<bool>,
    syncing: Option<bool>,
    synced: Option<bool>,
    epoch: Option<String>,
    keys: Option<Vec<String>>,
    error: Option<String>,
}

/// Reads what the broker said.
pub fn read(text: &[u8]) -> Result<Said, String> {
    let show = || String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    let members: Members<'_> =
        serde_json::from_slice(text).map_err(|error| format!("{error}: {}", show()))?;
    match members {
        Members { key: Some(key), rev: Some(rev), updated_at: Some(updated_at), data, deleted, .. } => {
            let data = data.map(|raw| raw.get().to_owned());
            let deleted = deleted.unwrap_or(false);
            let null = "null".to_owned();
            // An `Option` takes `null` for nothing, and a record without a state says `null`.
            let data = if contains(text, br#","data":"#) { data.or(Some(null)) } else { data };
            Ok(Said::Record(Record { key, rev, updated_at, data, deleted, text: text.to_vec() }))
        }
        Members { syncing: Some(true), keys: Some(keys), .. } => Ok(Said::Syncing(keys)),
        Members { synced: Some(true), epoch: Some(epoch), keys, .. } => Ok(Said::Synced(epoch, keys)),
        Members { error: Some(error), .. } => Ok(Said::Error(error)),
        _ => Err(format!("neither record nor anything else: {}", show())),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Reads a page of a listing: its epoch, its records, the key after which the next begins.
pub fn read_page(text: &[u8]) -> Result<(String, Vec<Record>, Option<String>), String> {
    #[derive(Deserialize)]
    struct Page<'t> {
        epoch: String,
        #[serde(borrow)]
        records: Vec<&'t RawValue>,
        next: Option<String>,
    }
    let page: Page<'_> = serde_json::from_slice(text).map_err(|error| format!("a page: {error}"))?;
    let mut records = Vec::with_capacity(page.records.len());
    for raw in page.records {
        match read(raw.get().as_bytes())? {
            Said::Record(record) => records.push(record),
            Said::Syncing(_) | Said::Synced(..) | Said::Error(_) => {
                return Err("a page with something else".into());
            }
        }
    }
    Ok((page.epoch, records, page.next))
}
