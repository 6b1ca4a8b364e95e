//! What a viewer may say on its socket, and what begins and ends a snapshot.
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
    /// Patterns to watch from now on. Even none at all are answered, if the message says so.
    pub subscribe: Option<Vec<Pattern>>,
    /// Patterns to watch no longer.
    pub unsubscribe: Vec<Pattern>,
}

/// Reads a command: a JSON object with `subscribe`, `unsubscribe` or both, each an array of patterns.
///
/// # Errors
/// [`WireError::BadMessage`] for what is no such object; [`WireError::BadKey`] for what is no pattern;
/// [`WireError::TooManyPatterns`] for an array of more than `patterns_max`.
pub fn parse(text: &str, patterns_max: usize) -> Result<Command, WireError> {
    const NO_OBJECT: WireError = WireError::BadMessage("the message is no JSON object with arrays of keys");
    // Derived code would take an array for the object, too.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(NO_OBJECT);
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| NO_OBJECT)?;
    if members.subscribe.is_none() && members.unsubscribe.is_none() {
        return Err(WireError::BadMessage("the message has neither `subscribe` nor `unsubscribe`"));
    }
    Ok(Command {
        subscribe: members.subscribe.map(|texts| patterns(&texts, patterns_max)).transpose()?,
        unsubscribe: patterns(&members.unsubscribe.unwrap_or_default(), patterns_max)?,
    })
}

/// The message that begins the snapshot of patterns that were given up before: what comes ahead of it is not of it.
pub fn syncing(epoch: &Epoch, keys: &[Pattern]) -> Vec<u8> {
    with_keys("syncing", epoch, Some(keys))
}

/// The message that ends a snapshot: of the whole stream, or of the patterns subscribed just now.
pub fn synced(epoch: &Epoch, keys: Option<&[Pattern]>) -> Vec<u8> {
    with_keys("synced", epoch, keys)
}

fn with_keys(word: &str, epoch: &Epoch, keys: Option<&[Pattern]>) -> Vec<u8> {
    let mut out = format!(r#"{{"{word}":true,"epoch":"{}""#, epoch.as_str());
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

fn patterns(texts: &[Cow<'_, str>], patterns_max: usize) -> Result<Vec<Pattern>, WireError> {
    if texts.len() > patterns_max {
        return Err(WireError::TooManyPatterns(patterns_max));
    }
    texts.iter().map(|text| Pattern::parse(text.as_bytes()).map_err(WireError::BadKey)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyError;

    fn patterns_of(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text.as_bytes()).unwrap()).collect()
    }

    fn read(text: &str) -> Result<(Vec<String>, Vec<String>), WireError> {
        let texts = |patterns: Vec<Pattern>| patterns.iter().map(Pattern::to_string).collect();
        parse(text, 3)
            .map(|command| (texts(command.subscribe.unwrap_or_default()), texts(command.unsubscribe)))
    }

    #[test]
    fn commands_name_patterns() {
        for (text, subscribe, unsubscribe) in [
            (r#"{"subscribe":["c"]}"#, vec!["c"], vec![]),
            (r#"{"unsubscribe":["a"]}"#, vec![], vec!["a"]),
            (
                r#" {"unsubscribe":["a","*"],"x":[{}],"subscribe":["device-*","b","b"]} "#,
                vec!["device-*", "b", "b"],
                vec!["a", "*"],
            ),
            (r#"{"subscribe":[]}"#, vec![], vec![]),
            (r#"{"sub\u0073cribe":["\u0061"]}"#, vec!["a"], vec![]),
        ] {
            let expected = (
                subscribe.iter().map(|t| t.to_string()).collect(),
                unsubscribe.iter().map(|t| t.to_string()).collect(),
            );
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_command_says_so() {
        for text in [
            "",
            " ",
            "hello",
            "7",
            "[]",
            "{}",
            r#"{"x":1}"#,
            r#"{"subscribe":"a"}"#,
            r#"{"subscribe":[1]}"#,
            r#"{"subscribe":{}}"#,
            r#"{"subscribe":null}"#,
            r#"{"subscribe":["a"]"#,
            r#"{"subscribe":["a"]} x"#,
            r#"{"subscribe":["a"],"subscribe":["b"]}"#,
            r#"["subscribe"]"#,
            r#"[["a"],["b"]]"#,
            r#"{"subscribe":["\ud800"]}"#,
        ] {
            assert!(matches!(read(text), Err(WireError::BadMessage(_))), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn a_command_is_whole_or_refused() {
        assert_eq!(read(r#"{"subscribe":["a","b/c"]}"#), Err(WireError::BadKey(KeyError::Character)));
        assert_eq!(
            read(r#"{"subscribe":["a"],"unsubscribe":[""]}"#),
            Err(WireError::BadKey(KeyError::Empty))
        );
        assert_eq!(read(r#"{"subscribe":["a","b","c","d"]}"#), Err(WireError::TooManyPatterns(3)));
        assert_eq!(read(r#"{"unsubscribe":["","","",""]}"#), Err(WireError::TooManyPatterns(3)));
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(&deep), Err(WireError::BadMessage(_))));
    }

    #[test]
    fn synced_names_its_epoch_and_its_keys() {
        let epoch = Epoch::from_bits(0);
        let text = |keys: Option<&[Pattern]>| String::from_utf8(synced(&epoch, keys)).unwrap();
        assert_eq!(text(None), r#"{"synced":true,"epoch":"000000000000"}"#);
        assert_eq!(text(Some(&[])), r#"{"synced":true,"epoch":"000000000000","keys":[]}"#);
        assert_eq!(
            text(Some(&patterns_of(&["a", "device-*"]))),
            r#"{"synced":true,"epoch":"000000000000","keys":["a","device-*"]}"#
        );
        assert_eq!(
            String::from_utf8(syncing(&epoch, &patterns_of(&["a", "device-*"]))).unwrap(),
            r#"{"syncing":true,"epoch":"000000000000","keys":["a","device-*"]}"#
        );
    }
}
