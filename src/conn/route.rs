//! From a request's head to a plan: which path, which method, who asks, may they.
//!
//! Always true: whoever gets a plan was identified and granted first; a refusal names what to do. Nothing of
//! the body has been looked at.
//!
//! Read first: `conn/call.rs`, `wire/request.rs`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;

use crate::access::token::Passes;
use crate::access::{Access, Author, Holder, Origins};
use crate::conn::call::{Call, Cors, Exchange, Format, Protocol, Question, Reply, Viewing};
use crate::conn::caller::{allows_origin, behind_proxy};
use crate::conn::manners::Manners;
use crate::conn::mint::Mint;
use crate::conn::{accept, listing, overview};
use crate::console;
use crate::guard::Guard;
use crate::guard::rate::Rate;
use crate::ids::{Epoch, Rev};
use crate::key::{Key, Pattern};
use crate::limits::{Limits, WAIT_SECONDS_MAX};
use crate::time::Now;
use crate::wire::WireError;
use crate::wire::condition::{self, Conditions};
use crate::wire::framing::Framing;
use crate::wire::query;
use crate::wire::request::{Head, Method};
use crate::wire::upgrade;

/// What stays the same for every request of a core.
pub struct House {
    /// Stands in every `ETag`.
    pub epoch: Epoch,
    /// The operator's bounds.
    pub limits: Limits,
    /// Who may do what; replaced whole.
    pub access: Arc<Access>,
    /// Tokens that were verified lately.
    pub passes: RefCell<Passes>,
    /// Which pages may read answers and open sockets.
    pub origins: Origins,
    /// What requests and messages come to.
    pub manners: Manners,
    /// The broker is stopping.
    pub draining: bool,
    /// Who is being read, and what was counted of late.
    pub guard: Guard,
    /// States outlive the process, so that it may take writes to its end.
    pub keeps: bool,
}

/// A request whose body, if it needs one, is still to come.
pub enum Plan {
    /// Complete as it is.
    Ready(Exchange),
    /// A write that waits for its body.
    Body(Write),
    /// A wish for a token that waits for its body.
    Mint(Mint),
}

/// A granted write without its body.
pub struct Write {
    /// The key written to.
    pub key: Key,
    /// Which kind, and so what the body is.
    pub kind: WriteKind,
    /// Compare-and-set.
    pub conditions: Conditions,
    /// Who writes.
    pub by: Author,
    /// How to answer.
    pub format: Format,
}

/// What the body of a write is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteKind {
    /// `{"data": state}`.
    Put,
    /// `{"data": patch}`.
    PatchData,
    /// The patch itself.
    Patch,
}

const ALLOW_KEY: &str = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
pub(super) const ALLOW_PAGE: &str = "GET, HEAD, OPTIONS";
const ALLOW_TOKEN: &str = "POST, OPTIONS";

/// Decides what a head asks for.
pub fn plan(head: &Head<'_>, house: &House, now: Now) -> Result<Plan, WireError> {
    let format = format(head, house);
    if head.method == Method::Options {
        return Ok(ready(Call::Answered(Reply::Options(allowed(head.path))), format));
    }
    match head.path.strip_prefix("/api/lux") {
        Some("" | "/") => list(head, house, now, format),
        Some("/_explain") => overview::explain(head, house, now).map(|call| ready(call, format)),
        Some("/_token") => token(head, house, now, format),
        Some("/stream") => stream(head, house, now, None).map(|call| ready_stream(call, format)),
        Some(rest) if rest.starts_with('/') => match rest[1..].strip_prefix("stream/") {
            Some(pattern) => stream(head, house, now, Some(pattern)).map(|call| ready_stream(call, format)),
            None => key(head, house, now, &rest[1..], format),
        },
        Some(_) | None => page(head, house, now).map(|call| ready(call, format)),
    }
}

/// What a refusal to this head has to look like, whatever else is wrong with it.
pub fn format(head: &Head<'_>, house: &House) -> Format {
    let cors = match (house.origins.is_any(), head.field("origin")) {
        (true, _) => Cors::Any,
        (false, Some(origin)) if allows_origin(head, house) => {
            Cors::Only(CompactString::from_utf8_lossy(origin))
        }
        (false, Some(_) | None) => Cors::Refused,
    };
    let minimal = head.fields("prefer").any(prefers_minimal);
    Format {
        head_only: head.method == Method::Head,
        minimal,
        close: !head.keep_alive || house.draining,
        cors,
        ..Format::default()
    }
}

fn prefers_minimal(value: &[u8]) -> bool {
    let is_minimal = |token: &[u8]| token.trim_ascii().eq_ignore_ascii_case(b"return=minimal");
    value.split(|b| matches!(b, b',' | b';')).any(is_minimal)
}

fn allowed(path: &str) -> &'static str {
    match path.strip_prefix("/api/lux/") {
        None | Some("") => ALLOW_PAGE,
        Some("_token") => ALLOW_TOKEN,
        Some(rest) if rest == "stream" || rest.starts_with("stream/") => ALLOW_PAGE,
        Some("_explain") => ALLOW_PAGE,
        Some(_) => ALLOW_KEY,
    }
}

