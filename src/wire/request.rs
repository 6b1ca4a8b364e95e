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
use super::framing::Framing;
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

    /// Every element of a comma-separated list, over all lines with this name (RFC 9110, section 5.6.1).
    pub fn elements(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.fields(name).flat_map(fields::elements)
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
    // Unlike `Host`, a URI always names somebody (RFC 9110, section 4.2.1).
    if authority.is_empty() || authority.starts_with(':') || !fields::is_host(authority.as_bytes()) {
        return Err(Malformed::Target);
    }
    Ok(origin)
}

/// Whether a method or a field name may contain this byte (RFC 9110, section 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::error::Malformed::*;
    use super::*;

    /// What a connection does: find the end, then read exactly that much.
    fn read(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, WireError> {
        let limits = Limits::default();
        match find_end(bytes, 0, &limits)? {
            Progress::Done { used, .. } => Ok(Some((parse(&bytes[..used], &limits)?, used))),
            Progress::NeedMore => Ok(None),
        }
    }

    fn head(text: &str) -> Head<'_> {
        read(text.as_bytes()).unwrap().unwrap().0
    }

    fn refusal(bytes: &[u8]) -> WireError {
        read(bytes).expect_err(&String::from_utf8_lossy(bytes))
    }

    #[test]
    fn a_put_reads_as_it_was_written() {
        let text = "PUT /api/lux/dash%2Dboard?wait=5&x HTTP/1.1\r\nHost: broker:7373\r\n\
                    CONTENT-length: 12\r\nX-Empty:\r\nPrefer:\t return=minimal \t\r\n\
                    Connection: keep-alive\r\n\r\n";
        let head = head(text);
        assert_eq!((head.method, head.path, head.query), (Method::Put, "/api/lux/dash%2Dboard", "wait=5&x"));
        assert_eq!(head.framing, Framing::Length(12));
        assert!(head.keep_alive && !head.connection_upgrade && !head.expects_continue);
        assert_eq!(head.field("prefer"), Some(&b"return=minimal"[..]));
        assert_eq!(head.field("X-EMPTY"), Some(&b""[..]));
        assert_eq!(head.field("absent"), None);
    }

    #[test]
    fn what_follows_a_head_is_not_part_of_it() {
        let two = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n";
        let (first, used) = read(two).unwrap().unwrap();
        assert_eq!((first.path, used), ("/a", two.len() / 2));
        assert_eq!(read(&two[used..]).unwrap().unwrap().0.path, "/b");
    }

    #[test]
    fn every_form_of_target_gives_its_path() {
        for (target, path, query) in [
            ("/", "/", ""),
            ("/?", "/", ""),
            ("/a?b?c", "/a", "b?c"),
            ("//a", "//a", ""),
            ("http://h", "/", ""),
            ("http://h/a?b", "/a", "b"),
            ("HTTPS://h:1?b", "/", "b"),
            ("http://[::1]:7373/a", "/a", ""),
        ] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let head = head(&text);
            assert_eq!((head.path, head.query), (path, query), "{target}");
        }
        assert_eq!(head("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path, "*");
    }

    #[test]
    fn methods_are_told_apart_by_case() {
        for (name, method) in [
            ("GET", Method::Get),
            ("HEAD", Method::Head),
            ("PUT", Method::Put),
            ("PATCH", Method::Patch),
            ("DELETE", Method::Delete),
            ("OPTIONS", Method::Options),
            ("POST", Method::Post),
            ("get", Method::Other),
            ("M-SEARCH", Method::Other),
        ] {
            assert_eq!(head(&format!("{name} / HTTP/1.1\r\nHost: h\r\n\r\n")).method, method);
        }
    }

    #[test]
    fn connection_is_a_list_over_lines() {
        for (lines, upgrade, keep_alive) in [
            ("Connection: x,, UPGRADE\r\nConnection: Close\r\n", true, false),
            ("Connection: close, upgrade, x\r\nConnection: keep-alive\r\n", true, false),
            ("Connection: closed, upgrades\r\nX: close\r\n", false, true),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
            let head = head(&text);
            assert_eq!((head.connection_upgrade, head.keep_alive), (upgrade, keep_alive), "{lines}");
        }
    }

    #[test]
    fn every_line_of_a_field_is_there_in_order() {
        let head =
            head("GET / HTTP/1.1\r\nHost: h\r\nIf-Match: \"a\"\r\nX: y ,, z\r\nif-match: \"b\"\r\n\r\n");
        assert_eq!(head.elements("x").collect::<Vec<_>>(), [&b"y"[..], b"z"]);
        let lines: Vec<_> = head.fields("IF-MATCH").collect();
        assert_eq!(lines, [&b"\"a\""[..], b"\"b\""]);
    }

    #[test]
    fn a_bearer_is_visible_and_alone() {
        let bearer = |lines: &str| {
            let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
            head(&text).bearer().map(str::to_owned)
        };
        assert_eq!(bearer("Authorization: Bearer k-1\r\n").as_deref(), Some("k-1"));
        assert_eq!(bearer("Authorization: bEARER   k-1\r\n").as_deref(), Some("k-1"));
        for refused in [
            "",
            "Authorization: Bearer\r\n",
            "Authorization: Bearer \r\n",
            "Authorization: Bearerk-1\r\n",
            "Authorization: Basic a2V5\r\n",
            "Authorization: Bearer a b\r\n",
            "Authorization: Bearer \u{e9}\r\n",
            "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n",
        ] {
            assert_eq!(bearer(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn expect_knows_one_thing() {
        assert!(head("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n").expects_continue);
        assert!(head("PUT / HTTP/1.1\r\nHost: h\r\nExpect: , 100-continue\r\n\r\n").expects_continue);
        assert!(!head("PUT / HTTP/1.1\r\nHost: h\r\nExpect:\r\n\r\n").expects_continue);
        for other in ["200-ok", "100-continue, x", "100"] {
            let text = format!("PUT / HTTP/1.1\r\nHost: h\r\nExpect: {other}\r\n\r\n");
            assert_eq!(refusal(text.as_bytes()), WireError::Expectation, "{other:?}");
        }
    }

    /// Everything two servers could read differently, and what is said to each.
    #[rustfmt::skip]
    const SMUGGLED: &[(&[u8], WireError)] = &[
        // Request lines.
        (b"\x16\x03\x01\x02\x00\x01", WireError::Malformed(RequestLine)),
        (b"\0GET / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b" GET / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/1.1 x\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET /\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"G\x00T / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"G\xc3\xa9T / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / http/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/1.10\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/11\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/a.b\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/1.1HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/1.0\r\nHost: h\r\n\r\n", WireError::Version),
        (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", WireError::Version),
        (b"GET / HTTP/0.9\r\nHost: h\r\n\r\n", WireError::Version),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WireError::Version),
        // Targets.
        (b"GET a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"OPTIONS *a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET /a\x00 HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET http:// HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET http://:80/a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET http://u:p@h/a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        (b"GET http:/a HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(Target)),
        // Line endings.
        (b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", WireError::Malformed(RequestLine)),
        (b"GET / HTTP/1.1\nHost: h\n\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\nHost: h\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\r\nY: b\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\nY: c\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", WireError::Malformed(LineEnding)),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\rX: y\r\n\r\n", WireError::Malformed(LineEnding)),
        // Fields.
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", WireError::Malformed(Folded)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n", WireError::Malformed(Folded)),
        (b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", WireError::Malformed(Folded)),
        (b"GET / HTTP/1.1\r\nHost: h\r\n \r\n\r\n", WireError::Malformed(Folded)),
        (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nNo-Colon\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX\x00: z\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX\xa0: z\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\x0bContent-Length: 5\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x08b\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x7fb\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX(a): b\r\n\r\n", WireError::Malformed(Field)),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\"X\": b\r\n\r\n", WireError::Malformed(Field)),
        // Hosts.
        (b"GET / HTTP/1.1\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nX: y\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: h/a\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: h:80x\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: h:80:80\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: []\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n", WireError::Malformed(Host)),
        (b"GET / HTTP/1.1\r\nHost: h\xc3\xa9\r\n\r\n", WireError::Malformed(Host)),
        (b"GET http://h/ HTTP/1.1\r\n\r\n", WireError::Malformed(Host)),
        // Lengths.
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5 5\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5;\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5.0\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1_0\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: five\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \"5\"\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \xd9\xa5\r\n\r\n", WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n",
            WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            WireError::Malformed(Length)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n", WireError::Malformed(TwoLengths)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5,\r\n\r\n", WireError::Malformed(TwoLengths)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            WireError::Malformed(TwoLengths)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX: y\r\ncontent-length: 6\r\n\r\n",
            WireError::Malformed(TwoLengths)),
        // Two framings, whichever comes first.
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            WireError::Malformed(TwoFramings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
            WireError::Malformed(TwoFramings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\nContent-Length: 5\r\n\r\n",
            WireError::Malformed(TwoFramings)),
        // Transfer codings.
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", WireError::TransferCoding),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", WireError::TransferCoding),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunkedx\r\n\r\n", WireError::TransferCoding),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", WireError::TransferCoding),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked,\r\n\r\n", WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,chunked\r\n\r\n", WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", WireError::TransferCoding),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", WireError::TransferCoding),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n",
            WireError::Malformed(Codings)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\x0b\r\n\r\n", WireError::Malformed(Field)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x00chunked\r\n\r\n", WireError::Malformed(Field)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", WireError::Malformed(Folded)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n",
            WireError::Malformed(LineEnding)),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n",
            WireError::Malformed(Field)),
    ];

    #[test]
    fn nothing_is_smuggled() {
        assert!(SMUGGLED.len() >= 100);
        for (bytes, why) in SMUGGLED {
            assert_eq!(&refusal(bytes), why, "{}", String::from_utf8_lossy(bytes));
            assert!(why.closes() && why.status() >= 400);
        }
    }

    #[test]
    fn what_is_unusual_and_allowed_is_taken() {
        for text in [
            "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a_b.c:\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nTE: gzip\r\nX: \u{e9}\ta\r\n\r\n",
        ] {
            assert!(read(text.as_bytes()).unwrap().is_some(), "{text:?}");
        }
    }

    #[test]
    fn the_head_has_a_size_and_the_error_names_it() {
        let limits = Limits { head_bytes_max: 100, ..Limits::default() };
        let sized = |len: usize| {
            let start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
            format!("{start}{}\r\n\r\n", "y".repeat(len - start.len() - 4)).into_bytes()
        };
        assert_eq!(find_end(&sized(100), 0, &limits), Ok(Progress::Done { value: (), used: 100 }));
        assert_eq!(find_end(&sized(101), 0, &limits), Err(WireError::HeadTooLarge(100)));
        // Without its end, too: a head that has not ended after so many bytes will not end in time.
        assert_eq!(find_end(&sized(200)[..100], 0, &limits), Err(WireError::HeadTooLarge(100)));
        assert_eq!(find_end(&sized(200)[..99], 0, &limits), Ok(Progress::NeedMore));
    }

    #[test]
    fn the_head_has_a_number_of_fields_and_the_error_names_it() {
        let limits = Limits::default();
        let with = |fields: usize| {
            format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(fields - 1)).into_bytes()
        };
        assert!(parse(&with(64), &limits).is_ok());
        assert_eq!(parse(&with(65), &limits).unwrap_err(), WireError::TooManyFields(64));
        let more = Limits { head_fields_max: HEAD_FIELDS_CEILING, ..limits };
        assert!(parse(&with(HEAD_FIELDS_CEILING), &more).is_ok());
    }

    /// Feeds `bytes` in pieces that end at `cuts`, as a connection would; where the head ended, or why not.
    fn find_in_pieces(bytes: &[u8], mut cuts: Vec<usize>, limits: &Limits) -> Result<usize, WireError> {
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut scanned = 0;
        for cut in cuts {
            if let Progress::Done { used, .. } = find_end(&bytes[..cut], scanned, limits)? {
                return Ok(used);
            }
            scanned = cut;
        }
        Ok(0)
    }

    #[test]
    fn a_head_that_drips_in_ends_where_it_ends() {
        let limits = Limits { head_bytes_max: 150, ..Limits::default() };
        for (bytes, _) in SMUGGLED.iter().filter(|(bytes, _)| bytes.len() < 140) {
            let at_once = find_in_pieces(bytes, vec![], &limits);
            assert_eq!(find_in_pieces(bytes, (0..bytes.len()).collect(), &limits), at_once);
            for cut in 0..bytes.len() {
                assert_eq!(find_in_pieces(bytes, vec![cut], &limits), at_once);
            }
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            bytes in "[\r\nGET /:a]{0,40}(\r\n|\n)?(\r\n|\n)?[\r\na]{0,6}",
            cuts in prop::collection::vec(0usize..50, 0..8),
        ) {
            let limits = Limits { head_bytes_max: 40, ..Limits::default() };
            let cuts = cuts.into_iter().filter(|cut| *cut <= bytes.len()).collect();
            prop_assert_eq!(
                find_in_pieces(bytes.as_bytes(), cuts, &limits),
                find_in_pieces(bytes.as_bytes(), vec![], &limits)
            );
        }

        /// Whatever one byte is changed to: an accepted head reads the same to the plainest reader there is.
        #[test]
        fn what_is_accepted_has_one_reading(at in 0usize..128, byte in any::<u8>(), insert in any::<bool>()) {
            let mut bytes = b"PUT /api/lux/a?b HTTP/1.1\r\nHost: h:1\r\nContent-Length: 5\r\n\
                Accept: */*\r\nConnection: keep-alive\r\nX: y\r\n\r\n".to_vec();
            let at = at % bytes.len();
            if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
            let Ok(Some((head, used))) = read(&bytes) else { return Ok(()) };
            let text: String = bytes[..used].iter().map(|byte| char::from(*byte)).collect();
            let lines: Vec<&str> = text.trim_start_matches("\r\n").split("\r\n").collect();
            prop_assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
            prop_assert!(lines[0].ends_with(" HTTP/1.1") && lines[0].split(' ').count() == 3);
            prop_assert!(lines.ends_with(&["", ""]) && !lines[..lines.len() - 2].contains(&""));
            let lengths: Vec<_> = lines.iter()
                .filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned))
                .collect();
            let length = match lengths.as_slice() {
                [] => Framing::Empty,
                [one] => Framing::Length(one.trim().parse().unwrap()),
                more => panic!("two lengths: {more:?}"),
            };
            prop_assert_eq!(head.framing, length);
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = parse(&bytes, &Limits::default());
        }
    }
}
