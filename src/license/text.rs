//! The license file: text to [`Terms`] and back, with a signature under it.
//!
//! ```text
//! lux-license 1
//! id = lux-7f3k2m9q
//! customer = Example GmbH
//! entitlement = production
//! tier = team
//! issued = 2026-11-22T12:00:00Z
//! expires = 2027-11-22T12:00:00Z
//! contact = help@vendor.example
//! signature = <128 hex digits>
//! ```
//!
//! Always true: the signature covers every byte above its own line, names that this version does not know
//! included, and is looked at before any of them is believed. One byte more, less or other is refused.
//!
//! Read first: `terms.rs`, `license/vendor.rs`.

use std::fmt;

use super::vendor::{SIGNATURE_BYTES, SigningKey, VendorKey, from_hex, to_hex};
use crate::access::keyfile::{format_time, parse_time};
use crate::terms::Terms;

/// A file larger than this is no license.
pub const FILE_BYTES_MAX: usize = 16 * 1024;

const TITLE: &str = "lux-license";
const VERSION: &str = "1";
const SIGNATURE_NAME: &str = "signature";
const SIGNATURE: &str = "signature = ";
/// Signed in front of the text, so that no signature made for anything else is one for a license.
const DOMAIN: &[u8] = b"lux license file, version 1\0";
const VALUE_CHARACTERS_MAX: usize = 200;
const WORD_BYTES_MAX: usize = 64;

/// Why some bytes are no license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More than [`FILE_BYTES_MAX`].
    TooLarge,
    /// Not UTF-8.
    NotText,
    /// Its first line is not that of a license.
    NoLicense,
    /// Of a version that this Lux does not know.
    OtherVersion(String),
    /// It does not end with a signature and a line feed.
    Unsigned,
    /// It says something else than what was signed, or another key signed it.
    NotTheVendors,
    /// A line, counted from 1, that is signed and still cannot be right.
    Line(usize, &'static str),
    /// A line, counted from 1, with a name that stands above already.
    Twice(usize),
    /// A name that a license must have.
    Missing(&'static str),
    /// It ends before it begins.
    NoTime,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooLarge => write!(f, "it is larger than any license"),
            Refusal::NotText => write!(f, "it is not text"),
            Refusal::NoLicense => write!(f, "its first line is not `{TITLE} {VERSION}`"),
            Refusal::OtherVersion(version) => {
                write!(
                    f,
                    "it is a license of version `{}`, and this Lux knows {VERSION}",
                    version.escape_debug()
                )
            }
            Refusal::Unsigned => write!(f, "it does not end with a whole signature: it was cut or changed"),
            Refusal::NotTheVendors => {
                write!(f, "its signature does not fit: it was changed, or made with another key")
            }
            Refusal::Line(line, why) => write!(f, "line {line}: {why}"),
            Refusal::Twice(line) => write!(f, "line {line}: this name stands above already"),
            Refusal::Missing(name) => write!(f, "it says nothing about `{name}`"),
            Refusal::NoTime => write!(f, "it ends before it begins"),
        }
    }
}

/// Reads a license that this vendor signed.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(bytes: &[u8], vendor: &VendorKey) -> Result<Terms, Refusal> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    let text = str::from_utf8(bytes).map_err(|_| Refusal::NotText)?;
    let (first, _) = text.split_once('\n').ok_or(Refusal::NoLicense)?;
    match first.split_once(' ') {
        Some((TITLE, VERSION)) => {}
        Some((TITLE, version)) => return Err(Refusal::OtherVersion(version.to_owned())),
        Some(_) | None => return Err(Refusal::NoLicense),
    }
    let (body, signature) = take_apart(text).ok_or(Refusal::Unsigned)?;
    if !vendor.has_signed(&message(body), &signature) {
        return Err(Refusal::NotTheVendors);
    }
    read_fields(body)
}

