//! Records, `synced` notices and errors, as the contract writes them.
//!
//! Always true: a record that parses here has exactly the members of the contract, in its order, and its
//! text is kept, so that two of them can be compared byte for byte.
//!
//! Read first: `harness/mod.rs`.

use serde_json::Value;
use serde_json::value::RawValue;

/// One record of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The name.
    pub key: String,
    /// The revision.
    pub rev: u64,
    /// Unix milliseconds.
    pub updated_at: u64,
    /// The state's text.
    pub data: String,
    /// Whether it is a deletion.
    pub deleted: bool,
    /// All of it, as it came.
    pub text: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fields<'a> {
    key: String,
    rev: u64,
    updated_at: u64,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    deleted: bool,
}

impl Record {
    /// Reads one, and checks the encoding to the byte.
    #[track_caller]
    pub fn parse(text: &str) -> Record {
        let fields: Fields = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why} in {text}"));
        let Fields { key, rev, updated_at, data, deleted } = fields;
        let tail = if deleted { ",\"deleted\":true" } else { "" };
        let written = format!(
            "{{\"key\":\"{key}\",\"rev\":{rev},\"updatedAt\":{updated_at},\"data\":{}{tail}}}",
            data.get()
        );
        assert_eq!(text, written, "the one encoding of a record");
        assert!(!deleted || data.get() == "null", "a deletion has no state: {text}");
        Record { key, rev, updated_at, data: data.get().to_string(), deleted, text: text.to_string() }
    }

    /// The state as a number.
    #[track_caller]
    pub fn number(&self) -> u64 {
        self.data.parse().unwrap_or_else(|_| panic!("no number: {}", self.text))
    }

    /// The state as a value.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.data).expect("a state is JSON")
    }
}

/// `{"synced":true,"epoch":"…"}`, with `keys` where it answers a `subscribe`; and `syncing`, which begins that answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    /// The epoch.
    pub epoch: String,
    /// The patterns that were subscribed to; empty for the first one.
    pub keys: Vec<String>,
}

impl Synced {
    /// Reads one.
    #[track_caller]
    pub fn parse(text: &str, word: &str) -> Synced {
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(value[word], true, "{text}");
        let epoch = value["epoch"].as_str().unwrap_or_else(|| panic!("no epoch in {text}")).to_string();
        assert!(!epoch.is_empty() && !epoch.contains(['.', '"']), "epoch {epoch:?}");
        let keys = value.get("keys").map(|keys| {
            let keys = keys.as_array().unwrap_or_else(|| panic!("keys in {text}")).iter();
            keys.map(|key| key.as_str().expect("a pattern").to_string()).collect()
        });
        Synced { epoch, keys: keys.unwrap_or_default() }
    }
}

/// `{"error":"…","message":"…"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// The short code.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Trouble {
    /// Reads one.
    #[track_caller]
    pub fn parse(text: &str) -> Trouble {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why} in {text}"));
        let member = |name: &str| match value[name].as_str() {
            Some(text) if !text.is_empty() => text.to_string(),
            _ => panic!("no {name} in {text}"),
        };
        let trouble = Trouble { code: member("error"), message: member("message") };
        assert!(!trouble.code.contains(' '), "a code is one word: {text}");
        trouble
    }

    /// Checks that the message names this limit.
    #[track_caller]
    pub fn names(&self, limit: impl ToString) {
        let digits: String = self.message.chars().filter(|c| !matches!(c, ',' | '_')).collect();
        assert!(digits.contains(&limit.to_string()), "{} is not named in {self:?}", limit.to_string());
    }
}
