//! Answers, read more strictly than any browser would.
//!
//! Always true: an answer that parses here obeys RFC 9112: one framing, CRLF, legal field names and values,
//! no body where none may be, a `Date`.
//!
//! Read first: `harness/mod.rs`.

use super::record::{Record, Trouble};

/// The status line and the fields of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The status.
    pub status: u16,
    fields: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status line and the fields.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Head {
    /// Takes a head off the front of `bytes`: it, and how long it is. `None` while it is not all there.
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Option<(Head, usize)> {
        let length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&bytes[..length - 4]).expect("a head of UTF-8");
        let mut lines = text.split("\r\n");
        let status = parse_status_line(lines.next().unwrap());
        let head = Head { status, fields: lines.map(parse_field).collect() };
        for single in ["content-length", "transfer-encoding", "content-type", "date", "etag", "connection"] {
            assert!(head.all(single).count() <= 1, "two {single} in {head:?}");
        }
        if status >= 200 {
            let date = head.field("Date").unwrap_or_else(|| panic!("no Date in {head:?}"));
            assert!(date.len() == 29 && date.ends_with(" GMT"), "not an HTTP date: {date}");
        }
        Some((head, length))
    }

    /// A field's value; the first where there are several.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All the values of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// A list-valued field's elements, lower-cased.
    pub fn elements(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(|value| value.split(',')).map(|one| one.trim().to_ascii_lowercase()).collect()
    }

    /// Whether the broker says that it closes the connection.
    pub fn says_close(&self) -> bool {
        self.elements("Connection").iter().any(|one| one == "close")
    }
}

fn parse_status_line(line: &str) -> u16 {
    let rest = line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("status line {line:?}"));
    assert!(rest.len() >= 4 && rest.as_bytes()[3] == b' ', "status line {line:?}");
    assert!(!line.contains(|c: char| c.is_control()), "status line {line:?}");
    rest[..3].parse().unwrap_or_else(|_| panic!("status line {line:?}"))
}

fn parse_field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("field {line:?}"));
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    assert!(!name.is_empty() && name.chars().all(token), "field name {name:?}");
    assert!(!value.contains(|c: char| c.is_control() && c != '\t'), "field value {value:?}");
    (name.to_string(), value.trim().to_string())
}

impl Answer {
    /// Takes a whole answer off the front of `bytes`. `None` while it is not all there.
    #[track_caller]
    pub fn parse(bytes: &[u8], method: &str, ended: bool) -> Option<(Answer, usize)> {
        let (head, start) = Head::parse(bytes)?;
        let length = head.field("Content-Length").map(|text| text.parse::<usize>().expect("digits"));
        let chunked = head.field("Transfer-Encoding").is_some();
        assert!(length.is_none() || !chunked, "two framings in {head:?}");
        if head.status < 200 || head.status == 204 {
            assert!(length.is_none() && !chunked, "a body announced where none may be: {head:?}");
        }
        if method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304 {
            return Some((Answer { head, body: Vec::new() }, start));
        }
        let rest = &bytes[start..];
        let (body, used) = match length {
            Some(length) => (rest.get(..length)?.to_vec(), length),
            None if chunked => {
                assert_eq!(head.elements("Transfer-Encoding"), ["chunked"]);
                dechunk(rest)?
            }
            None => {
                assert!(head.says_close(), "neither a length nor a close in {head:?}");
                ended.then(|| (rest.to_vec(), rest.len()))?
            }
        };
        Some((Answer { head, body }, start + used))
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of UTF-8")
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        assert_eq!(self.status(), status, "{:?}\n{text}", self.head);
        self
    }

    /// The record in the body, as JSON with the right type.
    #[track_caller]
    pub fn record(&self) -> Record {
        self.assert_json();
        Record::parse(self.text())
    }

    /// The `ETag`, quotes included.
    #[track_caller]
    pub fn etag(&self) -> String {
        let etag = self.field("ETag").unwrap_or_else(|| panic!("no ETag in {:?}", self.head));
        assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'), "ETag {etag}");
        etag.to_string()
    }

    /// The error in the body, if this is an answer with this status and one.
    #[track_caller]
    pub fn trouble(self, status: u16) -> Trouble {
        let answer = self.expect(status);
        answer.assert_json();
        Trouble::parse(answer.text())
    }

    #[track_caller]
    fn assert_json(&self) {
        let kind = self.field("Content-Type").unwrap_or_else(|| panic!("no Content-Type in {:?}", self.head));
        assert!(kind.starts_with("application/json"), "Content-Type {kind}");
    }
}

/// A chunked body off the front of `bytes`, without extensions or trailers: it, and how much it took.
pub fn dechunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let digits = std::str::from_utf8(&bytes[at..at + line]).expect("a chunk size");
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("chunk size {digits:?}"));
        let start = at + line + 2;
        body.extend(bytes.get(start..start + size)?);
        at = start + size + 2;
        assert_eq!(bytes.get(at - 2..at)?, b"\r\n", "a chunk ends with CRLF");
        if size == 0 {
            return Some((body, at));
        }
    }
}
