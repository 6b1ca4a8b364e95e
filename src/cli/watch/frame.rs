//! What the broker says on a stream: one text frame to one value.
//!
//! Always true: a record keeps the text it came in, since that is what is printed.
//!
//! Read first: the contract's "Streams".

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A state, or its deletion.
    Record(Record),
    /// The snapshot is complete.
    Synced {
        /// The epoch that its revisions belong to.
        epoch: String,
    },
    /// The broker has something to say about what we sent.
    Said(String),
}

/// A record as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: String,
    /// Its revision; 0 if this epoch never had a state.
    pub rev: u64,
    /// The broker's clock, Unix milliseconds.
    pub updated_at_ms: u64,
    /// The state's JSON text.
    pub data: String,
    /// Whether this is the key's deletion.
    pub deleted: bool,
    /// The whole frame.
    pub text: String,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(default)]
    rev: u64,
    #[serde(default, rename = "updatedAt")]
    updated_at_ms: u64,
    // A `null` arrives as none, which is the same to us.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    synced: bool,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// Reads a text frame; `None` for one of a kind that this version does not know, which is skipped.
pub fn parse(text: &str) -> Option<Frame> {
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    if let Some(key) = members.key {
        return Some(Frame::Record(Record {
            key: key.into_owned(),
            rev: members.rev,
            updated_at_ms: members.updated_at_ms,
            data: members.data.map_or("null", RawValue::get).to_owned(),
            deleted: members.deleted,
            text: text.to_owned(),
        }));
    }
    if members.synced {
        return Some(Frame::Synced { epoch: members.epoch.unwrap_or_default().into_owned() });
    }
    members.message.map(|message| Frame::Said(message.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_from_the_others() {
        let text =
            "{\"key\":\"a\",\"rev\":7,\"updatedAt\":1782000000123,\"data\":{\"n\":1.0,\"synced\":true}}";
        let Some(Frame::Record(record)) = parse(text) else { panic!("a record") };
        assert_eq!((record.key.as_str(), record.rev, record.updated_at_ms), ("a", 7, 1_782_000_000_123));
        assert_eq!((record.data.as_str(), record.text.as_str()), ("{\"n\":1.0,\"synced\":true}", text));
        let gone = "{\"key\":\"a\",\"rev\":8,\"updatedAt\":1,\"data\":null,\"deleted\":true}";
        assert!(matches!(parse(gone), Some(Frame::Record(Record { deleted: true, .. }))));
        assert_eq!(
            parse("{\"synced\":true,\"epoch\":\"e1\"}"),
            Some(Frame::Synced { epoch: "e1".to_owned() })
        );
        assert_eq!(
            parse("{\"error\":\"bad_message\",\"message\":\"no\"}"),
            Some(Frame::Said("no".to_owned()))
        );
        assert_eq!((parse("{}"), parse("[1]"), parse("")), (None, None, None));
    }
}
