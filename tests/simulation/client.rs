//! One peer of the broker: what it hears, and what it makes of it.
//!
//! Always true: a client knows only what was in the bytes it heard. Each answer is for the oldest question
//! without one.
//!
//! Read first: `expect.rs`, `view.rs`; what it asks for is in `wishes.rs`.

use std::collections::VecDeque;

use crate::breach::{Breach, Kept, breach, hold};
use crate::dice::Dice;
use crate::expect::{Ask, Expect, Sight};
use crate::plan::{Fault, Role};
use crate::speech::http::{self, Answer};
use crate::speech::record::{self, Said};
use crate::speech::{events, socket};
use crate::view::View;
use crate::world::Quiet;

/// What a connection speaks by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Questions and answers.
    Http,
    /// A WebSocket.
    Socket,
    /// Server-Sent Events.
    Events,
    /// Nothing more is expected from it.
    Ended,
}

/// A client's end of a connection.
pub struct Line {
    /// Which connection.
    pub sock: usize,
    /// What it speaks.
    pub mode: Mode,
    /// Questions without an answer, oldest first.
    pub expects: VecDeque<Expect>,
    /// Bytes that are not understood yet.
    heard: Vec<u8>,
    /// An answer said that a request was refused; its body may still be on the way, and be late.
    refused: bool,
    /// When such a request was asked last.
    refused_ms: u64,
    /// How many answers came.
    pub answers: usize,
    /// The client has said that it will send nothing more.
    pub said_end: bool,
    /// Why the stream ended, if the broker said so.
    pub close_code: Option<u16>,
    /// The client has asked for the stream to end.
    pub asked_close: bool,
    /// The client reads, and answers no ping.
    pub is_mute: bool,
    /// An answer said that it is the last.
    answered_last: bool,
}

/// One peer.
pub struct Client {
    /// What it is there for.
    pub role: Role,
    /// Its API key, by its place.
    pub holder: usize,
    /// Its connection.
    pub line: Option<Line>,
    /// What it holds as a viewer.
    pub view: View,
    /// The last revision it heard of each key.
    pub known: Vec<u64>,
    /// The pages it is going through: prefix, and where the next begins.
    pub page: Option<(String, Option<String>)>,
    /// Its chance.
    pub dice: Dice,
    /// The number of the next write; no two clients share one.
    pub next_number: u64,
}

impl Line {
    /// A connection that was just opened.
    pub fn new(sock: usize) -> Line {
        Line {
            sock,
            mode: Mode::Http,
            expects: VecDeque::new(),
            heard: Vec::new(),
            refused: false,
            refused_ms: 0,
            answers: 0,
            said_end: false,
            close_code: None,
            asked_close: false,
            is_mute: false,
            answered_last: false,
        }
    }
}

/// What a peer may rely on that asked and did not leave.
const PROMISED_ANSWER: &str = "never closed without an answer";

fn garbled(what: String) -> Breach {
    Breach { promise: "what the broker says can be understood", what }
}

impl Client {
    /// Bytes came; gives what the client answers to them at once.
    pub fn hear(&mut self, bytes: &[u8], sight: &mut Sight<'_>) -> Kept<Vec<u8>> {
        let Some(mut line) = self.line.take() else { return Ok(Vec::new()) };
        line.heard.extend_from_slice(bytes);
        let mut reply = Vec::new();
        if self.role == Role::Vandal {
            // Nobody holds the broker to what it says to who does not make sense.
            line.heard.clear();
        }
        let outcome = self.understand(&mut line, &mut reply, sight);
        self.line = Some(line);
        outcome.map(|()| reply)
    }

    fn understand(&mut self, line: &mut Line, reply: &mut Vec<u8>, sight: &mut Sight<'_>) -> Kept {
        let mut at = 0;
        loop {
            let before = line.heard.len();
            let went_on = match line.mode {
                Mode::Http => {
                    let went_on = self.understand_answer(line, sight)?;
                    (before != line.heard.len()) || went_on
                }
                Mode::Socket => match socket::read(&line.heard[at..]).map_err(garbled)? {
                    Some((frame, used)) => {
                        at += used;
                        self.take_frame(frame, line, reply, sight)?;
                        true
                    }
                    None => false,
                },
                Mode::Events => match events::read(&line.heard[at..]).map_err(garbled)? {
                    Some((event, used)) => {
                        at += used;
                        self.take_event(event, sight)?;
                        true
                    }
                    None => false,
                },
                Mode::Ended => {
                    let is_silent = line.heard.len() == at || self.role == Role::Vandal;
                    hold(is_silent, "nothing after the last word", || {
                        format!("{:?}", String::from_utf8_lossy(&line.heard[at..]))
                    })?;
                    false
                }
            };
            if !went_on {
                line.heard.drain(..at);
                return Ok(());
            }
        }
    }

