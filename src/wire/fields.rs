//! The fields of a head that decide how the rest of the connection is read.
//!
//! Always true: a head has one `Host`, at most one framing, and at most one length.
//!
//! Read first: `request.rs`.

use httparse::Header;

use super::error::{Malformed, WireError};
use super::framing::Framing;

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
    let (mut hosts, mut length, mut codings, mut coding_known) = (0, None, 0, true);
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
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(WireError::Expectation);
                }
                meaning.expects_continue = true;
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
                codings += 1;
                coding_known &= value.eq_ignore_ascii_case(b"chunked");
            }
            _any_other_length => {}
        }
    }
    if hosts == 0 {
        return Err(Malformed::Host.into());
    }
    meaning.framing = match (length, codings) {
        (None, 0) => Framing::Empty,
        (Some(length), 0) => Framing::Length(length),
        (Some(_), _) => return Err(Malformed::TwoFramings.into()),
        (None, 1) if coding_known => Framing::Chunked,
        (None, _) => return Err(WireError::TransferCoding),
    };
    Ok(meaning)
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
    let bracketed = value.starts_with(b"[");
    let in_literal = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let named = if bracketed {
        !literal.is_empty() && literal.iter().all(in_literal)
    } else {
        literal.iter().all(in_name)
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
