//! One HTTP connection, byte for byte.
//!
//! Always true: bytes that came and were not asked for yet stay; nothing is read past one answer.
//!
//! Read first: `request.rs` and `answer.rs`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::answer::Head;
use super::{Answer, PATIENCE, Request};

/// An open connection.
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
    ended: bool,
}

impl Http {
    /// Speaks over this stream.
    pub fn over(stream: TcpStream) -> Http {
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a deadline can be set");
        stream.set_nodelay(true).expect("small writes leave at once");
        Http { stream, buffer: Vec::new(), ended: false }
    }

    /// The stream itself, for a writer beside the reader.
    pub fn stream(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor is left")
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        if let Err(why) = self.stream.write_all(bytes) {
            panic!("could not send {} bytes: {why}", bytes.len());
        }
    }

    /// Sends these bytes to a peer that may have closed already.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn ask(&mut self, request: &Request) -> Answer {
        self.send(&request.bytes());
        self.answer_to(&request.method)
    }

    /// Reads the next answer, to a request with any method but HEAD.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads the next answer, to a request with this method.
    #[track_caller]
    pub fn answer_to(&mut self, method: &str) -> Answer {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "an answer without an end: {:?}", self.seen());
            if let Some((answer, used)) = Answer::parse(&self.buffer, method, self.ended) {
                self.buffer.drain(..used);
                return answer;
            }
            assert!(self.fill(), "closed before the answer was whole: {:?}", self.seen());
        }
    }

    /// Reads the head of the next answer, and leaves its body.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        loop {
            if let Some((head, used)) = Head::parse(&self.buffer) {
                self.buffer.drain(..used);
                return head;
            }
            assert!(self.fill(), "closed before the head was whole: {:?}", self.seen());
        }
    }

    /// Takes exactly so many bytes. `None` if the peer closes first.
    #[track_caller]
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Takes a line without its CRLF. `None` if the peer closes first.
    #[track_caller]
    pub fn take_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer[..at].to_vec();
                self.buffer.drain(..at + 2);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Takes whatever has come, at least a byte. `None` when the peer has closed.
    #[track_caller]
    pub fn take_some(&mut self) -> Option<Vec<u8>> {
        if self.buffer.is_empty() && !self.fill() {
            return None;
        }
        Some(std::mem::take(&mut self.buffer))
    }

    /// The next byte, which stays. `None` when the peer has closed.
    #[track_caller]
    pub fn peek_some(&mut self) -> Option<u8> {
        if self.buffer.is_empty() && !self.fill() {
            return None;
        }
        self.buffer.first().copied()
    }

    /// Checks that the peer closes, and says nothing more before.
    #[track_caller]
    pub fn expect_end(&mut self) {
        while self.fill() {}
        assert!(self.buffer.is_empty(), "more was said before the close: {:?}", self.seen());
    }

    /// Waits this long for a byte; whether one has come (or the end), so that there is something to read.
    pub fn readable_within(&mut self, wait: Duration) -> bool {
        if !self.buffer.is_empty() || self.ended {
            return true;
        }
        self.stream.set_read_timeout(Some(wait)).expect("a deadline can be set");
        let mut byte = [0];
        let came = match self.stream.peek(&mut byte) {
            Ok(_) => true,
            Err(why) => !matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
        came
    }

    /// Reads more. `false` at the end of the stream.
    #[track_caller]
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(count) => self.buffer.extend(&chunk[..count]),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) if why.kind() == ErrorKind::ConnectionReset => self.ended = true,
            Err(why) => panic!("{why} while waiting; so far {:?}", self.seen()),
        }
        !self.ended
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(600)]).into_owned()
    }
}
