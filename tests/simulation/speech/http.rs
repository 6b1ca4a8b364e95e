//! HTTP/1.1 as a client speaks it (RFC 9112).
//!
//! Always true: an answer is whole before anybody sees it; whether it has a body follows from its status and
//! from the method that was asked.
//!
//! Read first: `speech/mod.rs`.

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its fields, names in small letters.
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection ends with it.
    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }

    /// The epoch and the revision of its `ETag`.
    pub fn etag(&self) -> Option<(&str, u64)> {
        let tag = self.field("etag")?.strip_prefix('"')?.strip_suffix('"')?;
        let (epoch, rev) = tag.split_once('.')?;
        Some((epoch, rev.parse().ok()?))
    }
}

/// Takes one answer from the front of what was heard. `bare` says that the method was HEAD; whoever is told
/// that its head took too long gets a body all the same, since nobody knew the method.
pub fn take_answer(heard: &mut Vec<u8>, bare: bool) -> Result<Option<Answer>, String> {
    let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if heard.len() > 64 * 1024 {
            Err("an answer's head without an end".into())
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&heard[..end]).map_err(|_| "an answer's head is not UTF-8")?;
    let mut answer = parse_head(head)?;
    let is_bare = bare && answer.status != 408;
    let has_body = !is_bare && answer.status >= 200 && !matches!(answer.status, 204 | 304);
    let length = match answer.field("content-length") {
        Some(length) => length.parse::<usize>().map_err(|_| format!("a length of {length}"))?,
        None if answer.field("content-type") == Some("text/event-stream") => 0,
        None if has_body => return Err(format!("a {} without a length", answer.status)),
        None => 0,
    };
    let body_len = if has_body { length } else { 0 };
    if heard.len() < end + 4 + body_len {
        return Ok(None);
    }
    answer.body = heard[end + 4..end + 4 + body_len].to_vec();
    heard.drain(..end + 4 + body_len);
    Ok(Some(answer))
}

fn parse_head(head: &str) -> Result<Answer, String> {
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| format!("`{line}` is no status line"))?;
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("`{line}` is no field"))?;
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(Answer { status, fields, body: Vec::new() })
}

/// One request, being written.
pub struct Request {
    head: String,
    body: Option<Vec<u8>>,
    chunk: Option<usize>,
}

impl Request {
    /// A request with a key.
    pub fn new(method: &str, target: &str, secret: &str) -> Request {
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: broker:7373\r\nAuthorization: Bearer {secret}\r\n");
        Request { head, body: None, chunk: None }
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: &str) -> Request {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Gives it a body; in chunks of so many bytes, or with its length.
    pub fn body(mut self, body: Vec<u8>, chunk: Option<usize>) -> Request {
        self.body = Some(body);
        self.chunk = chunk;
        self
    }

    /// Its bytes.
    pub fn bytes(self) -> Vec<u8> {
        let mut out = self.head.into_bytes();
        match (self.body, self.chunk) {
            (None, _) => out.extend_from_slice(b"\r\n"),
            (Some(body), None) => {
                out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                out.extend_from_slice(&body);
            }
            (Some(body), Some(chunk)) => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for (at, piece) in body.chunks(chunk.max(1)).enumerate() {
                    // All extensions of a body share 1 KiB.
                    let extension = if at == 0 { ";by=hand" } else { "" };
                    out.extend_from_slice(format!("{:x}{extension}\r\n", piece.len()).as_bytes());
                    out.extend_from_slice(piece);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        out
    }
}
