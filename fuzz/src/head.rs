//! Request heads, read line by line from the grammars of RFC 9110 and RFC 9112.
//!
//! Always true: a head is taken only where every line of it matches its rule; there is no second try.
//!
//! Read first: `targets/request.rs`.

use std::net::Ipv6Addr;

use lux::wire::framing::Framing;

use crate::names::decoded;

/// A head that was taken.
#[derive(Debug)]
pub struct Head<'b> {
    /// As written.
    pub method: &'b [u8],
    /// The path, or `*`.
    pub path: &'b [u8],
    /// What follows the `?`.
    pub query: &'b [u8],
    /// How its body is delimited.
    pub framing: Framing,
    /// Names in lower case, values without white space around them.
    pub fields: Vec<(Vec<u8>, &'b [u8])>,
}

/// Whether a token may have this byte (RFC 9110, section 5.6.2).
pub fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
}

/// Whether a field value may have this byte (RFC 9110, section 5.5).
pub fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// How many blank lines stand in front; `None` where what follows cannot begin a request.
pub fn blank_bytes(bytes: &[u8]) -> Option<usize> {
    let blank = bytes.chunks(2).take_while(|pair| matches!(pair, [b'\r', b'\n'])).count();
    let rest = &bytes[2 * blank..];
    let may_begin = matches!(rest, [] | [b'\r']) || rest.first().is_some_and(|byte| is_token(*byte));
    (blank <= 4 && may_begin).then_some(2 * blank)
}

/// Where the first blank line after the request line ends, bare line feeds included.
pub fn end(bytes: &[u8], begin: usize) -> Option<usize> {
    (begin..=bytes.len())
        .find(|end| matches!(bytes[begin..*end], [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n']))
}

/// Takes a whole head, blank lines before it and the one behind it included, or not.
pub fn read(bytes: &[u8], fields_max: usize) -> Option<Head<'_>> {
    let bytes = &bytes[blank_bytes(bytes)?..];
    let mut lines = Vec::new();
    for line in bytes.strip_suffix(b"\r\n\r\n")?.split(|byte| *byte == b'\n') {
        lines.push(line);
    }
    let last = lines.len() - 1;
    for (at, line) in lines.iter_mut().enumerate() {
        if at < last {
            *line = line.strip_suffix(b"\r")?;
        }
    }
    let (first, rest) = lines.split_first()?;
    let parts: Vec<&[u8]> = first.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = parts[..] else { return None };
    let is_method = !method.is_empty() && method.iter().all(|byte| is_token(*byte));
    let (path, query) = target_parts(method, target)?;
    let fields = rest.iter().map(|line| field(line)).collect::<Option<Vec<_>>>()?;
    if !is_method || fields.len() > fields_max {
        return None;
    }
    let framing = framing(&fields)?;
    Some(Head { method, path, query, framing, fields })
}

impl<'b> Head<'b> {
    /// Values of every line of this name, given in lower case.
    pub fn values(&self, name: &str) -> Vec<&'b [u8]> {
        values(&self.fields, name)
    }

    /// The elements of the list that these lines make, in lower case.
    pub fn list(&self, name: &str) -> Vec<Vec<u8>> {
        list(&self.fields, name)
    }
}

fn values<'b>(fields: &[(Vec<u8>, &'b [u8])], name: &str) -> Vec<&'b [u8]> {
    fields.iter().filter(|field| field.0 == name.as_bytes()).map(|field| field.1).collect()
}

fn list(fields: &[(Vec<u8>, &[u8])], name: &str) -> Vec<Vec<u8>> {
    let elements = values(fields, name).into_iter().flat_map(|value| value.split(|byte| *byte == b','));
    elements.map(|one| trim(one).to_ascii_lowercase()).filter(|one| !one.is_empty()).collect()
}

fn field(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_field = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
    let is_value = value.iter().all(|byte| is_text(*byte));
    (is_field && is_value).then(|| (name.to_ascii_lowercase(), trim(value)))
}

fn trim(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(begin) = value.iter().position(|byte| !is_space(byte)) else { return &[] };
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(begin, |last| last + 1);
    &value[begin..end]
}

fn target_parts<'b>(method: &[u8], target: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
    if target.is_empty() || !target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#') {
        return None;
    }
    if target == b"*" && method == b"OPTIONS" {
        return Some((target, b""));
    }
    let origin = if target[0] == b'/' { target } else { without_authority(target)? };
    let (path, query) = match origin.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&origin[..mark], &origin[mark + 1..]),
        None => (origin, &b""[..]),
    };
    Some((if path.is_empty() { b"/" } else { path }, query))
}

fn without_authority(target: &[u8]) -> Option<&[u8]> {
    let lower = target.to_ascii_lowercase();
    let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| lower.starts_with(scheme))?;
    let rest = &target[scheme.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    (end > 0 && rest[0] != b':' && is_host(&rest[..end])).then_some(&rest[end..])
}

/// `uri-host [ ":" port ]` (RFC 3986, section 3.2.2), with nothing in brackets but IPv6.
fn is_host(value: &[u8]) -> bool {
    let text: String = value.iter().map(|byte| char::from(*byte)).collect();
    let (host, port) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let host_is_good = match host.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']').is_some_and(|literal| literal.parse::<Ipv6Addr>().is_ok()),
        None => {
            let is_name = host.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=".contains(c));
            is_name && decoded(host.as_bytes()).is_some()
        }
    };
    let port_is_good = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    host_is_good && (port.is_empty() || port.strip_prefix(':').is_some_and(port_is_good))
}

/// What the fields make of the body (RFC 9112, section 6.3), or `None` where the head is refused for it.
fn framing(fields: &[(Vec<u8>, &[u8])]) -> Option<Framing> {
    let hosts = values(fields, "host");
    let is_good = hosts.len() == 1
        && is_host(hosts[0])
        && list(fields, "expect").iter().all(|expected| expected == b"100-continue");
    let (lengths, codings) = (values(fields, "content-length"), values(fields, "transfer-encoding"));
    let framing = match (&lengths[..], &codings[..]) {
        ([], []) => Framing::Empty,
        ([], [one]) if one.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        ([length], []) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            Framing::Length(std::str::from_utf8(length).ok()?.parse().ok()?)
        }
        _ => return None,
    };
    is_good.then_some(framing)
}
