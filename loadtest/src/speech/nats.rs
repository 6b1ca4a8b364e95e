//! NATS's text protocol.
//!
//! Always true: producers are verbose, so the server says `+OK` when it has parsed a write and handed it to
//! whoever watches: that is its acknowledgement. Core NATS keeps no state, so there is no snapshot. A key's dashes
//! part its subject's tokens.
//!
//! Read first: `speech/mod.rs`.

use memchr::memmem;

use crate::http::{Progress, Request};
use crate::speech::{Greeting, Reply, Said, Speech, binary, handshake};

/// NATS.
pub struct Nats;

fn subject(pattern: &str) -> String {
    pattern.replace('-', ".")
}

fn connect(verbose: bool) -> String {
    format!("CONNECT {{\"verbose\":{verbose},\"pedantic\":false,\"lang\":\"rust\",\"version\":\"0\"}}\r\n")
}

/// Reads one line, without its end.
fn read_line(bytes: &[u8]) -> Progress<&[u8]> {
    const LINE_MAX: usize = 64 * 1024;
    match memmem::find(bytes, b"\r\n") {
        Some(end) => Progress::Done(&bytes[..end], end + 2),
        None if bytes.len() > LINE_MAX => Progress::Broken("a line without end"),
        None => Progress::NeedMore,
    }
}

impl Speech for Nats {
    fn put(&self, _host: &str, key: &str, state: &str) -> Request {
        Request::new(format!("PUB {} {}\r\n{state}\r\n", subject(key), state.len()).into())
    }

    fn producer_greeting(&self) -> Vec<u8> {
        format!("{}PING\r\n", connect(true)).into()
    }

    fn read_reply(&self, bytes: &[u8]) -> Progress<Reply> {
        read_line(bytes).map(|line| match line {
            b"+OK" => Reply::Answer(200),
            b"PONG" => Reply::Greeted,
            b"PING" => Reply::Asked(b"PONG\r\n"),
            line if line.starts_with(b"-ERR") => Reply::Answer(500),
            _ => Reply::Aside,
        })
    }

    fn watch(&self, host: &str, pattern: &str) -> Option<Greeting> {
        let hello = format!("{}SUB {} 1\r\nPING\r\n", connect(false), subject(pattern));
        Some(Greeting { handshake: handshake(host, "/", ""), hello: binary(hello.as_bytes()) })
    }

    fn read_message<'a>(&self, bytes: &'a [u8]) -> Progress<Said<'a>> {
        let (line, used) = match read_line(bytes) {
            Progress::Done(line, used) => (line, used),
            Progress::NeedMore => return Progress::NeedMore,
            Progress::Broken(why) => return Progress::Broken(why),
        };
        if !line.starts_with(b"MSG ") {
            return match line {
                b"PONG" => Progress::Done(Said::synced(), used),
                b"PING" => Progress::Done(Said { asked: Some(b"PONG\r\n"), ..Said::default() }, used),
                line if line.starts_with(b"-ERR") => Progress::Broken("the server said -ERR"),
                _ => Progress::Done(Said::default(), used),
            };
        }
        let length = line.rsplit(|byte| *byte == b' ').next().and_then(|text| std::str::from_utf8(text).ok());
        match length.and_then(|text| text.parse::<usize>().ok()) {
            Some(length) => match bytes.get(used..used + length + 2) {
                Some(payload) => Progress::Done(Said::state(&payload[..length]), used + length + 2),
                None => Progress::NeedMore,
            },
            None => Progress::Broken("a message without a length"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_whole_and_never_early() {
        let bytes = b"MSG load.a 1 5\r\nhello\r\nPING\r\n";
        for cut in 0..23 {
            assert_eq!(Nats.read_message(&bytes[..cut]), Progress::NeedMore, "cut at {cut}");
        }
        assert_eq!(Nats.read_message(bytes), Progress::Done(Said::state(b"hello"), 23));
        assert!(matches!(Nats.read_message(&bytes[23..]), Progress::Done(Said { asked: Some(_), .. }, 6)));
    }

    #[test]
    fn only_words_about_writes_are_answers() {
        assert_eq!(Nats.read_reply(b"+OK\r\n"), Progress::Done(Reply::Answer(200), 5));
        assert_eq!(Nats.read_reply(b"-ERR 'x'\r\n"), Progress::Done(Reply::Answer(500), 10));
        assert_eq!(Nats.read_reply(b"INFO {}\r\n"), Progress::Done(Reply::Aside, 9));
    }
}
