//! A request head: where it ends, and what it says (RFC 9112).
//!
//! Always true: what is accepted has exactly one reading. Wherever two servers could disagree about where a
//! request ends (bare line feeds, folded lines, two lengths, two framings) the answer is an error.
//!
//! Read first: `wire/mod.rs`, then `fields.rs`.

use std::mem::MaybeUninit;

use super::Progress;
use super::error::{Malformed, WireError};
use super::fields::{self, Fields};
use crate::limits::{HEAD_FIELDS_CEILING, Limits};

/// Blank lines that may stand before a request (RFC 9112, section 2.2): some clients end a body with one.
const BLANK_LINES_MAX: usize = 4;

/// What is asked for (RFC 9110, section 9); the broker has no other methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read a state.
    Get,
    /// Read a state without its bytes.
    Head,
    /// Write a state.
    Put,
    /// Merge into a state.
    Patch,
    /// Delete a state.
    Delete,
    /// Ask what is allowed.
    Options,
    /// Known by name only.
    Post,
    /// Any other token.
    Other,
}

/// How the body of a request is delimited (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// One request head, taken apart but not decoded; borrows from the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Head<'b> {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded; `*` for `OPTIONS *`.
    pub path: &'b str,
    /// What follows the `?`, or nothing.
    pub query: &'b str,
    /// How the body is delimited.
    pub framing: Framing,
    /// Whether the connection may carry another request (no `Connection: close`).
    pub keep_alive: bool,
    /// Whether `Connection` names `upgrade`.
    pub connection_upgrade: bool,
    /// Whether the peer waits for `100 Continue`.
    pub expects_continue: bool,
    fields: Fields<'b>,
}

impl<'b> Head<'b> {
    /// The first line with this name (any case), without the white space around its value.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.fields(name).next()
    }

    /// Every line with this name (any case), in order.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.fields.named(name)
    }

    /// The key of `Authorization: Bearer <key>` (RFC 6750, section 2.1): visible ASCII, not empty.
    ///
    /// Two `Authorization` lines are none: which of them counts would be a guess.
    pub fn bearer(&self) -> Option<&'b str> {
        let mut lines = self.fields("authorization");
        let (value, None) = (lines.next()?, lines.next()) else { return None };
        let (scheme, token) = value.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return None;
        }
        let token = token.trim_ascii_start();
        let visible = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
        if visible { std::str::from_utf8(token).ok() } else { None }
    }
}

/// Finds the end of the head that begins at the front of `bytes`.
///
/// `scanned` is how many of them an earlier call has seen, so that a head that drips in costs linear time in
/// all. `Done.used` counts from the front through the blank line, blank lines before the head included. A head
/// whose lines end in bare line feeds is found as well, so that [`parse`] can refuse it.
///
/// # Errors
/// [`WireError::HeadTooLarge`] past `limits.head_bytes_max`; [`WireError::Malformed`] where the first bytes
/// cannot begin a request, as those of a TLS handshake cannot.
pub fn find_end(bytes: &[u8], scanned: usize, limits: &Limits) -> Result<Progress<()>, WireError> {
    let window = &bytes[..bytes.len().min(limits.head_bytes_max)];
    let begin = skip_blank_lines(window)?;
    // The end may have begun in bytes that were seen before: at most "\n\r" of "\n\r\n".
    let from = scanned.saturating_sub(2).clamp(begin, window.len());
    for newline in memchr::memchr_iter(b'\n', &window[from..]) {
        let after = from + newline + 1;
        let ending = match window[after..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => continue,
        };
        return Ok(Progress::Done { value: (), used: after + ending });
    }
    if bytes.len() >= limits.head_bytes_max {
        return Err(WireError::HeadTooLarge(limits.head_bytes_max));
    }
    Ok(Progress::NeedMore)
}

/// Where the request line begins, once its first byte is known to be one.
fn skip_blank_lines(bytes: &[u8]) -> Result<usize, WireError> {
    let mut begin = 0;
    while bytes[begin..].starts_with(b"\r\n") {
        begin += 2;
        if begin > BLANK_LINES_MAX * 2 {
            return Err(Malformed::RequestLine.into());
        }
    }
    match bytes[begin..] {
        [] | [b'\r'] => Ok(begin),
        [b'\r' | b'\n', ..] => Err(Malformed::LineEnding.into()),
        [first, ..] if is_token_byte(first) => Ok(begin),
        [_, ..] => Err(Malformed::RequestLine.into()),
    }
}

