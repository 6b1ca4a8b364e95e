//! The fields of a head that decide how the rest of the connection is read.
//!
//! Always true: a head has one `Host`, at most one framing, and at most one length.
//!
//! Read first: `request.rs`.

use core::net::Ipv6Addr;

use httparse::Header;

use super::error::{Malformed, WireError};
use super::framing::Framing;
use super::query;

/// The field lines of one head, in order.
#[derive(Clone, Debug)]
pub(super) struct Fields<'b>(Vec<Header<'b>>);

impl<'b> Fields<'b> {
    pub(super) fn new(lines: &[Header<'b>]) -> Fields<'b> {
        Fields(lines.to_vec())
    }

    /// The values of every line with this name (any case), without white space around them.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.0.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| trim(line.value))
    }
}

/// What the fields say about the connection.
pub(super) struct Meaning {
    pub(super) framing: Framing,
    pub(super) connection_close: bool,
    pub(super) connection_upgrade: bool,
    pub(super) expects_continue: bool,
}

/// Reads what the fields say about the connection; the others are nobody's business yet.
pub(super) fn read(lines: &[Header<'_>]) -> Result<Meaning, WireError> {
    let mut meaning = Meaning {
        framing: Framing::Empty,
        connection_close: false,
        connection_upgrade: false,
        expects_continue: false,
    };
    let (mut hosts, mut length, mut codings) = (0, None, Codings::default());
    for line in lines {
        let value = trim(line.value);
        match line.name.len() {
            4 if line.name.eq_ignore_ascii_case("host") => {
                hosts += 1;
                if hosts > 1 || !is_host(value) {
                    return Err(Malformed::Host.into());
                }
            }
            6 if line.name.eq_ignore_ascii_case("expect") => {
                for expectation in elements(value) {
                    if !expectation.eq_ignore_ascii_case(b"100-continue") {
                        return Err(WireError::Expectation);
                    }
                    meaning.expects_continue = true;
                }
            }
            10 if line.name.eq_ignore_ascii_case("connection") => {
                for option in elements(value) {
                    meaning.connection_close |= option.eq_ignore_ascii_case(b"close");
                    meaning.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            14 if line.name.eq_ignore_ascii_case("content-length") => {
                if length.is_some() {
                    return Err(Malformed::TwoLengths.into());
                }
                length = Some(read_length(value)?);
            }
            17 if line.name.eq_ignore_ascii_case("transfer-encoding") => {
                codings.read(value);
            }
            _any_other_length => {}
        }
    }
    if hosts == 0 {
        return Err(Malformed::Host.into());
    }
    meaning.framing = match length {
        Some(_) if codings.any => return Err(Malformed::TwoFramings.into()),
        Some(length) => Framing::Length(length),
        None if !codings.any => Framing::Empty,
        None if codings.doubtful => return Err(Malformed::Codings.into()),
        None if codings.unknown => return Err(WireError::TransferCoding),
        None => Framing::Chunked,
    };
    Ok(meaning)
}

/// What the lines of `Transfer-Encoding` come to (RFC 9112, sections 6.1 and 6.3).
#[derive(Default)]
struct Codings {
    any: bool,
    chunked: bool,
    unknown: bool,
    /// Something stands behind `chunked`, or nothing stands where a coding should.
    doubtful: bool,
}

impl Codings {
    fn read(&mut self, value: &[u8]) {
        self.any = true;
        for coding in value.split(|byte| *byte == b',').map(trim) {
            self.doubtful |= self.chunked || coding.is_empty();
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.chunked |= is_chunked;
            self.unknown |= !is_chunked;
        }
    }
}

/// Plain digits within range; `5, 5` is two lengths on one line.
fn read_length(value: &[u8]) -> Result<u64, Malformed> {
    if value.contains(&b',') {
        return Err(Malformed::TwoLengths);
    }
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Length);
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    value.iter().try_fold(0, add).ok_or(Malformed::Length)
}

/// Whether these bytes are `host [":" port]` (RFC 9110, section 7.2); nothing at all is allowed, userinfo is not.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (literal, rest) = match value.strip_prefix(b"[") {
        Some(inside) => match inside.iter().position(|byte| *byte == b']') {
            Some(end) => (&inside[..end], &inside[end + 1..]),
            None => return false,
        },
        None => value.split_at(value.iter().position(|byte| *byte == b':').unwrap_or(value.len())),
    };
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let named = if value.starts_with(b"[") {
        std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
    } else {
        literal.iter().all(in_name) && query::check_percent(literal).is_ok()
    };
    named && (rest.is_empty() || rest[0] == b':' && rest[1..].iter().all(u8::is_ascii_digit))
}

/// The elements of a comma-separated list (RFC 9110, section 5.6.1), empty ones left out.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Without the spaces and tabs around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
