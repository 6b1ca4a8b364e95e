//! A viewer over Server-Sent Events, read as the HTML standard says.
//!
//! Always true: an event is shown once its empty line has come; comments are shown too, since the broker
//! owes them.
//!
//! Read first: `http.rs`.

use super::answer::Head;
use super::{Broker, Http, Request};

/// An open event stream.
pub struct Events {
    http: Http,
    chunked: bool,
    text: Vec<u8>,
    /// The answer's status line and fields.
    pub head: Head,
}

/// One event, or one comment.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Event {
    /// Its `event:`; `message` where it names none.
    pub name: String,
    /// Its `id:`.
    pub id: Option<String>,
    /// Its `data:` lines.
    pub data: String,
    /// A comment's text, where this is a comment and no event.
    pub comment: Option<String>,
}

impl Events {
    /// Opens `/api/lux/stream…` with `Accept: text/event-stream`.
    #[track_caller]
    pub fn open(broker: &Broker, rest: &str) -> Events {
        let request = Request::new("GET", &format!("/api/lux/stream{rest}"));
        Events::open_with(broker, request.field("Accept", "text/event-stream"))
    }

    /// Opens an event stream with this request.
    #[track_caller]
    pub fn open_with(broker: &Broker, request: Request) -> Events {
        let mut http = broker.http();
        http.send(&request.bytes());
        let head = http.head();
        assert_eq!(head.status, 200, "{head:?}");
        let kind = head.field("Content-Type").expect("a Content-Type");
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        assert_eq!(head.field("Content-Length"), None, "an event stream has no length");
        let chunked = head.field("Transfer-Encoding").is_some();
        assert!(chunked || head.says_close(), "neither chunked nor closed at its end: {head:?}");
        Events { http, chunked, text: Vec::new(), head }
    }

    /// The next event or comment. `None` at the end of the stream.
    #[track_caller]
    pub fn next_block(&mut self) -> Option<Event> {
        loop {
            if let Some(at) = self.text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..at + 2).collect();
                return Some(parse_block(std::str::from_utf8(&block).expect("events are UTF-8")));
            }
            let more = if self.chunked { self.next_chunk() } else { self.http.take_some() };
            self.text.extend(more?);
        }
    }

    /// The next event; comments are passed over. `None` at the end of the stream.
    #[track_caller]
    pub fn next(&mut self) -> Option<Event> {
        loop {
            let event = self.next_block()?;
            if event.comment.is_none() {
                return Some(event);
            }
        }
    }

    /// The next event, which must be there.
    #[track_caller]
    pub fn event(&mut self) -> Event {
        self.next().expect("an event, not the end")
    }

    fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.http.take_line()?;
        let digits = std::str::from_utf8(&line).expect("a chunk size");
        let size = usize::from_str_radix(digits, 16).expect("a chunk size");
        let chunk = self.http.take(size + 2)?;
        assert_eq!(&chunk[size..], b"\r\n");
        (size > 0).then(|| chunk[..size].to_vec())
    }
}

fn parse_block(block: &str) -> Event {
    let mut event = Event { name: "message".to_string(), ..Event::default() };
    let mut data = Vec::new();
    for line in block.split_terminator('\n').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_string();
        match name {
            "" => event.comment = Some(value),
            "event" => event.name = value,
            "id" => event.id = Some(value),
            "data" => data.push(value),
            "retry" => {}
            other => panic!("no such field in an event: {other:?}"),
        }
    }
    event.data = data.join("\n");
    event
}