/// Reads exactly one complete head, as [`find_end`] delimits it.
///
/// # Errors
/// [`WireError::Malformed`], [`WireError::Version`], [`WireError::TransferCoding`],
/// [`WireError::Expectation`] and [`WireError::TooManyFields`], as RFC 9112 and the contract have it.
pub fn parse<'b>(head: &'b [u8], limits: &Limits) -> Result<Head<'b>, WireError> {
    let head = &head[skip_blank_lines(head)?..];
    check_line_endings(head)?;
    let line_len = memchr::memchr(b'\r', head).ok_or(Malformed::LineEnding)?;
    let (method, target) = split_request_line(&head[..line_len])?;

    // httparse checks names and values; uninitialised room costs nothing, and only as much as is allowed.
    let mut room = [const { MaybeUninit::uninit() }; HEAD_FIELDS_CEILING];
    let room = &mut room[..limits.head_fields_max.min(HEAD_FIELDS_CEILING)];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, room) {
        Ok(httparse::Status::Complete(used)) if used == head.len() => {}
        Ok(_) => return Err(Malformed::LineEnding.into()),
        Err(error) => return Err(blame(error, limits)),
    }
    let meaning = fields::read(request.headers)?;
    let method = method_named(method);
    let (path, query) = split_target(target, method)?;
    Ok(Head {
        method,
        path,
        query,
        framing: meaning.framing,
        keep_alive: !meaning.connection_close,
        connection_upgrade: meaning.connection_upgrade,
        expects_continue: meaning.expects_continue,
        fields: Fields::new(request.headers),
    })
}

fn blame(error: httparse::Error, limits: &Limits) -> WireError {
    match error {
        httparse::Error::TooManyHeaders => WireError::TooManyFields(limits.head_fields_max),
        httparse::Error::NewLine => Malformed::LineEnding.into(),
        httparse::Error::Token => Malformed::Target.into(),
        httparse::Error::Version => Malformed::RequestLine.into(),
        httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::Status => {
            Malformed::Field.into()
        }
    }
}

/// Every line ends in CRLF, no CR stands elsewhere, and no line goes on over the next.
fn check_line_endings(head: &[u8]) -> Result<(), Malformed> {
    let mut lines = 0;
    for newline in memchr::memchr_iter(b'\n', head) {
        if newline == 0 || head[newline - 1] != b'\r' {
            return Err(Malformed::LineEnding);
        }
        if matches!(head.get(newline + 1), Some(b' ' | b'\t')) {
            return Err(Malformed::Folded);
        }
        lines += 1;
    }
    // Each LF has its own CR, so a CR too many is one that stands alone.
    if memchr::memchr_iter(b'\r', head).count() != lines {
        return Err(Malformed::LineEnding);
    }
    Ok(())
}

/// Method and target of `METHOD SP target SP HTTP/1.1` (RFC 9112, section 3).
fn split_request_line(line: &[u8]) -> Result<(&[u8], &str), WireError> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed::RequestLine.into());
    };
    if method.is_empty() || target.is_empty() || !method.iter().all(|byte| is_token_byte(*byte)) {
        return Err(Malformed::RequestLine.into());
    }
    match version {
        b"HTTP/1.1" => {}
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(WireError::Version);
        }
        _ => return Err(Malformed::RequestLine.into()),
    }
    if target.contains(&b'#') || !target.iter().all(u8::is_ascii_graphic) {
        return Err(Malformed::Target.into());
    }
    Ok((method, std::str::from_utf8(target).map_err(|_| Malformed::Target)?))
}

fn method_named(name: &[u8]) -> Method {
    match name {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"PUT" => Method::Put,
        b"PATCH" => Method::Patch,
        b"DELETE" => Method::Delete,
        b"OPTIONS" => Method::Options,
        b"POST" => Method::Post,
        _ => Method::Other,
    }
}

/// Path and query of an origin-form, absolute-form or asterisk-form target (RFC 9112, section 3.2).
fn split_target(target: &str, method: Method) -> Result<(&str, &str), Malformed> {
    if target == "*" && method == Method::Options {
        return Ok((target, ""));
    }
    let origin = if target.starts_with('/') { target } else { strip_authority(target)? };
    let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
    Ok((if path.is_empty() { "/" } else { path }, query))
}

/// What follows `http://authority`: a path, a query, or nothing.
fn strip_authority(target: &str) -> Result<&str, Malformed> {
    let (scheme, rest) = target.split_once("://").ok_or(Malformed::Target)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Malformed::Target);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at(end);
    if authority.is_empty() || !fields::is_host(authority.as_bytes()) {
        return Err(Malformed::Target);
    }
    Ok(origin)
}

/// Whether a method or a field name may contain this byte (RFC 9110, section 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
