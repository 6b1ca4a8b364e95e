//! `[tokens]` in the TOML file: whose tokens are believed, and what is made of their claims.
//!
//! ```toml
//! [tokens]
//! keys = "/etc/lux/jwks.json"
//! issuer = "https://login.example"
//! audience = "lux"
//! read = ["user-{sub}-*"]
//! ```
//!
//! Always true: a grant stands in one place, a claim or templates, never in both.
//!
//! Read first: `settings/file.rs`, `access/token/claims.rs`.

use std::path::{Path, PathBuf};

use super::file::{path_of, value};
use super::units::parse_duration_ms;
use crate::access::token::{Grants, Rule, Template};
use crate::toml_lines::{Fault, Field, Table};

/// Where an identity provider's tokens say what they grant, unless told otherwise.
const CLAIM_DEFAULT: &str = "lux.read";
const DAY_MS: u64 = 86_400_000;

pub(super) const NAMES: [&str; 7] = ["keys", "issuer", "audience", "claim", "read", "longest_life", "leeway"];

/// Whose tokens are believed, beside the broker's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// Files with keys: JWKS or PEM.
    pub keys_files: Vec<PathBuf>,
    /// What is made of the claims they sign. Its longest life holds for the broker's own tokens too.
    pub rule: Rule,
}

impl Default for TokenSettings {
    fn default() -> TokenSettings {
        let rule = Rule {
            issuer: None,
            audience: None,
            grants: Grants::Claim(CLAIM_DEFAULT.to_owned()),
            longest_life_ms: DAY_MS,
            leeway_ms: 30_000,
        };
        TokenSettings { keys_files: Vec::new(), rule }
    }
}

/// Reads the table.
///
/// # Errors
/// A fault naming the line and what to write instead.
pub fn read(table: Table<'_>, home: Option<&Path>) -> Result<TokenSettings, Fault> {
    let mut tokens = TokenSettings::default();
    let (mut claim_line, mut read_field) = (None, None);
    for field in table.fields() {
        match field.name {
            "keys" => tokens.keys_files = files(&field, home)?,
            "issuer" => tokens.rule.issuer = Some(text(&field)?),
            "audience" => tokens.rule.audience = Some(text(&field)?),
            "claim" => {
                tokens.rule.grants = Grants::Claim(text(&field)?);
                claim_line = Some(field.line);
            }
            "read" => read_field = Some(field),
            "longest_life" => tokens.rule.longest_life_ms = value(&field, parse_duration_ms)?,
            "leeway" => tokens.rule.leeway_ms = value(&field, parse_duration_ms)?,
            _ => return Err(field.unknown(&NAMES)),
        }
    }
    if let Some(field) = read_field {
        if claim_line.is_some() {
            return Err(
                field.fault("a grant stands in a claim or in templates", "take out `claim` or `read`")
            );
        }
        tokens.rule.grants = Grants::Templates(templates(&field)?);
    }
    Ok(tokens)
}

fn text(field: &Field<'_>) -> Result<String, Fault> {
    match field.text()? {
        "" => Err(field.fault(format!("`{}` is empty", field.name), "write it, or take the line out")),
        text => Ok(text.to_owned()),
    }
}

fn files(field: &Field<'_>, home: Option<&Path>) -> Result<Vec<PathBuf>, Fault> {
    field.texts()?.into_iter().map(|text| path_of(field, text, home)).collect()
}

fn templates(field: &Field<'_>) -> Result<Vec<Template>, Fault> {
    let parse = |text: &str| {
        Template::parse(text).map_err(|shape| field.fault(format!("`{text}` is no template"), shape))
    };
    field.texts()?.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn tokens(text: &str) -> Result<TokenSettings, Fault> {
        file::parse(text, Some(Path::new("/home/me"))).map(|layer| layer.tokens.unwrap())
    }

    #[test]
    fn a_whole_table_is_read() {
        let found = tokens(
            "[tokens]\nkeys = [\"~/a.pem\", \"/b.json\"]\nissuer = \"i\"\naudience = \"a\"\n\
             read = [\"user-{sub}-*\", \"news\"]\nlongest_life = \"2h\"\nleeway = \"5s\"\n",
        )
        .unwrap();
        assert_eq!(found.keys_files, [PathBuf::from("/home/me/a.pem"), PathBuf::from("/b.json")]);
        let rule = found.rule;
        assert_eq!((rule.issuer.as_deref(), rule.audience.as_deref()), (Some("i"), Some("a")));
        assert_eq!((rule.longest_life_ms, rule.leeway_ms), (7_200_000, 5_000));
        assert!(matches!(rule.grants, Grants::Templates(templates) if templates.len() == 2));
        assert_eq!(tokens("[tokens]\n"), Ok(TokenSettings::default()));
    }

    #[test]
    fn each_mistake_names_its_line() {
        for (text, line, hint) in [
            ("[tokens]\nkey = \"a\"\n", 2, "`keys`"),
            ("[tokens]\nissuer = \"\"\n", 2, "take the line out"),
            ("[tokens]\nread = [\"a {b\"]\n", 2, "user-{sub}-*"),
            ("[tokens]\nread = [\"a\"]\n\nclaim = \"scope\"\n", 2, "take out"),
            ("[tokens]\nlongest_life = 3600\n", 2, "20s"),
            ("tokens = 3\n", 1, "[tokens]"),
        ] {
            let fault = tokens(text).unwrap_err();
            assert_eq!(fault.line, line, "{text}{fault}");
            assert!(fault.remedy.contains(hint), "{text}{fault}");
        }
    }
}