    fn understand_answer(&mut self, line: &mut Line, sight: &mut Sight<'_>) -> Kept<bool> {
        if line.heard.is_empty() {
            return Ok(false);
        }
        let is_bare = line.expects.front().is_some_and(Expect::is_bare);
        let Some(answer) = http::take_answer(&mut line.heard, is_bare).map_err(garbled)? else {
            return Ok(false);
        };
        if answer.status == 100 {
            return Ok(true);
        }
        let Some(expect) = line.expects.pop_front() else {
            // A connection that idles for too long, or comes too late, is told so.
            let is_told = answer.closes() && matches!(answer.status, 408 | 503);
            hold(is_told, "answers in request order", || format!("{answer:?} to nothing"))?;
            line.mode = Mode::Ended;
            line.answered_last = true;
            return Ok(true);
        };
        line.answers += 1;
        if answer.status != 408 || !line.refused {
            expect.judge(&answer, sight)?;
        }
        if answer.status >= 400 {
            (line.refused, line.refused_ms) = (true, expect.at_ms);
        }
        self.learn(&expect, &answer, line, sight);
        if answer.closes() && line.mode == Mode::Http {
            line.mode = Mode::Ended;
            line.answered_last = true;
            line.expects.clear();
        }
        Ok(true)
    }

    /// Keeps what an answer taught.
    fn learn(&mut self, expect: &Expect, answer: &Answer, line: &mut Line, sight: &mut Sight<'_>) {
        let ok = matches!(answer.status, 101 | 200..=299);
        match &expect.ask {
            Ask::Write { key, .. } | Ask::Get { key, .. } | Ask::Wait { key, .. } => {
                if let Some((_, rev)) = answer.etag() {
                    self.known[*key] = rev;
                }
            }
            Ask::Delete { .. } | Ask::Plain(_) => {}
            Ask::List { prefix, .. } => {
                let next = record::read_page(&answer.body).ok().and_then(|page| page.2);
                self.page = next.filter(|_| ok).map(|next| (prefix.clone(), Some(next)));
            }
            Ask::Stream { patterns, single, resumed, is_socket } if ok => {
                line.mode = if *is_socket { Mode::Socket } else { Mode::Events };
                self.view.open(patterns.clone(), *single, *resumed, sight.truth);
                if let Some(asked) = self.view.pending.front_mut() {
                    asked.floors.clone_from(&expect.floors);
                }
            }
            Ask::Stream { .. } => {}
        }
    }

    fn take_frame(
        &mut self,
        frame: socket::Frame,
        line: &mut Line,
        reply: &mut Vec<u8>,
        sight: &mut Sight<'_>,
    ) -> Kept {
        match frame {
            socket::Frame::Text(text) => self.take_text(&text, None, sight),
            socket::Frame::Ping(_) if line.is_mute => Ok(()),
            socket::Frame::Ping(payload) => {
                reply.extend_from_slice(&socket::frame(socket::PONG, &payload, [1, 2, 3, 4]));
                Ok(())
            }
            socket::Frame::Pong(_) => Ok(()),
            socket::Frame::Close(code) => {
                line.close_code = Some(code);
                line.mode = Mode::Ended;
                if !line.asked_close {
                    reply.extend_from_slice(&socket::frame(socket::CLOSE, &code.to_be_bytes(), [9, 8, 7, 6]));
                }
                self.judge_close(code, line, sight)
            }
        }
    }

    fn judge_close(&self, code: u16, line: &Line, sight: &Sight<'_>) -> Kept {
        let (plan, asked) = (sight.plan, line.asked_close);
        let fits = match code {
            1000 => asked,
            1011 => {
                line.is_mute
                    || plan.has(Fault::Leap)
                    || plan.has(Fault::Deaf)
                    || plan.has(Fault::Stall)
                    || sight.now_ms > 60_000
            }
            1012 => sight.draining || plan.has(Fault::Tombstones),
            4401 => {
                // What was given up may still be watched where the word for it has not arrived.
                let mut patterns = self.view.patterns.iter().chain(&self.view.ended);
                let may = patterns.all(|pattern| sight.table.may_read(self.holder, pattern));
                !(may && sight.table.is_lasting(self.holder))
            }
            _ => false,
        };
        hold(fits, "a stream ends for a reason", || {
            format!("{code} to a viewer of {:?}, asked for: {asked}", self.view.patterns)
        })
    }

