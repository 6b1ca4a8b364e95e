//! One producer's connection: requests out, answers in, in order.
//!
//! Always true: an answer belongs to the oldest request that has none; its latency counts from when the
//! request should have gone out, whenever it did.
//!
//! Read first: `speech/mod.rs`.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;

use crate::clock::Nanos;
use crate::failure::Failure;
use crate::http::Progress;
use crate::speech::{Reply, Speech};

/// One producer.
pub struct Producer {
    /// Its socket; `None` when it is gone.
    pub stream: Option<TcpStream>,
    /// Bytes that found no room yet.
    unsent: Vec<u8>,
    partial: Vec<u8>,
    /// When each unanswered request should have gone out.
    waiting: VecDeque<Nanos>,
    /// Length of the last answer, bytes.
    pub answer_bytes: usize,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Index of the producer.
    pub producer: usize,
    /// Its status.
    pub status: u16,
    /// When its request should have gone out.
    pub intended: Nanos,
    /// When the answer was read.
    pub at: Nanos,
}

impl Producer {
    /// A producer whose connection is up.
    pub fn new(stream: TcpStream) -> Producer {
        Producer {
            stream: Some(stream),
            unsent: Vec::new(),
            partial: Vec::new(),
            waiting: VecDeque::new(),
            answer_bytes: 0,
        }
    }

    /// Requests without an answer.
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a request to what goes out with the next [`Producer::flush`].
    pub fn queue(&mut self, request: &[u8], intended: Nanos) {
        self.unsent.extend_from_slice(request);
        self.waiting.push_back(intended);
    }

    /// Writes as much as there is room for.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        let mut written = 0;
        while written < self.unsent.len() {
            match stream.write(&self.unsent[written..]) {
                Ok(len) => written += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..written);
        Ok(())
    }

    /// Reads what is there; `clock` is asked once a read.
    pub fn read(
        &mut self,
        index: usize,
        buffer: &mut [u8],
        speech: &dyn Speech,
        clock: impl Fn() -> Nanos,
        answers: &mut Vec<Answer>,
    ) -> Result<(), String> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        loop {
            let len = match stream.read(buffer) {
                Ok(0) => return Err("the broker closed a producer's connection".to_owned()),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("reading an answer: {error}")),
            };
            let at = clock();
            let whole = self.partial.is_empty();
            if !whole {
                self.partial.extend_from_slice(&buffer[..len]);
            }
            let bytes = if whole { &buffer[..len] } else { &self.partial[..] };
            let mut used = 0;
            loop {
                match speech.read_reply(&bytes[used..]) {
                    Progress::Done(reply, bytes) => {
                        used += bytes;
                        match reply {
                            Reply::Answer(status) => {
                                self.answer_bytes = bytes;
                                let intended = self.waiting.pop_front().ok_or("an answer to nothing")?;
                                answers.push(Answer { producer: index, status, intended, at });
                            }
                            Reply::Asked(answer) => self.unsent.extend_from_slice(answer),
                            Reply::Greeted | Reply::Aside => {}
                        }
                    }
                    Progress::NeedMore => break,
                    Progress::Broken(why) => return Err(why.to_owned()),
                }
            }
            if whole {
                self.partial.extend_from_slice(&buffer[used..len]);
            } else {
                self.partial.drain(..used);
            }
            if len < buffer.len() {
                return Ok(());
            }
        }
    }
}

/// Says what a producer says first, and waits until it is answered. What comes in one piece with that answer is
/// let go: brokers say nothing more unasked.
///
/// # Errors
/// The broker refuses, or says nothing.
pub fn greet(stream: &mut std::net::TcpStream, speech: &dyn Speech) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let greeting = speech.producer_greeting();
    if greeting.is_empty() {
        return Ok(());
    }
    let failed = || Failure::of("greeting the broker as a producer");
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed())?;
    stream.write_all(&greeting).map_err(failed())?;
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match speech.read_reply(&heard) {
            Progress::Done(Reply::Greeted, _) => return Ok(()),
            Progress::Done(_, used) => _ = heard.drain(..used),
            Progress::Broken(why) => return Err(Failure::new(format!("greeting the broker: {why}"))),
            Progress::NeedMore => match stream.read(&mut buffer).map_err(failed())? {
                0 => return Err(Failure::new("the broker closed a producer's connection at once")),
                len => heard.extend_from_slice(&buffer[..len]),
            },
        }
    }
}
