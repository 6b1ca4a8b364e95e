//! The file that API keys are kept in: TOML to entries and back.
//!
//! ```toml
//! [[key]]
//! name = "wall"
//! sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
//! read = ["dashboard-*"]
//! write = []
//! expires = "2027-01-01T00:00:00Z"
//! ```
//!
//! Always true: names are unique, and so are hashes; what the operator wrote beside the entries (remarks,
//! order) outlives [`with_added`] and [`without`]. No secret is in it.
//!
//! Read first: `access/mod.rs`, `toml_lines.rs`.

use std::time::{Duration, UNIX_EPOCH};

use toml::value::{Datetime, Offset};

use super::{Grant, KeyEntry, SecretHash};
use crate::key::Pattern;
use crate::toml_lines::{Document, Fault, Field, Table};

const HEADER: &str = "# API keys of a Lux broker. Only hashes are kept: a lost key cannot be read from here.\n\
    # Change it with `lux key add` and `lux key revoke`, then reload the broker (SIGHUP).\n";

const FIELDS: [&str; 5] = ["name", "sha256", "read", "write", "expires"];

/// Reads the file's text; an empty one has no keys.
///
/// # Errors
/// A fault naming the line and what to write instead.
pub fn parse(text: &str) -> Result<Vec<KeyEntry>, Fault> {
    Ok(parse_with_lines(text)?.into_iter().map(|(_, entry)| entry).collect())
}

/// The whole text of a file with these entries.
pub fn serialise(entries: &[KeyEntry]) -> String {
    entries.iter().fold(HEADER.to_owned(), |text, entry| text + "\n" + &entry_text(entry))
}

/// The text with one entry more.
///
/// # Errors
/// As [`parse`], of the text as it was.
pub fn with_added(text: &str, entry: KeyEntry) -> Result<String, Fault> {
    let mut entries = parse(text)?;
    let base = if text.trim().is_empty() { HEADER } else { text.trim_end() };
    let longer = format!("{}\n\n{}", base.trim_end(), entry_text(&entry));
    entries.push(entry);
    Ok(if parse(&longer).as_ref() == Ok(&entries) { longer } else { serialise(&entries) })
}

/// The text without the entry of this name; `None` if there is none.
///
/// # Errors
/// As [`parse`], of the text as it was.
pub fn without(text: &str, name: &str) -> Result<Option<String>, Fault> {
    let entries = parse_with_lines(text)?;
    let Some((line, _)) = entries.iter().find(|(_, entry)| entry.name == name) else { return Ok(None) };
    let shorter = cut_entry(text, *line);
    let rest: Vec<KeyEntry> =
        entries.into_iter().map(|(_, entry)| entry).filter(|entry| entry.name != name).collect();
    // Keys may also be written as one inline array; cutting lines cannot serve that, so the cut is checked.
    Ok(Some(if parse(&shorter).as_ref() == Ok(&rest) { shorter } else { serialise(&rest) }))
}

/// A point in time as RFC 3339, to the second, in UTC.
pub fn format_time(unix_ms: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(unix_ms)).to_string()
}

