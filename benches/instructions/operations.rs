//! What is counted.
//!
//! Always true: each operation asserts that it did what it says; a refusal would be cheap, and counted for
//! nothing.
//!
//! Read first: `house.rs`.

use crate::house::{API_KEY, House, Peer};

/// Size of the states, bytes: that of the load generator's.
const STATE_BYTES: usize = 200;
/// Viewers where there are many.
const VIEWERS: usize = 1_000;
/// Viewers of a prefix, and keys under it.
const PREFIX_VIEWERS: usize = 20;
const PREFIX_KEYS: usize = 100;

/// One kind of work.
pub struct Operation {
    /// As the table calls it.
    pub name: &'static str,
    /// What one count is of.
    pub unit: &'static str,
    /// How many of them a turn has.
    pub units: u64,
    /// Turns that are enough to be counted.
    pub turns: u64,
    work: fn(&Operation, u64),
}

impl Operation {
    /// Does it, so many times.
    pub fn run(&self, turns: u64) {
        (self.work)(self, turns);
    }
}

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "put",
        unit: "a PUT",
        units: 1,
        turns: 1_000,
        work: |_, turns| {
            repeat(House::new(1, true), &put("state", ""), turns);
        },
    },
    Operation {
        name: "put-with-key",
        unit: "a PUT with an API key",
        units: 1,
        turns: 1_000,
        work: |_, turns| {
            let key = format!("Authorization: Bearer {API_KEY}\r\n");
            repeat(House::new(1, false), &put("state", &key), turns);
        },
    },
    Operation {
        name: "patch",
        unit: "a PATCH of one member",
        units: 1,
        turns: 1_000,
        work: |_, turns| {
            let mut house = House::new(1, true);
            house.greet(0, &put("state", ""));
            repeat(house, &request("PATCH", "state", "", "{\"data\":{\"count\":43}}"), turns);
        },
    },
    Operation {
        name: "get",
        unit: "a GET",
        units: 1,
        turns: 1_000,
        work: |_, turns| {
            let mut house = House::new(1, true);
            house.greet(0, &put("state", ""));
            repeat(house, &request("GET", "state", "", ""), turns);
        },
    },
    Operation {
        name: "across",
        unit: "a PUT, half of them from another core",
        units: 2,
        turns: 500,
        work: across,
    },
    Operation {
        name: "fanout",
        unit: "a delivery as a frame",
        units: VIEWERS as u64,
        turns: 20,
        work: |own, turns| {
            fan_out(own, turns, WEBSOCKET);
        },
    },
    Operation {
        name: "events",
        unit: "a delivery as an event",
        units: VIEWERS as u64,
        turns: 20,
        work: |own, turns| {
            fan_out(own, turns, EVENTS);
        },
    },
    Operation {
        name: "prefix",
        unit: "a record to a viewer of many keys",
        units: (PREFIX_VIEWERS * PREFIX_KEYS) as u64,
        turns: 20,
        work: prefix,
    },
    Operation {
        name: "conflate",
        unit: "a viewer that is behind",
        units: VIEWERS as u64,
        turns: 20,
        work: conflate,
    },
    Operation {
        name: "open",
        unit: "a viewer that comes, with its snapshot",
        units: 1,
        turns: 500,
        work: open,
    },
    Operation {
        name: "come-and-go",
        unit: "a viewer that comes and goes",
        units: 1,
        turns: 500,
        work: come_and_go,
    },
];

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const EVENTS: &str = "Accept: text/event-stream\r\n";

fn request(method: &str, path: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let type_line = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "{method} /api/lux/{path} HTTP/1.1\r\nHost: 127.0.0.1:7373\r\n{fields}{type_line}{length}\r\n{body}"
    )
    .into_bytes()
}

/// A PUT of a state as dashboards have them.
fn put(key: &str, fields: &str) -> Vec<u8> {
    let members = "\"count\":42,\"load\":0.37,\"status\":\"ok\",\"site\":{\"up\":true,\"queue\":3},";
    let room = STATE_BYTES - members.len() - "{\"note\":\"\"}".len();
    request("PUT", key, fields, &format!("{{\"data\":{{{members}\"note\":\"{}\"}}}}", ".".repeat(room)))
}

