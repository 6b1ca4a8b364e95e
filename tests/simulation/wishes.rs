//! What clients ask for.
//!
//! Always true: a wish is bytes that a real client could send, drawn from the client's own dice.
//!
//! Read first: `client.rs`.

use crate::client::{Client, Mode};
use crate::dice::Dice;
use crate::expect::{Ask, Condition, Expect, Sight};
use crate::plan::{Fault, Role};
use crate::speech::http::Request;
use crate::speech::socket;
use crate::table::{matches, secret};
use crate::truth::WishKind;

/// What a client does next on its connection.
pub enum Wish {
    /// Nothing, for now.
    Nothing,
    /// These bytes.
    Say(Vec<u8>),
    /// It will send nothing more.
    End,
}

impl Client {
    /// Draws the next thing to say.
    pub fn wish(&mut self, sight: &mut Sight<'_>) -> Wish {
        let Some(line) = &self.line else { return Wish::Nothing };
        if line.said_end {
            return Wish::Nothing;
        }
        if sight.plan.has(Fault::HalfClose) && !matches!(line.mode, Mode::Ended) && self.dice.once_in(60) {
            return Wish::End;
        }
        let bytes = match (line.mode, self.role) {
            (Mode::Ended, _) => return Wish::End,
            (_, Role::Vandal) => self.vandalise(),
            (Mode::Http, Role::Producer) => self.produce(sight),
            (Mode::Http, Role::Poller) => self.poll(sight),
            (Mode::Http, Role::Lister) => self.list(sight),
            (Mode::Http, Role::Socket | Role::Events) => self.open_stream(sight),
            (Mode::Socket, _) => self.command(sight),
            (Mode::Events, _) => Vec::new(),
        };
        if bytes.is_empty() { Wish::Nothing } else { Wish::Say(bytes) }
    }

    /// A question with its bytes.
    pub fn ask(&mut self, ask: Ask, request: Request, sight: &Sight<'_>) -> Vec<u8> {
        if let Some(line) = &mut self.line {
            line.expects.push_back(Expect::new(ask, self.holder, sight));
        }
        request.bytes()
    }

    fn outstanding(&self) -> usize {
        self.line.as_ref().map_or(0, |line| line.expects.len())
    }

    fn produce(&mut self, sight: &mut Sight<'_>) -> Vec<u8> {
        if self.outstanding() >= sight.plan.depth * sight.plan.habits.eagerness {
            return Vec::new();
        }
        let key = self.favourite(sight);
        let draw = self.dice.below(16);
        if self.dice.once_in(6) {
            return self.get(key, sight);
        }
        if draw < sight.plan.deletions {
            return self.delete(key, sight);
        }
        self.write(key, draw < sight.plan.deletions + sight.plan.patches, sight)
    }

    fn get(&mut self, key: usize, sight: &Sight<'_>) -> Vec<u8> {
        // A newcomer that is turned away is told so before it asked anything, and so with a body.
        let bare = self.dice.once_in(4) && !sight.plan.has(Fault::Mark);
        let have = (self.dice.once_in(3) && self.known[key] > 0).then_some(self.known[key]);
        let mut request = self.request(if bare { "HEAD" } else { "GET" }, key, sight);
        if let Some(have) = have {
            request = request.field("If-None-Match", &format!("\"{}.{have}\"", sight.truth.epoch));
        }
        self.ask(Ask::Get { key, have, bare }, request, sight)
    }

    fn delete(&mut self, key: usize, sight: &Sight<'_>) -> Vec<u8> {
        let condition = self.condition(key);
        let request = conditional(self.request("DELETE", key, sight), condition, &sight.truth.epoch);
        self.ask(Ask::Delete { key, condition }, request, sight)
    }

    /// A PUT or a PATCH, by all the ways in which it can be sent. Also the last word of a run on a key.
    pub fn write(&mut self, key: usize, is_patch: bool, sight: &mut Sight<'_>) -> Vec<u8> {
        let condition = self.condition(key);
        self.write_if(key, is_patch, condition, sight)
    }