/// Unix milliseconds of an RFC 3339 time with an offset; `None` if it is none.
pub fn parse_time(text: &str) -> Option<u64> {
    let parsed: Datetime = text.parse().ok()?;
    let offset_minutes = match parsed.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let utc_text = format!("{}T{}Z", parsed.date?, parsed.time?);
    let local = humantime::parse_rfc3339(&utc_text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let local_ms = i64::try_from(local.as_millis()).ok()?;
    u64::try_from(local_ms - offset_minutes * 60_000).ok()
}

fn parse_with_lines(text: &str) -> Result<Vec<(usize, KeyEntry)>, Fault> {
    let document = Document::parse(text)?;
    let mut entries: Vec<(usize, KeyEntry)> = Vec::new();
    for field in document.root().fields() {
        if field.name != "key" {
            return Err(field.unknown(&["key"]));
        }
        for table in field.tables()? {
            let entry = parse_entry(table)?;
            if let Some((line, _)) = entries.iter().find(|(_, known)| known.name == entry.name) {
                let message = format!("line {line} has a key `{}` already", entry.name);
                return Err(table.fault(message, "give each key its own name"));
            }
            if let Some((line, _)) = entries.iter().find(|(_, known)| known.hash == entry.hash) {
                let message = format!("line {line} has the same sha256");
                return Err(table.fault(message, "join the two entries into one"));
            }
            entries.push((table.line(), entry));
        }
    }
    Ok(entries)
}

fn parse_entry(table: Table<'_>) -> Result<KeyEntry, Fault> {
    let (mut name, mut hash, mut grant, mut expires_at_ms) = (None, None, Grant::default(), None);
    for field in table.fields() {
        match field.name {
            "name" => name = Some(parse_name(&field)?),
            "sha256" => hash = Some(parse_hash(&field)?),
            "read" => grant.read = parse_patterns(&field)?,
            "write" => grant.write = parse_patterns(&field)?,
            "expires" => expires_at_ms = Some(parse_expiry(&field)?),
            _ => return Err(field.unknown(&FIELDS)),
        }
    }
    let name = name.ok_or_else(|| table.fault("a key without a name", "add a line as name = \"wall\""))?;
    let hash = hash.ok_or_else(|| {
        table
            .fault(format!("the key `{name}` has no sha256"), "make keys with `lux key add`, which writes it")
    })?;
    Ok(KeyEntry { name, hash, grant, expires_at_ms })
}

/// Says what is wrong with a key's name; names end up in logs and tables.
///
/// # Errors
/// What a name is made of.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_alphanumeric() || "._~:@+- ".contains(c);
    let edges = name.starts_with(' ') || name.ends_with(' ') || name.starts_with('-');
    if name.is_empty() || name.len() > 64 || edges || !name.chars().all(fits) {
        return Err("a key's name has 1 to 64 letters, digits, spaces or any of . _ ~ : @ + -");
    }
    Ok(())
}

fn parse_name(field: &Field<'_>) -> Result<String, Fault> {
    let name = field.text()?;
    check_name(name).map_err(|shape| field.fault("this cannot be a key's name", shape))?;
    Ok(name.to_owned())
}