/// The whole file of a license, signed.
///
/// # Errors
/// What of the terms cannot stand in one.
pub fn write(terms: &Terms, key: &SigningKey) -> Result<String, Refusal> {
    let times = [format_time(terms.issued_at_ms), format_time(terms.expires_at_ms)];
    let [issued, expires] = &times;
    let own = [
        ("id", &terms.id),
        ("customer", &terms.customer),
        ("entitlement", &terms.entitlement),
        ("tier", &terms.tier),
        ("issued", issued),
        ("expires", expires),
        ("contact", &terms.contact),
    ];
    let others = terms.others.iter().map(|(name, value)| (name.as_str(), value));
    let mut body = format!("{TITLE} {VERSION}\n");
    for (line, (name, value)) in (2..).zip(own.into_iter().chain(others)) {
        // A value with a line feed in it would be two lines, and the second one anything.
        check_value(value).map_err(|why| Refusal::Line(line, why))?;
        body.push_str(&format!("{name} = {value}\n"));
    }
    // What cannot be read again must not be signed.
    read_fields(&body)?;
    let signature = to_hex(&key.sign(&message(&body)));
    Ok(format!("{body}{SIGNATURE}{signature}\n"))
}

fn message(body: &str) -> Vec<u8> {
    [DOMAIN, body.as_bytes()].concat()
}

/// What is signed, and the signature.
fn take_apart(text: &str) -> Option<(&str, [u8; SIGNATURE_BYTES])> {
    let lines = text.strip_suffix('\n')?;
    let start = lines.rfind('\n')? + 1;
    let signature = lines[start..].strip_prefix(SIGNATURE)?;
    Some((&text[..start], from_hex(signature)?))
}

/// One line of a license: where it stands, its name, its value.
struct Line {
    number: usize,
    name: String,
    value: String,
}

fn read_fields(body: &str) -> Result<Terms, Refusal> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, text) in (1..).zip(body.lines()).skip(1) {
        let (name, value) = read_line(text).map_err(|why| Refusal::Line(number, why))?;
        if lines.iter().any(|line| line.name == name) {
            return Err(Refusal::Twice(number));
        }
        lines.push(Line { number, name: name.to_owned(), value: value.to_owned() });
    }
    let mut take = |name: &'static str| {
        let at = lines.iter().position(|line| line.name == name).ok_or(Refusal::Missing(name))?;
        Ok(lines.remove(at))
    };
    let terms = Terms {
        id: word(take("id")?)?,
        customer: take("customer")?.value,
        entitlement: take("entitlement")?.value,
        tier: word(take("tier")?)?,
        issued_at_ms: time(&take("issued")?)?,
        expires_at_ms: time(&take("expires")?)?,
        contact: take("contact")?.value,
        others: lines.into_iter().map(|line| (line.name, line.value)).collect(),
    };
    if terms.issued_at_ms < terms.expires_at_ms { Ok(terms) } else { Err(Refusal::NoTime) }
}

fn read_line(text: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = text.split_once(" = ").ok_or("write it as `name = value`")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !is_name || name == SIGNATURE_NAME {
        return Err("this name is none: it has letters a–z and _");
    }
    check_value(value).map(|()| (name, value))
}

fn check_value(value: &str) -> Result<(), &'static str> {
    if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
        return Err("the value is plain text without spaces around it");
    }
    match value.chars().count() {
        0..=VALUE_CHARACTERS_MAX => Ok(()),
        _ => Err("the value is longer than 200 characters"),
    }
}

/// A tier and an id stand in metrics and in requests, so they are of the plainest kind.
fn word(line: Line) -> Result<String, Refusal> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match line.value.len() <= WORD_BYTES_MAX && line.value.bytes().all(fits) {
        true => Ok(line.value),
        false => Err(Refusal::Line(line.number, "write up to 64 of a–z, 0–9 and -")),
    }
}