    /// A write with this condition.
    pub fn write_if(
        &mut self,
        key: usize,
        is_patch: bool,
        condition: Condition,
        sight: &mut Sight<'_>,
    ) -> Vec<u8> {
        let number = self.next_number;
        self.next_number += 1;
        let pad = "x".repeat(self.dice.below(sight.plan.padding + 1));
        let removes_base = is_patch && self.dice.once_in(8);
        let data = match (is_patch, pad.is_empty()) {
            (true, _) if removes_base => format!("{{\"p{number}\":{number},\"w\":null}}"),
            (true, _) => format!("{{\"p{number}\":{number}}}"),
            (false, true) => format!("{{\"w\":{number}}}"),
            (false, false) => format!("{{\"w\":{number},\"pad\":\"{pad}\"}}"),
        };
        let kind = if is_patch { WishKind::Patch { removes_base } } else { WishKind::Put(data.clone()) };
        sight.truth.wish(number, key, kind);
        let minimal = self.dice.once_in(4);
        let mut request = self.request(if is_patch { "PATCH" } else { "PUT" }, key, sight);
        request = conditional(request, condition, &sight.truth.epoch);
        if minimal {
            request = request.field("Prefer", "return=minimal");
        }
        if self.dice.once_in(8) {
            request = request.field("Expect", "100-continue");
        }
        let body = match is_patch && self.dice.once_in(2) {
            true => {
                request = request.field("Content-Type", "application/merge-patch+json");
                data
            }
            false => {
                request = request.field("Content-Type", "application/json");
                format!("{{ \"by\":[1,{{}}], \"data\" : {data}\r\n}}")
            }
        };
        let chunk = self.dice.once_in(4).then(|| self.dice.between(1, 2_000));
        let request = request.body(body.into_bytes(), chunk);
        self.ask(Ask::Write { key, number, is_patch, condition, minimal }, request, sight)
    }

    fn condition(&mut self, key: usize) -> Condition {
        match self.dice.below(8) {
            0 if self.known[key] > 0 => Condition::Match(self.known[key]),
            1 => Condition::Absent,
            _ => Condition::None,
        }
    }

    fn request(&mut self, method: &str, key: usize, sight: &Sight<'_>) -> Request {
        let name = sight.truth.name(key).replace('~', if self.dice.once_in(2) { "%7E" } else { "~" });
        let origin = if self.dice.once_in(8) { "http://broker:7373" } else { "" };
        let request =
            Request::new(method, &format!("{origin}/api/lux/{name}"), sight.table.shown(self.holder));
        self.maybe_last(request, sight)
    }

    /// Some peers say with a request that it is their last.
    fn maybe_last(&mut self, request: Request, sight: &Sight<'_>) -> Request {
        match sight.plan.habits.last_once_in {
            Some(times) if self.dice.once_in(times) => request.field("Connection", "close"),
            Some(_) | None => request,
        }
    }

    /// A poll, or a plain question where nothing is known to poll for.
    pub fn poll(&mut self, sight: &mut Sight<'_>) -> Vec<u8> {
        if self.outstanding() >= sight.plan.depth {
            return Vec::new();
        }
        let key = self.favourite(sight);
        let have = self.known[key];
        if have == 0 || self.dice.once_in(8) {
            return self.get(key, sight);
        }
        let seconds = *self.dice.pick(sight.plan.habits.waits);
        let target = format!("/api/lux/{}?wait={seconds}", sight.truth.name(key));
        let request = Request::new("GET", &target, sight.table.shown(self.holder))
            .field("If-None-Match", &format!("\"{}.{have}\"", sight.truth.epoch));
        let wait_ms = seconds.min(60) * 1_000;
        let request = self.maybe_last(request, sight);
        self.ask(Ask::Wait { key, have, wait_ms }, request, sight)
    }

