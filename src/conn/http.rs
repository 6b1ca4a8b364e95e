//! One peer that speaks HTTP: requests out of its bytes, one at a time and in order.
//!
//! Always true: at most one exchange is under way; bytes that follow it wait. A body that nobody wants is
//! read and dropped when it is small, and ends the connection when it is not, so no byte of a body is ever
//! taken for a request.
//!
//! Read first: `conn/route.rs`, `wire/request.rs`, `wire/body.rs`.

use std::mem;

use crate::conn::call::{Call, Exchange, Format, Question};
use crate::conn::caller;
use crate::conn::mint::Mint;
use crate::conn::route::{self, House, Plan, Write, WriteKind};
use crate::guard::visit::Visit;
use crate::limits::{ANSWER_BYTES_MAX, BODY_READ_BYTES, HTTP_BYTES, SMALL_BODY_BYTES};
use crate::time::Now;
use crate::wire::body::BodyReader;
use crate::wire::framing::Framing;
use crate::wire::record::Draft;
use crate::wire::request::{self, Head};
use crate::wire::{Progress, WireError, json};

/// The reading side of an HTTP connection.
#[derive(Default)]
pub struct Http {
    stage: Stage,
    /// Bytes that arrived and are not understood yet, or wait for the exchange before them.
    held: Vec<u8>,
    is_being_read: bool,
    /// Heads read so far, wrapping.
    heads: u32,
    /// It was let in only to be told that it may not stay.
    pub is_turned_away: bool,
    /// What was counted for this connection.
    pub weighed_bytes: usize,
    /// Bytes of a write that is on its way to another core.
    pub away_bytes: usize,
    /// The request under way, for the access log.
    pub visit: Option<Box<Visit>>,
}

#[derive(Default)]
enum Stage {
    /// Between requests, or inside a head of which so many bytes were looked at.
    #[default]
    Waiting,
    Head {
        scanned: usize,
    },
    Body(Box<Body>),
    /// An exchange is being answered.
    Answering,
}

/// A body that did not come in one piece with its head.
struct Body {
    reader: BodyReader,
    bytes: Vec<u8>,
    /// What it may come to.
    most_bytes: usize,
    then: Then,
}

/// What the end of a body leads to.
enum Then {
    Write(Write),
    Mint(Mint),
    Exchange(Exchange),
    /// Refused already; the body is only read so that the connection can go on.
    Nothing,
}

/// What one look at the bytes came to.
pub enum Step {
    /// Nothing more without more bytes.
    NeedMore,
    /// Something was read that asks for nothing; look again.
    GoOn,
    /// The peer waits for `100 Continue` before it sends its body.
    Continue,
    /// A request, whole. Nothing further is read until [`Http::answered`].
    Exchange(Box<Exchange>),
    /// A refusal, to be sent at once. `Format::close` says whether the connection ends with it.
    Refused(WireError, Box<Format>),
    /// The rest of a request that was answered already cannot be read: the connection ends without a word,
    /// since a request has one final answer (RFC 9110, section 15).
    Lost,
}

/// Where a connection is, as far as its deadlines care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Between two requests.
    Idle,
    /// A head has begun.
    Head,
    /// A body has begun.
    Body,
    /// A body has begun whose request was answered already.
    Rest,
    /// The peer waits for us.
    Answering,
}

