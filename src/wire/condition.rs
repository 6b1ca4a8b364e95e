//! `If-Match` and `If-None-Match`: compare and set, and "only if it changed" (RFC 9110, section 13.1).
//!
//! Always true: our tags are `"<epoch>.<rev>"`. A tag of another epoch or another make is well-formed and
//! matches nothing.
//!
//! Read first: `request.rs`.

use super::error::WireError;
use super::fields;
use super::request::Head;
use crate::ids::{Epoch, Rev};

/// What a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any state at all.
    Any,
    /// These revisions of this epoch.
    Revs(Vec<Rev>),
}

impl Tags {
    fn match_state(&self, current: Option<Rev>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::Revs(revs), Some(rev)) => revs.contains(&rev),
        }
    }
}

/// The conditions a request makes.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Write only if the state is one of these.
    pub if_match: Option<Tags>,
    /// Write, or answer in full, only if the state is none of these.
    pub if_none_match: Option<Tags>,
}

impl Conditions {
    /// Reads the conditions of a head.
    ///
    /// # Errors
    /// [`WireError::BadCondition`] for what is neither `*` nor a list of entity tags.
    pub fn of(head: &Head<'_>, epoch: &Epoch) -> Result<Conditions, WireError> {
        Ok(Conditions {
            if_match: read_tags(head, "If-Match", epoch, Comparison::Strong)?,
            if_none_match: read_tags(head, "If-None-Match", epoch, Comparison::Weak)?,
        })
    }

    /// Whether a write may replace what is there: its revision, or `None` where there is no state.
    pub fn allow_write(&self, current: Option<Rev>) -> bool {
        let matched = self.if_match.as_ref().is_none_or(|tags| tags.match_state(current));
        let unmatched = self.if_none_match.as_ref().is_none_or(|tags| !tags.match_state(current));
        matched && unmatched
    }

    /// Whether the peer has the current state already (304).
    pub fn not_modified(&self, current: Option<Rev>) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.match_state(current))
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }
}

/// Takes `<epoch>.<rev>` apart; the revision in plain decimal, without sign or leading zeros.
pub fn parse_id(text: &str) -> Option<(&str, Rev)> {
    let (epoch, rev) = text.split_once('.')?;
    let plain = rev.bytes().all(|byte| byte.is_ascii_digit()) && (rev == "0" || !rev.starts_with('0'));
    if epoch.is_empty() || !plain {
        return None;
    }
    Some((epoch, Rev(rev.parse().ok()?)))
}

/// How tags are compared (RFC 9110, section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A weak tag matches nothing.
    Strong,
    /// A weak tag is as good as a strong one.
    Weak,
}

fn read_tags(
    head: &Head<'_>,
    name: &'static str,
    epoch: &Epoch,
    comparison: Comparison,
) -> Result<Option<Tags>, WireError> {
    let (mut any, mut count, mut revs) = (false, 0usize, Vec::new());
    let mut lines = 0;
    for line in head.fields(name) {
        lines += 1;
        let mut rest = line;
        while let Some(begin) = next_element(rest) {
            if begin == b"*" {
                any = true;
                break;
            }
            let (weak, tag, after) = split_tag(begin).ok_or(WireError::BadCondition(name))?;
            count += 1;
            if !(weak && comparison == Comparison::Strong) {
                revs.extend(rev_of(tag, epoch));
            }
            rest = after;
        }
    }
    match (lines, any, count) {
        (0, _, _) => Ok(None),
        (1, true, 0) => Ok(Some(Tags::Any)),
        (_, true, _) | (_, false, 0) => Err(WireError::BadCondition(name)),
        (_, false, _) => Ok(Some(Tags::Revs(revs))),
    }
}

/// What is left of a list once white space and empty elements are skipped; `None` at its end.
fn next_element(mut list: &[u8]) -> Option<&[u8]> {
    while let [b' ' | b'\t' | b',', rest @ ..] = list {
        list = rest;
    }
    if list.is_empty() { None } else { Some(list) }
}

/// Takes one `[W/]"tag"` off the front of a list; what follows it is the list's end or a comma.
fn split_tag(list: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (weak, quoted) = match list.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, list),
    };
    let inside = quoted.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', inside)?;
    let (tag, rest) = (&inside[..end], fields::trim(&inside[end + 1..]));
    let well_formed = tag.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    (well_formed && matches!(rest, [] | [b',', ..])).then_some((weak, tag, rest))
}