    fn list(&mut self, sight: &mut Sight<'_>) -> Vec<u8> {
        if self.outstanding() > 0 {
            return Vec::new();
        }
        if self.dice.once_in(10) {
            let request = Request::new("GET", "/healthz", "none");
            return self.ask(Ask::Plain(200), request, sight);
        }
        let fresh = ((*self.dice.pick(&["", "d-", "d-1", "job-"])).to_owned(), None);
        let (prefix, after) = self.page.take().unwrap_or(fresh);
        let limit = *self.dice.pick(&[1, 2, 5, 1000]);
        let data = usize::from(self.dice.once_in(2));
        let mut target = format!("/api/lux?prefix={prefix}&limit={limit}&data={data}");
        if let Some(after) = &after {
            target.push_str(&format!("&after={after}"));
        }
        let request = Request::new("GET", &target, sight.table.shown(self.holder));
        self.ask(Ask::List { prefix, after, limit, with_data: data == 1 }, request, sight)
    }

    fn open_stream(&mut self, sight: &mut Sight<'_>) -> Vec<u8> {
        if self.outstanding() > 0 {
            return Vec::new();
        }
        if self.dice.once_in(8) {
            let key = self.dice.below(sight.plan.keys.len());
            let mut bytes = self.get(key, sight);
            bytes.extend(self.open_stream_now(sight));
            return bytes;
        }
        self.open_stream_now(sight)
    }