    fn take_event(&mut self, event: events::Event, sight: &mut Sight<'_>) -> Kept {
        let Some(data) = event.data else { return Ok(()) };
        hold(matches!(event.name.as_str(), "" | "synced"), "events have their names", || event.name.clone())?;
        self.take_text(&data, Some(event.id), sight)
    }

    fn take_text(&mut self, text: &[u8], id: Option<Option<String>>, sight: &mut Sight<'_>) -> Kept {
        match record::read(text).map_err(garbled)? {
            Said::Record(record) => {
                let expected = self.view.single.then(|| format!("{}.{}", sight.truth.epoch, record.rev));
                hold(id.is_none_or(|id| id == expected), "an event's id is its revision", || {
                    format!("revision {}", record.rev)
                })?;
                if let Some(key) = sight.truth.place(&record.key) {
                    self.known[key] = record.rev;
                }
                self.view.record(&record, sight.truth)
            }
            Said::Syncing(keys) => self.view.syncing(&keys),
            Said::Synced(epoch, keys) => {
                hold(epoch == sight.truth.epoch, "the epoch is of this life", || epoch.clone())?;
                self.view.synced(keys.as_deref(), sight.truth)
            }
            Said::Error(code) => self.take_error(&code, sight),
        }
    }

    /// A command was refused: only for want of a grant, since the others were well made.
    fn take_error(&mut self, code: &str, sight: &Sight<'_>) -> Kept {
        let Some(asked) = self.view.pending.pop_front() else {
            return breach("errors have a cause", code.to_owned());
        };
        let may = asked.patterns.iter().all(|pattern| sight.table.may_read(self.holder, pattern));
        let fits = code == "forbidden" && !(may && sight.table.is_lasting(self.holder));
        self.view.patterns.retain(|pattern| !asked.fresh.contains(pattern));
        hold(fits, "errors have a cause", || format!("{code} to {:?}", asked.patterns))
    }

    /// The broker has said all it will say on this connection; whole, or broken off.
    /// `quiet` is the longest time in which nothing reached the broker.
    pub fn ended(&mut self, whole: bool, quiet: Quiet, sight: &Sight<'_>) -> Kept {
        let Some(line) = self.line.take() else { return Ok(()) };
        let may = self.view.patterns.iter().all(|pattern| sight.table.may_read(self.holder, pattern));
        let is_sent_away = sight.draining || !may || !sight.table.is_lasting(self.holder);
        if !whole || self.role == Role::Vandal {
            return Ok(());
        }
        // In the middle of what we sent it may wait for the rest of a body whose request was refused with its head:
        // that one gets no second answer, and what stands behind it never came.
        let is_late = line.refused && sight.now_ms >= line.refused_ms + 30_000;
        let is_given_up = is_late || (line.answers > 0 && quiet.within_ms >= 30_000);
        let is_idle = quiet.ms >= if line.answers == 0 { 10_000 } else { 75_000 };
        let is_idle = is_idle || is_given_up || sight.draining;
        if line.said_end {
            // Who will say nothing more is answered what it asked before; but for a poll, which it has given up
            // with whatever stands behind it, and for streams, which end.
            let gives_up = |expect: &Expect| matches!(expect.ask, Ask::Wait { .. } | Ask::Stream { .. });
            let is_over = line.mode != Mode::Http || line.answered_last || is_idle;
            let is_answered = is_over || line.expects.is_empty() || line.expects.iter().any(gives_up);
            return hold(is_answered, PROMISED_ANSWER, || {
                format!("{:?} outstanding after its end", line.expects)
            });
        }
        hold(line.heard.is_empty(), "no answer is cut short", || format!("{:?}", line.heard))?;
        match line.mode {
            Mode::Http if line.answered_last => Ok(()),
            Mode::Http => hold(is_idle, PROMISED_ANSWER, || format!("{:?} outstanding", line.expects)),
            // A close frame that its viewer does not take within 30 s is given up.
            Mode::Socket => hold(is_sent_away, "a stream ends for a reason", || {
                "a socket closed without a close frame".to_owned()
            }),
            Mode::Events => {
                let fits = is_sent_away || sight.plan.has(Fault::Tombstones);
                hold(fits, "a stream ends for a reason", || "events ended".to_owned())
            }
            Mode::Ended => Ok(()),
        }
    }
}
