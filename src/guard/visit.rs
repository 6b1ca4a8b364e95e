//! The access log: who asked what, and what came of it, as one line of text or JSON.
//!
//! Always true: a line holds no query, no secret and no state. What a peer chose (path, user agent) is bounded
//! and has no control character left, so a line is one line. Nothing is made of any of it while the log is off.
//!
//! Read first: `wire/request.rs`.

use core::fmt::{self, Write};

use compact_str::CompactString;

use crate::guard::address::Address;
use crate::wire::request::{Head, Method};

/// As much of a path as is written: a key with every character percent-encoded fits.
const PATH_BYTES_MAX: usize = 512;
/// As much of a user agent.
const AGENT_BYTES_MAX: usize = 160;

/// What is known of a request once its head was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visit {
    /// The method; `-` for one that nobody knows.
    pub method: &'static str,
    /// The path, still percent-encoded, without the query.
    pub path: CompactString,
    /// What the peer calls itself; empty where it does not say.
    pub agent: CompactString,
    /// The name of its API key; empty where none was good.
    pub key: CompactString,
    /// Where it comes from, proxies of ours taken away.
    pub address: Option<Address>,
    /// When its head was there, in microseconds of the runtime's clock.
    pub began_us: u64,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happening {
    /// A request was answered.
    Request,
    /// A stream began.
    StreamBegan,
    /// A stream ended, with this close code if one was said (RFC 6455, section 7.4).
    StreamEnded(Option<u16>),
}

/// One line of the log, before it is text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When, in Unix milliseconds.
    pub wall_ms: u64,
    /// What happened.
    pub happening: Happening,
    /// Who asked what; nothing where no head could be read.
    pub visit: Option<Box<Visit>>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer, its head included; of a stream all that was ever sent to it.
    pub bytes: u64,
    /// How long it took, in microseconds; the runtime fills it in.
    pub took_us: u64,
}

impl Visit {
    /// What a head says of its request.
    pub fn of(head: &Head<'_>, key: &str, address: Option<Address>, began_us: u64) -> Visit {
        Visit {
            method: name_of(head.method),
            path: escape(head.path.as_bytes(), PATH_BYTES_MAX),
            agent: escape(head.field("user-agent").unwrap_or_default(), AGENT_BYTES_MAX),
            key: CompactString::from(key),
            address,
            began_us,
        }
    }
}

fn name_of(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
        Method::Post => "POST",
        Method::Other => "-",
    }
}