fn rev_of(tag: &[u8], epoch: &Epoch) -> Option<Rev> {
    let (own, rev) = parse_id(std::str::from_utf8(tag).ok()?)?;
    (own == epoch.as_str()).then_some(rev)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::wire::request;

    fn epoch() -> Epoch {
        Epoch::from_bits(0)
    }

    /// The conditions of a head with these lines; `E` stands for the epoch.
    fn conditions(lines: &str) -> Result<Conditions, WireError> {
        let lines = lines.replace('E', epoch().as_str());
        let text = format!("PUT / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        Conditions::of(&request::parse(text.as_bytes(), &Limits::default()).unwrap(), &epoch())
    }

    fn revs(revs: &[u64]) -> Option<Tags> {
        Some(Tags::Revs(revs.iter().copied().map(Rev).collect()))
    }

    #[test]
    fn tags_are_read_over_lines_and_lists() {
        assert!(conditions("").unwrap().is_empty());
        let read = |value: &str| conditions(&format!("if-match: {value}\r\n")).unwrap().if_match;
        assert_eq!(read("*"), Some(Tags::Any));
        assert_eq!(read("\"E.7\""), revs(&[7]));
        assert_eq!(read("\"E.7\",\"E.8\" ,\t, \"E.9\","), revs(&[7, 8, 9]));
        let lines = "If-Match: \"E.7\"\r\nIf-Match: \"E.8\"\r\n";
        assert_eq!(conditions(lines).unwrap().if_match, revs(&[7, 8]));
    }

    #[test]
    fn tags_of_another_make_match_nothing() {
        for value in
            ["\"x.7\"", "\"7\"", "\"E.07\"", "\"E.+7\"", "\"E.\"", "\"\"", "\"a,b\"", "\"E.7x\"", "\"é\""]
        {
            let read = conditions(&format!("If-Match: {value}\r\nIf-None-Match: {value}\r\n")).unwrap();
            assert_eq!((&read.if_match, &read.if_none_match), (&revs(&[]), &revs(&[])), "{value}");
            assert!(!read.allow_write(Some(Rev(7))) && !read.not_modified(Some(Rev(7))));
        }
    }

    #[test]
    fn a_weak_tag_matches_only_where_comparison_is_weak() {
        let read = conditions("If-Match: W/\"E.7\"\r\nIf-None-Match: W/\"E.7\"\r\n").unwrap();
        assert_eq!((read.if_match, read.if_none_match), (revs(&[]), revs(&[7])));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for value in [
            "",
            ",",
            "E.7",
            "\"E.7",
            "E.7\"",
            "'E.7'",
            "\"E.7\" \"E.8\"",
            "\"E.7\"x",
            "w/\"E.7\"",
            "W/E.7",
            "W/ \"E.7\"",
            "\"E 7\"",
            "**",
            "*, \"E.7\"",
            "\"E.7\", *",
            "*,*",
        ] {
            let line = format!("If-None-Match: {value}\r\n");
            assert_eq!(conditions(&line), Err(WireError::BadCondition("If-None-Match")), "{value}");
        }
        assert!(conditions("If-Match: *\r\nIf-Match: *\r\n").is_err());
    }

    #[test]
    fn a_write_is_allowed_as_the_rfc_says() {
        let (absent, seven) = (None, Some(Rev(7)));
        for (lines, on_absent, on_seven) in [
            ("", true, true),
            ("If-Match: *\r\n", false, true),
            ("If-Match: \"E.7\"\r\n", false, true),
            ("If-Match: \"E.6\"\r\n", false, false),
            ("If-None-Match: *\r\n", true, false),
            ("If-None-Match: \"E.7\"\r\n", true, false),
            ("If-None-Match: \"E.6\"\r\n", true, true),
            ("If-Match: *\r\nIf-None-Match: \"E.7\"\r\n", false, false),
        ] {
            let read = conditions(lines).unwrap();
            assert_eq!((read.allow_write(absent), read.allow_write(seven)), (on_absent, on_seven), "{lines}");
        }
    }

    #[test]
    fn a_read_is_spared_what_it_has() {
        let read = conditions("If-None-Match: \"E.6\", \"E.7\"\r\n").unwrap();
        assert!(
            read.not_modified(Some(Rev(7))) && !read.not_modified(Some(Rev(8))) && !read.not_modified(None)
        );
        let any = conditions("If-None-Match: *\r\n").unwrap();
        assert!(any.not_modified(Some(Rev(1))) && !any.not_modified(None));
        assert!(!conditions("If-Match: *\r\n").unwrap().not_modified(Some(Rev(1))));
    }

    #[test]
    fn an_id_has_an_epoch_and_a_plain_number() {
        assert_eq!(parse_id("e.0"), Some(("e", Rev(0))));
        assert_eq!(parse_id("abc.18446744073709551615"), Some(("abc", Rev(u64::MAX))));
        for text in [
            "",
            ".",
            "e",
            "e.",
            ".7",
            "e.07",
            "e.+7",
            "e.-7",
            "e.7 ",
            "e.7.8",
            "e.x",
            "e.18446744073709551616",
        ] {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }
}
