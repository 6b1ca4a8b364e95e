//! Answers to requests, as bytes.
//!
//! Always true: what a GET, a PUT's answer and a viewer see of a record are the same bytes. Every answer
//! carries its length, so the connection can go on.
//!
//! Read first: `conn/call.rs`, `wire/response.rs`.

use bytes::Bytes;

use crate::conn::call::{Cors, Format, Outcome, Protocol, Reply};
use crate::conn::outbox::Outbox;
use crate::console::CONTENT_SECURITY_POLICY;
use crate::ids::{Epoch, Rev};
use crate::metrics;
use crate::wire::WireError;
use crate::wire::record::Record;
use crate::wire::response::ResponseWriter;

/// What every answer of one turn shares.
pub struct Letterhead<'a> {
    /// Stands in every `ETag`.
    pub epoch: &'a Epoch,
    /// The time, as `Date` has it.
    pub date: &'a str,
}

/// `100 Continue`, whole.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Bodies up to this size are written behind their head; larger ones are shared.
const COPY_BYTES_MAX: usize = 4 * 1024;

/// What the head of an answer usually takes, so that its buffer is made once.
const HEAD_BYTES_USUAL: usize = 320;

const JSON: &str = "application/json";

/// Writes an answer into the peer's outbox; says its status.
pub fn write(outbox: &mut Outbox, reply: &Reply, format: &Format, letterhead: &Letterhead<'_>) -> u16 {
    match reply {
        Reply::Outcome(outcome) => write_outcome(outbox, outcome, format, letterhead),
        Reply::Unchanged(rev) => {
            let answer = Answer { etag: Some(*rev), ..Answer::new(304) };
            answer.write(outbox, format, letterhead)
        }
        Reply::Page(json) => json_answer(200, json.clone()).write(outbox, format, letterhead),
        Reply::File { content_type, bytes } => {
            let body = Some((*content_type, bytes.clone()));
            let answer = Answer { body, cache: "no-cache", is_page: true, ..Answer::new(200) };
            answer.write(outbox, format, letterhead)
        }
        Reply::Text(status, bytes) => {
            let body = Some(("text/plain; charset=utf-8", bytes.clone()));
            Answer { body, ..Answer::new(*status) }.write(outbox, format, letterhead)
        }
        Reply::Metrics(bytes) => {
            let body = Some((metrics::CONTENT_TYPE, bytes.clone()));
            Answer { body, ..Answer::new(200) }.write(outbox, format, letterhead)
        }
        Reply::Options(allow) => {
            let answer = Answer { allow: Some(allow), is_preflight: true, ..Answer::new(204) };
            answer.write(outbox, format, letterhead)
        }
        Reply::EventsHead => {
            write_stream_head(outbox, &Protocol::Events, format, letterhead);
            200
        }
        Reply::Error(error) => write_error(outbox, error, format, letterhead),
    }
}

/// Writes the head of a stream's answer; everything after it is frames or events.
pub fn write_stream_head(
    outbox: &mut Outbox,
    protocol: &Protocol,
    format: &Format,
    letterhead: &Letterhead<'_>,
) {
    match protocol {
        Protocol::Socket { accept, subprotocol } => {
            let mut out = ResponseWriter::begin(outbox.tail(), 101);
            out.field("Upgrade", "websocket");
            out.field("Connection", "Upgrade");
            out.field("Sec-WebSocket-Accept", accept);
            if *subprotocol {
                out.field("Sec-WebSocket-Protocol", "lux.v1");
            }
            out.end();
        }
        Protocol::Events => {
            let mut out = ResponseWriter::begin(outbox.tail(), 200);
            write_date(&mut out, letterhead);
            out.field("Content-Type", "text/event-stream");
            out.field("Cache-Control", "no-store");
            out.field("X-Accel-Buffering", "no");
            out.field("Connection", "close");
            write_cors(&mut out, &format.cors);
            out.end();
        }
    }
}

fn write_outcome(
    outbox: &mut Outbox,
    outcome: &Outcome,
    format: &Format,
    letterhead: &Letterhead<'_>,
) -> u16 {
    match outcome {
        Outcome::Written { record, .. } if format.minimal => {
            let answer = Answer { etag: Some(record.rev()), applied: true, ..Answer::new(204) };
            answer.write(outbox, format, letterhead)
        }
        Outcome::Written { record, created } => {
            let status = if *created { 201 } else { 200 };
            record_answer(status, record).write(outbox, format, letterhead)
        }
        Outcome::Deleted(record) => {
            let answer = Answer { etag: Some(record.rev()), ..Answer::new(204) };
            answer.write(outbox, format, letterhead)
        }
        Outcome::Found(record) if format.conditions.not_modified(Some(record.rev())) => {
            let answer = Answer { etag: Some(record.rev()), ..Answer::new(304) };
            answer.write(outbox, format, letterhead)
        }
        Outcome::Found(record) => record_answer(200, record).write(outbox, format, letterhead),
        Outcome::Missing => write_error(outbox, &WireError::NoState, format, letterhead),
        Outcome::Conflict(Some(record)) if format.may_read => {
            record_answer(412, record).write(outbox, format, letterhead)
        }
        Outcome::Conflict(_) => write_error(outbox, &WireError::PreconditionFailed, format, letterhead),
        Outcome::Refused(error) => write_error(outbox, error, format, letterhead),
    }
}