/// At most so many characters; what is not plain visible ASCII or a space becomes `\xNN`, as do quotes and
/// backslashes, so that no reader of the log has to know who wrote it.
fn escape(bytes: &[u8], most: usize) -> CompactString {
    let mut text = CompactString::default();
    for byte in bytes {
        let is_plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.len() + if is_plain { 1 } else { 4 } > most {
            text.push('…');
            break;
        }
        if is_plain {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

impl Line {
    /// As people read it, with a line end.
    pub fn write_text(&self, time: impl fmt::Display, out: &mut String) {
        let _ = write!(out, "{time} {}", self.name());
        let visit = self.visit.as_deref();
        let word = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
        let method = visit.map_or("-", |visit| visit.method);
        let _ = write!(out, " {method} {}", word(visit.map(|visit| visit.path.as_str())));
        let _ = write!(out, " {} {}B {}us", self.status, self.bytes, self.took_us);
        if let Happening::StreamEnded(code) = self.happening {
            let _ = write!(out, " code={}", code.map_or_else(|| "-".to_owned(), |code| code.to_string()));
        }
        let address = visit.and_then(|visit| visit.address).map(|address| address.to_string());
        let _ = write!(out, " key={}", escape_spaces(&word(visit.map(|visit| visit.key.as_str()))));
        let _ = write!(out, " from={}", word(address.as_deref()));
        let _ = writeln!(out, " agent=\"{}\"", visit.map_or("", |visit| visit.agent.as_str()));
    }

    /// As machines read it: one JSON object, with a line end.
    pub fn write_json(&self, time: impl fmt::Display, out: &mut String) {
        let text = |text: &str| serde_json::Value::from(text);
        let visit = self.visit.as_deref();
        let _ = write!(out, r#"{{"time":"{time}","event":"{}""#, self.name());
        if let Some(visit) = visit {
            let _ = write!(out, r#","method":"{}","path":{}"#, visit.method, text(&visit.path));
        }
        let _ = write!(out, r#","status":{},"bytes":{},"us":{}"#, self.status, self.bytes, self.took_us);
        if let Happening::StreamEnded(Some(code)) = self.happening {
            let _ = write!(out, r#","code":{code}"#);
        }
        if let Some(visit) = visit.filter(|visit| !visit.key.is_empty()) {
            let _ = write!(out, r#","key":{}"#, text(&visit.key));
        }
        if let Some(address) = visit.and_then(|visit| visit.address) {
            let _ = write!(out, r#","address":"{address}""#);
        }
        if let Some(visit) = visit.filter(|visit| !visit.agent.is_empty()) {
            let _ = write!(out, r#","agent":{}"#, text(&visit.agent));
        }
        out.push_str("}\n");
    }

    fn name(&self) -> &'static str {
        match self.happening {
            Happening::Request => "request",
            Happening::StreamBegan => "stream_began",
            Happening::StreamEnded(_) => "stream_ended",
        }
    }
}

/// The operator's names are theirs; in a line of words they must not look like two.
fn escape_spaces(text: &str) -> String {
    text.replace(|c: char| c.is_whitespace() || c.is_control(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::wire::request;

    fn visit(target: &str, agent: &str) -> Visit {
        let text = format!(
            "PUT {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer lux_secret\r\nUser-Agent: {agent}\r\n\r\n"
        );
        let head = request::parse(text.as_bytes(), &Limits::default()).unwrap();
        Visit::of(&head, "wall", Address::parse(b"192.0.2.7"), 5)
    }

    fn lines(line: &Line) -> (String, String) {
        let (mut text, mut json) = (String::new(), String::new());
        line.write_text("T", &mut text);
        line.write_json("T", &mut json);
        (text, json)
    }

    fn line(happening: Happening, visit: Option<Visit>) -> Line {
        let visit = visit.map(Box::new);
        Line { wall_ms: 0, happening, visit, status: 200, bytes: 187, took_us: 41 }
    }

    #[test]
    fn a_line_says_who_asked_what_and_what_came_of_it() {
        let (text, json) = lines(&line(Happening::Request, Some(visit("/api/lux/a?apiKey=x", "curl/8"))));
        assert_eq!(text, "T request PUT /api/lux/a 200 187B 41us key=wall from=192.0.2.7 agent=\"curl/8\"\n");
        assert_eq!(
            json,
            r#"{"time":"T","event":"request","method":"PUT","path":"/api/lux/a","status":200,"bytes":187,"us":41,"key":"wall","address":"192.0.2.7","agent":"curl/8"}"#
                .to_owned()
                + "\n"
        );
        assert!(!json.contains("apiKey") && !json.contains("secret"));
        let (text, json) = lines(&line(Happening::StreamEnded(Some(1012)), None));
        assert_eq!(text, "T stream_ended - - 200 187B 41us code=1012 key=- from=- agent=\"\"\n");
        assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["code"] == 1012);
    }

    #[test]
    fn what_a_peer_chose_stays_on_its_line_and_is_bounded() {
        let agent = format!("a\tb\"c\\d\u{e9}{}", "x".repeat(1_000));
        let visit = visit(&format!("/{}", "k".repeat(4_000)), &agent);
        assert!(visit.path.chars().count() <= PATH_BYTES_MAX + 1);
        assert!(visit.agent.chars().count() <= AGENT_BYTES_MAX + 1);
        assert!(visit.agent.starts_with("a\\x09b\\x22c\\x5cd\\xc3\\xa9xxx"), "{}", visit.agent);
        let (text, json) = lines(&line(Happening::Request, Some(visit)));
        for one in [&text, &json] {
            assert_eq!(one.matches('\n').count(), 1);
            assert!(one.trim_end().chars().all(|c| !c.is_control()));
        }
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        assert_eq!(escape_spaces("two words\n"), "two_words_");
    }
}