fn parse_hash(field: &Field<'_>) -> Result<SecretHash, Fault> {
    let wrong =
        || field.fault("sha256 is not 64 hex digits", "make keys with `lux key add`, which writes it");
    let text = field.text()?.as_bytes();
    let mut hash = SecretHash::default();
    if text.len() != 2 * hash.len() {
        return Err(wrong());
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_chunks::<2>().0) {
        *byte = digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?;
    }
    Ok(hash)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn parse_patterns(field: &Field<'_>) -> Result<Vec<Pattern>, Fault> {
    let parse = |text: &str| {
        let message =
            |why| field.fault(format!("`{text}` is no key pattern"), format!("{why}, with * at its end"));
        Pattern::parse(text.as_bytes()).map_err(message)
    };
    field.texts()?.into_iter().map(parse).collect()
}

fn parse_expiry(field: &Field<'_>) -> Result<u64, Fault> {
    let remedy = "write it as \"2027-01-31T23:59:59Z\"";
    parse_time(&field.text_or_plain()?)
        .ok_or_else(|| field.fault("`expires` is no time that RFC 3339 knows", remedy))
}

fn entry_text(entry: &KeyEntry) -> String {
    let hex: String = entry.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    // Names and patterns have no character that TOML or Rust would escape.
    let list = |patterns: &[Pattern]| {
        patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect::<Vec<_>>().join(", ")
    };
    let expires = entry.expires_at_ms.map(|end| format!("expires = \"{}\"\n", format_time(end)));
    format!(
        "[[key]]\nname = \"{}\"\nsha256 = \"{hex}\"\nread = [{}]\nwrite = [{}]\n{}",
        entry.name,
        list(&entry.grant.read),
        list(&entry.grant.write),
        expires.unwrap_or_default(),
    )
}

/// Drops the lines of the entry that begins on `line`; remarks above the next entry belong to that one.
fn cut_entry(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = line - 1;
    let next_header = |line: &&str| line.trim_start().starts_with('[');
    let after = lines[first..].iter().skip(1).position(next_header).map_or(lines.len(), |at| first + 1 + at);
    let is_content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let last = lines[first..after].iter().rposition(is_content).map_or(first, |at| first + at);
    let blank = lines.get(last + 1).is_some_and(|line| line.trim().is_empty());
    let rest = last + 1 + usize::from(blank);
    lines[..first].iter().chain(&lines[rest.min(lines.len())..]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::super::hash;
    use super::*;

    fn entry(name: &str, expires_at_ms: Option<u64>) -> KeyEntry {
        let patterns =
            |texts: &[&str]| texts.iter().map(|text| Pattern::parse(text.as_bytes()).unwrap()).collect();
        let grant = Grant { read: patterns(&["*"]), write: patterns(&["device-*", "dashboard-main"]) };
        KeyEntry { name: name.to_owned(), hash: hash(name), grant, expires_at_ms }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let entries = vec![entry("wall", None), entry("guest", Some(1_798_761_600_000))];
        let text = serialise(&entries);
        assert!(text.contains("expires = \"2027-01-01T00:00:00Z\""), "{text}");
        assert_eq!(parse(&text), Ok(entries));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn times_with_an_offset_are_the_same_moment() {
        let noon = parse_time("2027-01-01T12:00:00Z").unwrap();
        assert_eq!(parse_time("2027-01-01T14:30:00+02:30"), Some(noon));
        assert_eq!(parse_time("2027-01-01 12:00:00.250Z"), Some(noon + 250));
        for wrong in ["2027-01-01T12:00:00", "2027-01-01", "tomorrow", "2027-02-30T00:00:00Z", ""] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
        let bare = serialise(&[entry("wall", None)]) + "expires = 2027-01-01T12:00:00Z\n";
        assert_eq!(parse(&bare).unwrap()[0].expires_at_ms, Some(noon));
    }

    #[test]
    fn faults_name_the_line_and_what_to_write() {
        let hex = "ab".repeat(32);
        let head = format!("[[key]]\nname = \"a\"\nsha256 = \"{hex}\"\n");
        for (text, line, hint) in [
            ("[[key]]\nname = \"a\"\n".to_owned(), 1, "lux key add"),
            (format!("[[key]]\nsha256 = \"{hex}\"\n"), 1, "name ="),
            ("[[key]]\nname = \"a\"\nsha256 = \"beef\"\n".to_owned(), 3, "lux key add"),
            (format!("{head}raed = [\"*\"]\n"), 4, "`read`"),
            (format!("{head}read = [\"a b\"]\n"), 4, "A-Z"),
            (format!("{head}expires = \"soon\"\n"), 4, "2027-01-31T23:59:59Z"),
            (format!("{head}\n{head}"), 5, "own name"),
            (format!("{head}\n[[key]]\nname = \"b\"\nsha256 = \"{hex}\"\n"), 5, "join"),
            ("[[keys]]\n".to_owned(), 1, "`key`"),
            ("[[key]]\nname = \"a\n".to_owned(), 2, "quotes"),
        ] {
            let fault = parse(&text).unwrap_err();
            assert_eq!(fault.line, line, "{text}{fault}");
            assert!(fault.remedy.contains(hint), "{text}{fault}");
        }
    }

    #[test]
    fn what_the_operator_wrote_stays() {
        let text = format!(
            "# ours\n{}\n# for the hall\n{}",
            entry_text(&entry("a", None)),
            entry_text(&entry("b", None))
        );
        let longer = with_added(&text, entry("c", None)).unwrap();
        assert!(longer.starts_with(text.trim_end()) && parse(&longer).unwrap().len() == 3, "{longer}");
        let shorter = without(&longer, "a").unwrap().unwrap();
        assert!(
            shorter.contains("# ours\n") && shorter.contains("# for the hall\n[[key]]\nname = \"b\""),
            "{shorter}"
        );
        assert_eq!(parse(&shorter), Ok(vec![entry("b", None), entry("c", None)]));
        assert_eq!(without(&shorter, "a"), Ok(None));
        let last = without(&without(&shorter, "c").unwrap().unwrap(), "b").unwrap().unwrap();
        assert_eq!(parse(&last), Ok(vec![]));
    }

    #[test]
    fn keys_in_an_inline_array_are_changed_as_well() {
        let item = |name: &str| format!("{{ name = \"{name}\", sha256 = \"{}\" }}", hash_hex(name));
        let text = format!("key = [{}, {}]\n", item("a"), item("b"));
        let longer = with_added(&text, entry("c", None)).unwrap();
        let names = |text: &str| parse(text).unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(names(&longer), ["a", "b", "c"]);
        assert_eq!(names(&without(&text, "a").unwrap().unwrap()), ["b"]);
    }

    fn hash_hex(name: &str) -> String {
        hash(name).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