fn ready(call: Call, format: Format) -> Plan {
    Plan::Ready(Exchange { call, format })
}

/// An event stream ends with its connection; so does the answer to a HEAD for one, which has no length.
fn ready_stream(call: Call, mut format: Format) -> Plan {
    format.close |= matches!(call, Call::Answered(_));
    ready(call, format)
}

fn token(head: &Head<'_>, house: &House, now: Now, format: Format) -> Result<Plan, WireError> {
    let maker = identify(head, house, now)?;
    if head.method != Method::Post {
        return Err(WireError::MethodNotAllowed(ALLOW_TOKEN));
    }
    match maker {
        Holder::Token(_) => Err(WireError::Forbidden("make tokens, being one".to_owned())),
        Holder::Key(_) => Ok(Plan::Mint(Mint { maker, wall_ms: now.wall_ms, format })),
    }
}

fn page(head: &Head<'_>, house: &House, now: Now) -> Result<Call, WireError> {
    let reply = match head.path {
        "/healthz" => Reply::Text(200, Bytes::from_static(b"ok\n")),
        "/readyz" if house.draining => return Err(WireError::Draining),
        "/readyz" => Reply::Text(200, Bytes::from_static(b"ready\n")),
        "/metrics" => return overview::metrics(head, house, now),
        path => {
            let asset = console::find(path).ok_or(WireError::NotFound)?;
            Reply::File { content_type: asset.content_type, bytes: Bytes::from_static(asset.bytes) }
        }
    };
    only_get(head, ALLOW_PAGE)?;
    Ok(Call::Answered(reply))
}

pub(super) fn only_get(head: &Head<'_>, allow: &'static str) -> Result<(), WireError> {
    match head.method {
        Method::Get | Method::Head => Ok(()),
        Method::Put | Method::Patch | Method::Delete | Method::Options | Method::Post | Method::Other => {
            Err(WireError::MethodNotAllowed(allow))
        }
    }
}

fn key(
    head: &Head<'_>,
    house: &House,
    now: Now,
    segment: &str,
    mut format: Format,
) -> Result<Plan, WireError> {
    let holder = identify(head, house, now)?;
    let key = Key::parse(&query::decode_path(segment)?).map_err(WireError::BadKey)?;
    let kind = match head.method {
        Method::Get | Method::Head => return get(head, house, holder, key, format),
        Method::Put => Some(WriteKind::Put),
        Method::Patch => Some(patch_kind(head)?),
        Method::Delete => None,
        Method::Options | Method::Post | Method::Other => {
            return Err(WireError::MethodNotAllowed(ALLOW_KEY));
        }
    };
    if !house.access.may_write(&holder, &key) {
        return Err(WireError::Forbidden(format!("write {key}")));
    }
    if house.draining && !house.keeps {
        return Err(WireError::Draining);
    }
    house.guard.count_write(house.access.name(&holder), Rate::new(house.limits.writes_per_api_key), now)?;
    format.may_read = house.access.may_read(&holder, &Pattern::Exact(key.clone()));
    // What a patch makes is more than its producer wrote: only a reader sees it.
    format.minimal |= head.method == Method::Patch && !format.may_read;
    let conditions = Conditions::of(head, &house.epoch)?;
    let by = house.access.author(&holder);
    match kind {
        Some(kind) => Ok(Plan::Body(Write { key, kind, conditions, by, format })),
        None => Ok(ready(Call::Key(Question::Delete { key, conditions, by }), format)),
    }
}

fn patch_kind(head: &Head<'_>) -> Result<WriteKind, WireError> {
    let value = head.field("content-type").unwrap_or_default();
    let essence = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/merge-patch+json") {
        Ok(WriteKind::Patch)
    } else if essence.eq_ignore_ascii_case(b"application/json") {
        Ok(WriteKind::PatchData)
    } else {
        Err(WireError::PatchType)
    }
}

fn get(
    head: &Head<'_>,
    house: &House,
    holder: Holder,
    key: Key,
    mut format: Format,
) -> Result<Plan, WireError> {
    may_read(house, &holder, &Pattern::Exact(key.clone()))?;
    format.conditions = Conditions::of(head, &house.epoch)?;
    let mut wait_ms = None;
    for pair in query::pairs(head.query) {
        let (name, value) = pair?;
        if name == "wait" {
            wait_ms = Some(wait(&value)?);
        }
    }
    match wait_ms {
        Some(wait_ms) if format.conditions.if_none_match.is_some() && !house.draining => {
            Ok(ready(Call::Wait { key, wait_ms, holder }, format))
        }
        Some(_) | None => Ok(ready(Call::Key(Question::Get(key)), format)),
    }
}