/// A time has one spelling: RFC 3339, whole seconds, UTC.
fn time(line: &Line) -> Result<u64, Refusal> {
    parse_time(&line.value)
        .filter(|at| format_time(*at) == line.value)
        .ok_or(Refusal::Line(line.number, "write the time as 2027-01-31T23:59:59Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            id: "lux-7f3k2m9q".to_owned(),
            customer: "Example GmbH, Zürich".to_owned(),
            entitlement: "production = yes".to_owned(),
            tier: "team".to_owned(),
            issued_at_ms: 1_782_000_000_000,
            expires_at_ms: 1_813_536_000_000,
            contact: "help@vendor.example".to_owned(),
            others: vec![("seats_of_tomorrow".to_owned(), "7".to_owned())],
        }
    }

    fn signed(body: &str, key: &SigningKey) -> String {
        format!("{body}{SIGNATURE}{}\n", to_hex(&key.sign(&message(body))))
    }

    #[test]
    fn what_was_signed_is_read_again_with_names_nobody_knows() {
        let key = SigningKey::make().unwrap();
        let text = write(&terms(), &key).unwrap();
        assert!(text.contains("\nissued = 2026-06-21T00:00:00Z\n"), "{text}");
        assert_eq!(read(text.as_bytes(), &key.vendor_key()), Ok(terms()));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let key = SigningKey::make().unwrap();
        let (vendor, text) = (key.vendor_key(), write(&terms(), &key).unwrap());
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                assert!(read(&bytes, &vendor).is_err(), "byte {at}, bit {bit}");
            }
            let (head, tail) = text.as_bytes().split_at(at);
            assert!(read(head, &vendor).is_err(), "cut at {at}");
            assert!(read(&[head, b" ", tail].concat(), &vendor).is_err(), "one more at {at}");
            assert!(read(&[head, &tail[1..]].concat(), &vendor).is_err(), "without byte {at}");
        }
        for more in ["\n", " ", "tier = enterprise\n", &text] {
            assert!(read(format!("{text}{more}").as_bytes(), &vendor).is_err(), "{more:?} behind it");
        }
        let windows = text.replace('\n', "\r\n");
        assert!(read(windows.as_bytes(), &vendor).is_err());
        assert_eq!(read(text.as_bytes(), &vendor), Ok(terms()), "it is good itself");
    }

    #[test]
    fn another_key_and_another_purpose_are_refused() {
        let (key, other) = (SigningKey::make().unwrap(), SigningKey::make().unwrap());
        let text = write(&terms(), &key).unwrap();
        assert_eq!(read(text.as_bytes(), &other.vendor_key()), Err(Refusal::NotTheVendors));
        assert_eq!(read(text.as_bytes(), &VendorKey::built_in()), Err(Refusal::NotTheVendors));
        let body = &text[..text.rfind(SIGNATURE).unwrap()];
        let bare = format!("{body}{SIGNATURE}{}\n", to_hex(&key.sign(body.as_bytes())));
        assert_eq!(
            read(bare.as_bytes(), &key.vendor_key()),
            Err(Refusal::NotTheVendors),
            "no purpose signed"
        );
    }

    #[test]
    fn each_refusal_says_why() {
        let key = SigningKey::make().unwrap();
        let vendor = key.vendor_key();
        let good = write(&terms(), &key).unwrap();
        let body = &good[..good.rfind(SIGNATURE).unwrap()];
        let why = |bytes: &[u8]| read(bytes, &vendor).unwrap_err().to_string();
        assert!(why(&vec![b'a'; FILE_BYTES_MAX + 1]).contains("larger"));
        assert!(why(b"lux-license 1\n\xff").contains("not text"));
        assert!(why(b"").contains("first line"));
        assert!(why(good.replacen("license 1", "license 2", 1).as_bytes()).contains("version `2`"));
        assert!(why(body.as_bytes()).contains("whole signature"));
        assert!(why(good.replacen("team", "free", 1).as_bytes()).contains("does not fit"));
        // Signed by the vendor, and wrong all the same.
        for (from, to, reason) in [
            ("tier = team\n", "", "`tier`"),
            ("tier = team", "tier = Team", "line 5"),
            ("tier = team", "tier = team\ntier = free", "line 6: this name"),
            ("tier = team", "tier: team", "line 5"),
            ("tier = team", "tier =  team", "line 5"),
            ("tier = team", "signature = team", "line 5"),
            ("2026-06-21T00:00:00Z", "2026-06-21T02:00:00+02:00", "line 6"),
            ("2026-06-21T00:00:00Z", "2096-06-21T00:00:00Z", "before it begins"),
        ] {
            let changed = signed(&body.replacen(from, to, 1), &key);
            let said = why(changed.as_bytes());
            assert!(said.contains(reason), "{to}: {said}");
        }
    }

    #[test]
    fn nothing_is_signed_that_could_not_be_read_again() {
        let key = SigningKey::make().unwrap();
        for wrong in [
            Terms { customer: "A\ntier = enterprise".to_owned(), ..terms() },
            Terms { customer: String::new(), ..terms() },
            Terms { tier: "a\"b".to_owned(), ..terms() },
            Terms { contact: "x".repeat(VALUE_CHARACTERS_MAX + 1), ..terms() },
            Terms { expires_at_ms: terms().issued_at_ms, ..terms() },
        ] {
            assert!(write(&wrong, &key).is_err(), "{wrong:?}");
        }
    }
}