    pub fn open_stream_now(&mut self, sight: &mut Sight<'_>) -> Vec<u8> {
        let is_socket = self.role == Role::Socket;
        let count = *self.dice.pick(&[1, 1, 1, 2, 3]);
        let in_path = self.dice.once_in(2);
        let mut patterns = Vec::new();
        for _ in 0..if in_path { 1 } else { count } {
            let pattern = self.pattern(sight);
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        let single = in_path && !patterns[0].ends_with('*');
        let mut target = match in_path {
            true => format!("/api/lux/stream/{}?x", patterns[0]),
            false => format!("/api/lux/stream?keys={}", patterns.join(",")),
        };
        let key = sight.truth.place(&patterns[0]).filter(|_| single);
        let mut resumed = false;
        if let Some(key) = key
            && let Some(last) = self.view.has_of(key, sight.truth).filter(|_| self.dice.once_in(2))
        {
            target.push_str(&format!("&since={}.{last}", self.view.epoch));
            resumed = self.view.epoch == sight.truth.epoch;
        }
        let request = Request::new("GET", &target, sight.table.shown(self.holder));
        let request = match is_socket {
            true => request
                .field("Connection", "Upgrade")
                .field("Upgrade", "websocket")
                .field("Sec-WebSocket-Version", "13")
                .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            false => request.field("Accept", "text/event-stream"),
        };
        self.ask(Ask::Stream { patterns, single, resumed, is_socket }, request, sight)
    }

    fn favourite(&mut self, sight: &Sight<'_>) -> usize {
        let all = sight.plan.keys.len();
        self.dice.below(if sight.plan.habits.favourites == 0 {
            all
        } else {
            sight.plan.habits.favourites.min(all)
        })
    }

    fn pattern(&mut self, sight: &Sight<'_>) -> String {
        match self.dice.once_in(2) && sight.plan.habits.names_keys {
            true => sight.plan.keys[self.favourite(sight)].clone(),
            false => (*self.dice.pick(&sight.plan.habits.patterns)).to_owned(),
        }
    }

    fn command(&mut self, sight: &mut Sight<'_>) -> Vec<u8> {
        let mask = self.dice.throw().to_le_bytes();
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        let commands = 2 + sight.plan.habits.commands;
        match self.dice.below(24) {
            0 => socket::frame(socket::PING, b"are you there", mask),
            1 => {
                if let Some(line) = &mut self.line {
                    line.asked_close = true;
                    line.said_end = false;
                }
                socket::frame(socket::CLOSE, &1000u16.to_be_bytes(), mask)
            }
            draw if (2..commands).contains(&draw) && !self.view.single => self.change_patterns(mask, sight),
            _ => Vec::new(),
        }
    }

    fn change_patterns(&mut self, mask: [u8; 4], sight: &mut Sight<'_>) -> Vec<u8> {
        if self.line.as_ref().is_some_and(|line| line.asked_close) {
            return Vec::new();
        }
        // Where grants change, the next word about patterns waits for the answer to the one before: what an error
        // refuses would otherwise be a guess.
        if !self.view.pending.is_empty() && (sight.plan.has(Fault::Revoke) || self.view.pending.len() > 3) {
            return Vec::new();
        }
        let quote = |patterns: &[String]| {
            patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect::<Vec<_>>().join(",")
        };
        let mut parts = Vec::new();
        let mut gone = Vec::new();
        if self.dice.once_in(2) && !self.view.patterns.is_empty() {
            gone.push(self.dice.pick(&self.view.patterns).clone());
            parts.push(format!("\"unsubscribe\":[{}]", quote(&gone)));
        }
        let mut come = Vec::new();
        if gone.is_empty() || self.dice.once_in(2) {
            come = (0..self.dice.between(1, 2)).map(|_| self.pattern(sight)).collect();
            parts.push(format!("\"subscribe\":[{}]", quote(&come)));
        }
        // All or nothing: a command that will be refused takes nothing away either.
        let may = come.iter().all(|pattern| sight.table.may_read(self.holder, pattern));
        if !may && !gone.is_empty() {
            return Vec::new();
        }
        self.view.unsubscribe(&gone);
        if !come.is_empty() {
            self.view.subscribe(&come, may, sight.truth);
        }
        socket::frame(socket::TEXT, format!("{{{}}}", parts.join(",")).as_bytes(), mask)
    }

    /// What no client sends. It never carries a valid key, so that no state comes of it.
    fn vandalise(&mut self) -> Vec<u8> {
        const GOOD: [&str; 5] = [
            "PUT /api/lux/d-1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"data\":666}",
            "GET /api/lux?prefix=d HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer lux_not-a-holder-at-all\r\n\r\n",
            "PATCH /api/lux/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n",
            "GET /api/lux/stream/d-* HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer HOLDER\r\n\r\n",
            "OPTIONS /api/lux/d-1 HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n",
        ];
        let which = self.dice.below(7);
        let mut bytes = match which {
            0..=4 => GOOD[which].replace("HOLDER", &secret(self.holder)).into_bytes(),
            5 => {
                let opcode = *self.dice.pick(&[0, 1, 2, 3, 8, 9, 10, 15]);
                let payload = b"{\"subscribe\":[\"d-*\",\"a\"],\"x\":\xc3\x28}";
                socket::frame(opcode, &payload[..self.dice.below(payload.len())], [3, 3, 3, 3])
            }
            _ => (0..self.dice.skewed(300)).map(|_| self.dice.throw() as u8).collect(),
        };
        for _ in 0..self.dice.below(3) {
            spoil(&mut bytes, &mut self.dice);
        }
        bytes
    }

    /// Whether a key is watched by this client.
    pub fn watches(&self, name: &str) -> bool {
        self.view.patterns.iter().any(|pattern| matches(pattern, name))
    }
}

fn conditional(request: Request, condition: Condition, epoch: &str) -> Request {
    match condition {
        Condition::None => request,
        Condition::Match(rev) => request.field("If-Match", &format!("\"{epoch}.{rev}\"")),
        Condition::Absent => request.field("If-None-Match", "*"),
    }
}

/// One byte changed, added or taken; or the end cut off.
fn spoil(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let (at, byte) = (dice.below(bytes.len()), dice.throw() as u8);
    match dice.below(4) {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => {
            bytes.remove(at);
        }
        _ => bytes.truncate(at),
    }
}