fn wait(value: &str) -> Result<u64, WireError> {
    const BAD: WireError = WireError::BadQuery("wait", "a whole number of seconds, 1 to 60");
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BAD);
    }
    match value.parse::<u64>().unwrap_or(WAIT_SECONDS_MAX) {
        0 => Err(BAD),
        seconds => Ok(seconds.min(WAIT_SECONDS_MAX) * 1000),
    }
}

fn list(head: &Head<'_>, house: &House, now: Now, mut format: Format) -> Result<Plan, WireError> {
    let holder = identify(head, house, now)?;
    only_get(head, ALLOW_PAGE)?;
    let listing = listing::of_query(head.query)?;
    may_read(house, &holder, &Pattern::Prefix(listing.prefix.clone()))?;
    format.with_data = listing.with_data;
    Ok(ready(Call::List(listing), format))
}

fn stream(head: &Head<'_>, house: &House, now: Now, path_pattern: Option<&str>) -> Result<Call, WireError> {
    let query = stream_query(head)?;
    let wants_socket = upgrade::wanted(head);
    let handshake = if wants_socket { Some(upgrade::handshake(head)?) } else { None };
    only_get(head, ALLOW_PAGE)?;
    let secret = head.bearer().or(query.api_key.as_deref()).or(handshake.as_ref().and_then(|h| h.key));
    let holder = identify_as(secret, house, now)?;
    let patterns = stream_patterns(path_pattern, &query, house)?;
    for pattern in &patterns {
        may_read(house, &holder, pattern)?;
    }
    if !allows_origin(head, house) {
        return Err(WireError::OriginRefused);
    }
    if house.draining {
        return Err(WireError::Draining);
    }
    let single = path_pattern.is_some() && matches!(patterns[..], [Pattern::Exact(_)]);
    let protocol = match handshake {
        Some(handshake) => Protocol::Socket { accept: handshake.accept, subprotocol: handshake.subprotocol },
        None if head.framing == Framing::Empty && accept::admits_event_stream(head) => Protocol::Events,
        None => return Err(WireError::NotAcceptable),
    };
    if head.method == Method::Head {
        return Ok(Call::Answered(Reply::EventsHead));
    }
    let last_event = head.field("last-event-id").and_then(|id| std::str::from_utf8(id).ok());
    let since = query.since.as_deref().or(last_event).filter(|_| single);
    let since = since.and_then(|text| since_rev(text, &house.epoch));
    let behind = behind_proxy(head, house);
    Ok(Call::Stream(Viewing { patterns: Some(patterns), single, since, holder, behind, protocol }))
}

fn since_rev(text: &str, epoch: &Epoch) -> Option<Rev> {
    let (of, rev) = condition::parse_id(text)?;
    (of == epoch.as_str()).then_some(rev)
}

#[derive(Default)]
struct StreamQuery<'b> {
    keys: Option<Cow<'b, str>>,
    since: Option<Cow<'b, str>>,
    api_key: Option<Cow<'b, str>>,
}

fn stream_query<'b>(head: &Head<'b>) -> Result<StreamQuery<'b>, WireError> {
    let mut found = StreamQuery::default();
    for text in head.query.split('&') {
        // Whatever cannot be understood as `since` means the whole snapshot.
        let is_since = text.starts_with("since=");
        for pair in query::pairs(text).filter(|pair| !is_since || pair.is_ok()) {
            let (name, value) = pair?;
            match name.as_ref() {
                "keys" => found.keys = Some(value),
                "since" => found.since = Some(value),
                "apiKey" => found.api_key = Some(value),
                _ => {}
            }
        }
    }
    Ok(found)
}

fn stream_patterns(
    path_pattern: Option<&str>,
    query: &StreamQuery<'_>,
    house: &House,
) -> Result<Vec<Pattern>, WireError> {
    if let Some(segment) = path_pattern {
        let pattern = Pattern::parse(&query::decode_path(segment)?).map_err(WireError::BadKey)?;
        return Ok(vec![pattern]);
    }
    let keys = query.keys.as_deref().unwrap_or_default();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut patterns = Vec::new();
    for text in keys.split(',') {
        let pattern = Pattern::parse(text.as_bytes()).map_err(WireError::BadKey)?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
        if patterns.len() > house.limits.patterns_max {
            return Err(WireError::TooManyPatterns(house.limits.patterns_max));
        }
    }
    Ok(patterns)
}

pub(super) fn identify(head: &Head<'_>, house: &House, now: Now) -> Result<Holder, WireError> {
    identify_as(head.bearer(), house, now)
}

fn identify_as(secret: Option<&str>, house: &House, now: Now) -> Result<Holder, WireError> {
    let holder = house.access.identify_with(&mut house.passes.borrow_mut(), secret, now.wall_ms)?;
    house.guard.holder.replace(Some(holder.clone()));
    Ok(holder)
}

pub(super) fn may_read(house: &House, holder: &Holder, pattern: &Pattern) -> Result<(), WireError> {
    match house.access.may_read(holder, pattern) {
        true => Ok(()),
        false => Err(WireError::Forbidden(format!("read {pattern}"))),
    }
}