impl Http {
    /// Where the connection is.
    pub fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Waiting => Phase::Idle,
            Stage::Head { .. } => Phase::Head,
            Stage::Body(body) if matches!(body.then, Then::Nothing) => Phase::Rest,
            Stage::Body(_) => Phase::Body,
            Stage::Answering => Phase::Answering,
        }
    }

    /// Tells one request's head or body from the next one's.
    pub fn heads(&self) -> u32 {
        self.heads
    }

    /// The exchange under way has its answer; the next request may be read.
    pub fn answered(&mut self) {
        debug_assert!(matches!(self.stage, Stage::Answering));
        self.stage = Stage::Waiting;
        self.away_bytes = 0;
    }

    /// How many bytes to read next; 0 while enough of them wait already.
    pub fn appetite(&self) -> usize {
        const READ_BYTES: usize = 2 * 1024;
        match &self.stage {
            Stage::Body(body) if !matches!(body.then, Then::Nothing) => {
                body.most_bytes.clamp(READ_BYTES, BODY_READ_BYTES)
            }
            Stage::Answering if self.held.len() >= ANSWER_BYTES_MAX => 0,
            Stage::Waiting | Stage::Head { .. } | Stage::Body(_) | Stage::Answering => READ_BYTES,
        }
    }

    /// Bytes of memory that were promised to this connection for what it sends.
    pub fn weight(&self) -> usize {
        HTTP_BYTES + self.held.capacity() + self.body_bytes() + self.away_bytes
    }

    /// The part of it that was promised to a body.
    pub fn body_bytes(&self) -> usize {
        match &self.stage {
            Stage::Body(body) => body.most_bytes + body.most_bytes.min(BODY_READ_BYTES),
            Stage::Waiting | Stage::Head { .. } | Stage::Answering => 0,
        }
    }

    /// Whether somebody is between `begin_reading` and `end_reading`.
    pub fn is_being_read(&self) -> bool {
        self.is_being_read
    }

    /// Begins to read: bytes that were held back go in front of the `fresh` ones.
    pub fn begin_reading(&mut self, fresh: &[u8]) -> Option<Vec<u8>> {
        self.is_being_read = true;
        if self.held.is_empty() {
            return None;
        }
        let mut held = mem::take(&mut self.held);
        held.extend_from_slice(fresh);
        Some(held)
    }

    /// Keeps what was not read.
    pub fn end_reading(&mut self, rest: &[u8]) {
        self.is_being_read = false;
        self.held.clear();
        self.held.extend_from_slice(rest);
    }

    /// Keeps what was not read, in the buffer it came in.
    pub fn end_reading_of(&mut self, mut bytes: Vec<u8>, at: usize) {
        self.is_being_read = false;
        bytes.drain(..at);
        self.held = bytes;
    }

    /// How many bytes wait to be read.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Looks at bytes that begin where the last look ended; says how many are done with, and what they were.
    pub fn next(&mut self, bytes: &[u8], house: &House, now: Now) -> (usize, Step) {
        match mem::take(&mut self.stage) {
            Stage::Waiting if bytes.is_empty() => (0, Step::NeedMore),
            Stage::Waiting => self.next_head(bytes, 0, house, now),
            Stage::Head { scanned } => self.next_head(bytes, scanned, house, now),
            Stage::Body(body) => self.next_body(bytes, body, house),
            Stage::Answering => {
                self.stage = Stage::Answering;
                (0, Step::NeedMore)
            }
        }
    }

    fn next_head(&mut self, bytes: &[u8], scanned: usize, house: &House, now: Now) -> (usize, Step) {
        let used = match request::find_end(bytes, scanned, &house.limits) {
            Ok(Progress::Done { used, .. }) => used,
            Ok(Progress::NeedMore) => {
                self.stage = Stage::Head { scanned: bytes.len() };
                return (0, Step::NeedMore);
            }
            Err(error) => {
                return (bytes.len(), refuse_and_close(error, Format::of_the_unread(&house.origins)));
            }
        };
        self.heads = self.heads.wrapping_add(1);
        let (head, rest) = bytes.split_at(used);
        let head = match request::parse(head, &house.limits) {
            Ok(head) => head,
            Err(error) => {
                return (bytes.len(), refuse_and_close(error, Format::of_the_unread(&house.origins)));
            }
        };
        house.guard.holder.replace(None);
        let plan = (house.manners.plan)(&head, house, now);
        if house.guard.keeps_log {
            self.visit = Some(Box::new(caller::visit(&head, house)));
        }
        let (body_used, step) = match plan {
            Ok(plan) => self.after_head(&head, plan, rest, house),
            Err(error) => self.refuse_head(&head, error, house),
        };
        (used + body_used, step)
    }

    fn after_head(&mut self, head: &Head<'_>, plan: Plan, rest: &[u8], house: &House) -> (usize, Step) {
        let then = match (plan, head.framing) {
            (Plan::Ready(exchange), Framing::Empty) => return (0, self.answering(exchange)),
            (Plan::Body(write), Framing::Empty) => return (0, self.finish(write, b"", house)),
            (Plan::Body(write), Framing::Length(length)) if length <= rest.len() as u64 => {
                return self.write_in_one_piece(write, &rest[..length as usize], house);
            }
            (Plan::Mint(mint), Framing::Empty) => return (0, self.mint(mint, b"", house)),
            (Plan::Mint(mint), _) => Then::Mint(mint),
            (Plan::Ready(exchange), _) => Then::Exchange(exchange),
            (Plan::Body(write), _) => Then::Write(write),
        };
        let most_bytes = most_bytes(head.framing, house);
        if most_bytes > SMALL_BODY_BYTES && most_bytes + BODY_READ_BYTES > house.guard.room_bytes {
            return self.refuse_head(head, WireError::Overloaded, house);
        }
        match BodyReader::new(head.framing, house.limits.body_bytes_max()) {
            Ok(reader) => {
                self.stage = Stage::Body(Box::new(Body { reader, bytes: Vec::new(), most_bytes, then }));
                let waits = head.expects_continue && rest.is_empty();
                (0, if waits { Step::Continue } else { Step::GoOn })
            }
            Err(error) => (rest.len(), refuse_and_close(error, route::format(head, house))),
        }
    }

    fn write_in_one_piece(&mut self, write: Write, body: &[u8], house: &House) -> (usize, Step) {
        match body.len() > house.limits.body_bytes_max() {
            true => {
                let error = WireError::BodyTooLarge(house.limits.body_bytes_max());
                (body.len(), refuse_and_close(error, write.format))
            }
            false => (body.len(), self.finish(write, body, house)),
        }
    }

    /// A refusal before the body was read: small bodies are read and dropped, others end the connection.
    fn refuse_head(&mut self, head: &Head<'_>, error: WireError, house: &House) -> (usize, Step) {
        let mut format = route::format(head, house);
        format.close |= error.closes();
        if head.framing != Framing::Empty && !format.close {
            match BodyReader::new(head.framing, house.limits.body_bytes_max()) {
                Ok(reader) if !head.expects_continue => {
                    let body = Body { reader, bytes: Vec::new(), most_bytes: 0, then: Then::Nothing };
                    self.stage = Stage::Body(Box::new(body));
                }
                Ok(_) | Err(_) => format.close = true,
            }
        }
        (0, Step::Refused(error, Box::new(format)))
    }

    fn next_body(&mut self, bytes: &[u8], mut body: Box<Body>, house: &House) -> (usize, Step) {
        match body.reader.read(bytes, &mut body.bytes) {
            Ok(Progress::NeedMore) => {
                if matches!(body.then, Then::Nothing) {
                    body.bytes.clear();
                }
                self.stage = Stage::Body(body);
                (bytes.len(), Step::NeedMore)
            }
            Ok(Progress::Done { used, .. }) => {
                let step = match body.then {
                    Then::Write(write) => self.finish(write, &body.bytes, house),
                    Then::Mint(mint) => self.mint(mint, &body.bytes, house),
                    Then::Exchange(exchange) => self.answering(exchange),
                    Then::Nothing => Step::GoOn,
                };
                (used, step)
            }
            Err(error) => {
                let format = match body.then {
                    Then::Write(write) => write.format,
                    Then::Mint(mint) => mint.format,
                    Then::Exchange(exchange) => exchange.format,
                    Then::Nothing => return (bytes.len(), Step::Lost),
                };
                (bytes.len(), refuse_and_close(error, format))
            }
        }
    }

    fn finish(&mut self, write: Write, body: &[u8], house: &House) -> Step {
        match question(&write, body, house) {
            Ok(make) => {
                let Write { key, conditions, by, format, .. } = write;
                let question = match make {
                    Made::Draft(draft) => Question::Put { key, draft, conditions, by },
                    Made::Patch(patch) => Question::Patch { key, patch, conditions, by },
                };
                self.answering(Exchange { call: Call::Key(question), format })
            }
            Err(error) => {
                let mut format = write.format;
                format.close |= error.closes();
                Step::Refused(error, Box::new(format))
            }
        }
    }

    fn mint(&mut self, mint: Mint, body: &[u8], house: &House) -> Step {
        match mint.carry_out(body, house) {
            Ok(reply) => self.answering(Exchange { call: Call::Answered(reply), format: mint.format }),
            Err(error) => Step::Refused(error, Box::new(mint.format)),
        }
    }

    fn answering(&mut self, exchange: Exchange) -> Step {
        self.stage = Stage::Answering;
        Step::Exchange(Box::new(exchange))
    }
}

/// What a body may come to: as long as it says, or as long as any may be.
fn most_bytes(framing: Framing, house: &House) -> usize {
    let most = house.limits.body_bytes_max();
    match framing {
        Framing::Empty => 0,
        Framing::Length(length) => usize::try_from(length).map_or(most, |length| length.min(most)),
        Framing::Chunked => most,
    }
}

enum Made {
    Draft(Draft),
    Patch(Vec<u8>),
}

fn question(write: &Write, body: &[u8], house: &House) -> Result<Made, WireError> {
    let nesting_max = house.limits.nesting_max;
    let mut patch = Vec::new();
    match write.kind {
        WriteKind::Put => return Draft::of_body(&write.key, body, &house.limits).map(Made::Draft),
        WriteKind::PatchData => json::data_into(body, nesting_max, &mut patch)?,
        WriteKind::Patch => json::value_into(body, nesting_max, &mut patch)?,
    }
    Ok(Made::Patch(patch))
}

fn refuse_and_close(error: WireError, mut format: Format) -> Step {
    format.close = true;
    Step::Refused(error, Box::new(format))
}
