//! What a viewer may say on its socket, and what ends a snapshot.
//!
//! Always true: a command is whole or refused; none of its patterns counts before all are read.
//!
//! Read first: `key.rs`, `frame.rs`.

use std::borrow::Cow;

use serde::Deserialize;

use super::error::WireError;
use crate::ids::Epoch;
use crate::key::Pattern;

/// A change to what a stream watches; `unsubscribe` is done first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Patterns to watch from now on.
    pub subscribe: Vec<Pattern>,
    /// Patterns to watch no longer.
    pub unsubscribe: Vec<Pattern>,
}

/// Reads a command: a JSON object with `subscribe`, `unsubscribe` or both, each an array of patterns.
///
/// # Errors
/// [`WireError::BadMessage`] for what is no such object; [`WireError::BadKey`] for what is no pattern;
/// [`WireError::TooManyPatterns`] for an array of more than `patterns_max`.
pub fn parse(text: &str, patterns_max: usize) -> Result<Command, WireError> {
    let members: Members<'_> = serde_json::from_str(text)
        .map_err(|_| WireError::BadMessage("the message is no JSON object with arrays of keys"))?;
    if members.subscribe.is_none() && members.unsubscribe.is_none() {
        return Err(WireError::BadMessage("the message has neither `subscribe` nor `unsubscribe`"));
    }
    Ok(Command {
        subscribe: patterns(members.subscribe, patterns_max)?,
        unsubscribe: patterns(members.unsubscribe, patterns_max)?,
    })
}

/// The message that ends a snapshot: of the whole stream, or of the patterns subscribed just now.
pub fn synced(epoch: &Epoch, keys: Option<&[Pattern]>) -> Vec<u8> {
    let mut out = format!(r#"{{"synced":true,"epoch":"{}""#, epoch.as_str());
    for (at, pattern) in keys.unwrap_or_default().iter().enumerate() {
        out.push_str(if at == 0 { r#","keys":[""# } else { r#"",""# });
        // The alphabet of a pattern needs no escaping.
        out.push_str(&pattern.to_string());
    }
    out.push_str(match keys {
        Some([_, ..]) => r#""]}"#,
        Some([]) => r#","keys":[]}"#,
        None => "}",
    });
    out.into_bytes()
}

#[derive(Deserialize)]
struct Members<'t> {
    #[serde(borrow, default)]
    subscribe: Option<Vec<Cow<'t, str>>>,
    #[serde(borrow, default)]
    unsubscribe: Option<Vec<Cow<'t, str>>>,
}

fn patterns(texts: Option<Vec<Cow<'_, str>>>, patterns_max: usize) -> Result<Vec<Pattern>, WireError> {
    let texts = texts.unwrap_or_default();
    if texts.len() > patterns_max {
        return Err(WireError::TooManyPatterns(patterns_max));
    }
    texts.iter().map(|text| Pattern::parse(text.as_bytes()).map_err(WireError::BadKey)).collect()
}