fn watch(key: &str, fields: &str) -> Vec<u8> {
    request("GET", &format!("stream/{key}"), fields, "")
}

/// One producer that repeats itself.
fn repeat(mut house: House, request: &[u8], turns: u64) {
    let producer = house.connect(0);
    let before = house.answers;
    for _ in 0..turns {
        house.say(producer, request);
        house.settle();
    }
    assert_eq!(house.answers - before, turns, "every request has a good answer");
}

/// Two cores, a producer and a viewer on each, one key.
fn across(own: &Operation, turns: u64) {
    let mut house = House::new(2, true);
    let peers: Vec<Peer> = (0..2)
        .map(|core| {
            house.greet(core, &watch("state", WEBSOCKET));
            house.connect(core)
        })
        .collect();
    let (request, before) = (put("state", ""), house.answers);
    for _ in 0..turns {
        for peer in &peers {
            house.say(*peer, &request);
            house.settle();
        }
    }
    assert_eq!(house.answers - before, turns * own.units, "every write has a good answer");
    assert!(house.viewer_bytes > turns * 2 * 2 * STATE_BYTES as u64, "both viewers saw both writes");
}

fn fan_out(own: &Operation, turns: u64, fields: &str) {
    let mut house = House::new(1, true);
    for _ in 0..VIEWERS {
        house.greet(0, &watch("state", fields));
    }
    let (producer, request, before) = (house.connect(0), put("state", ""), house.viewer_bytes);
    for _ in 0..turns {
        house.say(producer, &request);
        house.settle();
    }
    let least = turns * own.units * STATE_BYTES as u64;
    assert!(house.viewer_bytes - before > least, "every viewer saw every write");
}

/// All keys change, then everything goes out.
fn prefix(own: &Operation, turns: u64) {
    let mut house = House::new(1, true);
    let keys: Vec<Vec<u8>> = (0..PREFIX_KEYS).map(|key| put(&format!("device-{key}"), "")).collect();
    let producers: Vec<Peer> = keys.iter().map(|request| house.greet(0, request)).collect();
    for _ in 0..PREFIX_VIEWERS {
        house.greet(0, &watch("device-*", WEBSOCKET));
    }
    let before = house.viewer_bytes;
    for _ in 0..turns {
        for (producer, request) in producers.iter().zip(&keys) {
            house.say(*producer, request);
        }
        house.settle();
    }
    let least = turns * own.units * STATE_BYTES as u64;
    assert!(house.viewer_bytes - before > least, "every viewer saw every write");
}

/// Nobody reads: a write costs each viewer a look at what it is owed already.
fn conflate(_: &Operation, turns: u64) {
    let mut house = House::new(1, true);
    for _ in 0..VIEWERS {
        house.greet(0, &watch("state", WEBSOCKET));
    }
    let (producer, request) = (house.connect(0), put("state", ""));
    house.is_stuck = true;
    house.say(producer, &request);
    house.settle();
    let before = (house.answers, house.viewer_bytes);
    for _ in 0..turns {
        house.say(producer, &request);
        house.settle();
    }
    assert_eq!((house.answers, house.viewer_bytes), (before.0 + turns, before.1), "answers, and no frames");
    house.is_stuck = false;
    house.settle();
    let frames = VIEWERS * 2 * STATE_BYTES..VIEWERS * 2 * (STATE_BYTES + 200);
    assert!(frames.contains(&((house.viewer_bytes - before.1) as usize)), "the one in flight and the newest");
}

fn open(_: &Operation, turns: u64) {
    let mut house = House::new(1, true);
    house.greet(0, &put("state", ""));
    let (greeting, before) = (watch("state", WEBSOCKET), house.viewer_bytes);
    for _ in 0..turns {
        house.greet(0, &greeting);
    }
    assert!(house.viewer_bytes - before > turns * STATE_BYTES as u64, "every viewer has its snapshot");
}

fn come_and_go(_: &Operation, turns: u64) {
    let mut house = House::new(1, true);
    house.greet(0, &put("state", ""));
    let (greeting, before) = (watch("state", WEBSOCKET), house.viewer_bytes);
    for _ in 0..turns {
        let viewer = house.greet(0, &greeting);
        house.leave(viewer);
    }
    assert!(house.viewer_bytes - before > turns * STATE_BYTES as u64, "every viewer had its snapshot");
}