fn write_error(outbox: &mut Outbox, error: &WireError, format: &Format, letterhead: &Letterhead<'_>) -> u16 {
    let mut answer = json_answer(error.status(), Bytes::from(error.to_json()));
    answer.allow = error.allow();
    answer.authenticate = error.status() == 401;
    answer.retry = matches!(error.status(), 429 | 503);
    answer.write(outbox, format, letterhead)
}

fn record_answer(status: u16, record: &Record) -> Answer {
    Answer { etag: Some(record.rev()), ..json_answer(status, record.json()) }
}

fn json_answer(status: u16, json: Bytes) -> Answer {
    Answer { body: Some((JSON, json)), ..Answer::new(status) }
}

/// One answer, laid out.
struct Answer {
    status: u16,
    etag: Option<Rev>,
    body: Option<(&'static str, Bytes)>,
    cache: &'static str,
    allow: Option<&'static str>,
    authenticate: bool,
    retry: bool,
    applied: bool,
    is_page: bool,
    is_preflight: bool,
}

impl Answer {
    fn new(status: u16) -> Answer {
        Answer {
            status,
            etag: None,
            body: None,
            cache: "no-store",
            allow: None,
            authenticate: false,
            retry: false,
            applied: false,
            is_page: false,
            is_preflight: false,
        }
    }

    fn write(self, outbox: &mut Outbox, format: &Format, letterhead: &Letterhead<'_>) -> u16 {
        let status = self.status;
        let body_bytes = self.body.as_ref().map_or(0, |(_, body)| body.len());
        let copied_bytes = if body_bytes <= COPY_BYTES_MAX { body_bytes } else { 0 };
        outbox.tail().reserve(HEAD_BYTES_USUAL + copied_bytes);
        let mut out = ResponseWriter::begin(outbox.tail(), self.status);
        write_date(&mut out, letterhead);
        self.write_fields(&mut out, format, letterhead);
        write_cors(&mut out, &format.cors);
        if format.close {
            out.field("Connection", "close");
        }
        match &self.body {
            Some((content_type, body)) => {
                out.field("Content-Type", content_type);
                out.number("Content-Length", body.len() as u64);
            }
            None if self.status == 204 || self.status == 304 => {}
            None => {
                out.number("Content-Length", 0);
            }
        }
        out.end();
        if let Some((_, body)) = self.body.filter(|_| !format.head_only) {
            match body.len() <= COPY_BYTES_MAX {
                true => outbox.tail().extend_from_slice(&body),
                false => outbox.push_shared(body),
            }
        }
        status
    }

    fn write_fields(&self, out: &mut ResponseWriter<'_>, format: &Format, letterhead: &Letterhead<'_>) {
        if let Some(rev) = self.etag {
            out.etag(letterhead.epoch, rev);
        }
        out.field("Cache-Control", self.cache);
        if let Some(allow) = self.allow {
            out.field("Allow", allow);
        }
        if self.status == 415 {
            out.field("Accept-Patch", "application/merge-patch+json, application/json");
        }
        if self.status == 426 {
            out.field("Upgrade", "websocket");
            out.field("Sec-WebSocket-Version", "13");
        }
        if self.authenticate {
            out.field("WWW-Authenticate", "Bearer");
        }
        if self.retry {
            out.field("Retry-After", "1");
        }
        if self.applied {
            out.field("Preference-Applied", "return=minimal");
        }
        if self.is_page {
            write_page_fields(out);
        }
        if self.is_preflight && format.cors != Cors::Refused {
            out.field("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
            out.field(
                "Access-Control-Allow-Headers",
                "Authorization, Content-Type, If-Match, If-None-Match, Prefer",
            );
            out.field("Access-Control-Max-Age", "86400");
        }
    }
}

fn write_page_fields(out: &mut ResponseWriter<'_>) {
    out.field("Content-Security-Policy", CONTENT_SECURITY_POLICY);
    out.field("X-Content-Type-Options", "nosniff");
    out.field("Referrer-Policy", "no-referrer");
}

fn write_date(out: &mut ResponseWriter<'_>, letterhead: &Letterhead<'_>) {
    out.field("Date", letterhead.date);
}

fn write_cors(out: &mut ResponseWriter<'_>, cors: &Cors) {
    match cors {
        Cors::Any => out.field("Access-Control-Allow-Origin", "*"),
        Cors::Only(origin) => {
            out.field("Access-Control-Allow-Origin", origin);
            out.field("Vary", "Origin")
        }
        Cors::Refused => out.field("Vary", "Origin"),
    };
    if *cors != Cors::Refused {
        out.field("Access-Control-Expose-Headers", "ETag");
    }
}
