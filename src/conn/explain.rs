//! Why a screen is old: what each core knows of a key and its viewers, put together and said in plain words.
//!
//! Always true: no state and no secret is in it. The list of slow viewers is bounded, the slowest first; how
//! many were left out is said. A core that did not answer is named, and nothing is guessed for it.
//!
//! Read first: `conn/outbox.rs` (what a viewer was given), `shard/explain.rs` (who gathers it).

use serde::Serialize;

use crate::ids::{Rev, ShardId};
use crate::key::Key;

/// The most slow viewers in one answer.
pub const SLOW_MAX: usize = 32;

/// What the kernel says of a viewer's connection.
#[derive(Clone, Debug, Default)]
pub struct PeerFacts {
    /// The other end; a proxy's, where one is between.
    pub address: String,
    /// Bytes that the kernel holds for it: not sent, or sent and not acknowledged.
    pub unsent_bytes: u64,
    /// Those of them that were not sent even once.
    pub waiting_bytes: u64,
    /// The peer has said that it has no room: its program does not read.
    pub is_full: bool,
    /// Retransmissions in a row that nobody has answered.
    pub retransmissions: u32,
    /// Bytes per second that the network took when it was last busy; 0: not known.
    pub bytes_per_second: u64,
}

/// One core's part of an answer.
#[derive(Debug)]
pub struct Part {
    /// Whose.
    pub core: ShardId,
    /// The key that was asked for.
    pub key: Key,
    /// The newest revision that this core knows.
    pub rev: Rev,
    /// What only the owner of the key knows.
    pub owned: Option<Owned>,
    /// Viewers that watch the key here.
    pub viewers: usize,
    /// Those of them that it waits for.
    pub waiting: usize,
    /// The last change on its way to viewers of this core.
    pub fan_out: Option<FanOut>,
    /// The slowest of the viewers.
    pub slow: Vec<Slow>,
    /// How many more are slow.
    pub left_out: usize,
}

/// The record as its owner has it.
#[derive(Debug)]
pub struct Owned {
    /// When it was written, Unix milliseconds.
    pub updated_at_ms: u64,
    /// It says that the state was deleted.
    pub is_deleted: bool,
    /// Length of the state, in bytes.
    pub bytes: usize,
    /// The name of the API key that wrote it, if it is still known.
    pub by: Option<String>,
}

/// A change on its way.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FanOut {
    /// Which.
    pub rev: u64,
    /// Sends of it so far.
    pub sends: u32,
    /// From its acceptance to the last of them.
    pub took_ms: u64,
}

/// A viewer that has not got everything.
#[derive(Debug)]
pub struct Slow {
    /// The pattern by which it watches the key.
    pub pattern: String,
    /// The name of its API key.
    pub holder: String,
    /// A WebSocket; an event stream otherwise.
    pub is_socket: bool,
    /// Since when it is a viewer, in seconds of Unix time.
    pub opened_s: u32,
    /// What it was last given.
    pub has: Has,
    /// How often a change took the place of one not sent yet, of any key.
    pub conflated: u32,
    /// A send to it has not come back.
    pub is_in_flight: bool,
    /// What the kernel says, if it does.
    pub facts: Option<PeerFacts>,
}

/// What a viewer was last given of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// The newest revision; it may still be with the kernel.
    Newest,
    /// An older one.
    Older {
        /// Which; 0 where it was told that there is nothing.
        rev: Rev,
        /// When that was written, Unix milliseconds.
        updated_at_ms: u64,
        /// Since when there is a newer one, Unix milliseconds.
        since_ms: u64,
    },
    /// Nothing yet: its snapshot is on the way.
    Beginning,
    /// An older one, but too many keys wait for this viewer to know of each which.
    Unknown,
}

impl Has {
    /// How long the viewer has been behind, in milliseconds.
    pub fn behind_ms(self, now_ms: u64) -> u64 {
        match self {
            Has::Older { since_ms, .. } => now_ms.saturating_sub(since_ms),
            Has::Newest | Has::Beginning | Has::Unknown => 0,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    key: String,
    rev: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    deleted: bool,
    bytes: usize,
    by: Option<String>,
    owner: u16,
    viewers: usize,
    waiting: usize,
    diagnosis: String,
    cores: Vec<CoreLine>,
    slow: Vec<SlowLine>,
    slow_left_out: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CoreLine {
    core: u16,
    up: bool,
    rev: u64,
    viewers: usize,
    waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fan_out: Option<FanOut>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SlowLine {
    address: Option<String>,
    core: u16,
    api_key: String,
    protocol: &'static str,
    pattern: String,
    connected_ms: u64,
    /// The revision it has; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<u64>,
    /// How old the state is that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    behind_ms: u64,
    conflated: u32,
    unsent_bytes: Option<u64>,
    in_flight: bool,
    diagnosis: String,
}

/// The whole answer, as JSON. `parts` are those of the cores that answered in time.
pub fn answer(key: &Key, parts: Vec<Part>, cores: u16, owner: ShardId, now_ms: u64) -> Vec<u8> {
    let owned = parts.iter().find(|part| part.core == owner).and_then(|part| part.owned.as_ref());
    let rev = parts.iter().map(|part| part.rev).max().unwrap_or_default();
    let updated_at = owned.map(|owned| owned.updated_at_ms).filter(|at| *at > 0);
    let total = |count: fn(&Part) -> usize| parts.iter().map(count).sum::<usize>();
    let mut whole = Explanation {
        key: key.as_str().to_owned(),
        rev: rev.0,
        updated_at,
        age_ms: updated_at.map(|at| now_ms.saturating_sub(at)),
        deleted: owned.is_some_and(|owned| owned.is_deleted),
        bytes: owned.map_or(0, |owned| owned.bytes),
        by: owned.and_then(|owned| owned.by.clone()),
        owner: owner.0,
        viewers: total(|part| part.viewers),
        waiting: total(|part| part.waiting),
        diagnosis: String::new(),
        cores: (0..cores).map(|core| core_line(core, &parts)).collect(),
        slow: Vec::new(),
        slow_left_out: total(|part| part.left_out),
    };
    whole.slow = parts.into_iter().flat_map(|part| slow_lines(part, rev, now_ms)).collect();
    whole.slow.sort_by_key(|slow| std::cmp::Reverse((slow.behind_ms, slow.unsent_bytes)));
    whole.slow_left_out += whole.slow.len().saturating_sub(SLOW_MAX);
    whole.slow.truncate(SLOW_MAX);
    whole.diagnosis = diagnosis(&whole);
    serde_json::to_vec(&whole).unwrap_or_default()
}

fn core_line(core: u16, parts: &[Part]) -> CoreLine {
    let part = parts.iter().find(|part| part.core.0 == core);
    CoreLine {
        core,
        up: part.is_some(),
        rev: part.map_or(0, |part| part.rev.0),
        viewers: part.map_or(0, |part| part.viewers),
        waiting: part.map_or(0, |part| part.waiting),
        fan_out: part.and_then(|part| part.fan_out.clone()),
    }
}

fn slow_lines(part: Part, newest: Rev, now_ms: u64) -> impl Iterator<Item = SlowLine> {
    let core = part.core.0;
    part.slow.into_iter().map(move |slow| {
        let (rev, updated_at_ms) = match slow.has {
            Has::Newest => (Some(newest.0), None),
            Has::Older { rev, updated_at_ms, .. } => (Some(rev.0), Some(updated_at_ms).filter(|at| *at > 0)),
            Has::Beginning | Has::Unknown => (None, None),
        };
        SlowLine {
            diagnosis: slow_diagnosis(&slow, newest, now_ms),
            core,
            rev,
            age_ms: updated_at_ms.map(|at| now_ms.saturating_sub(at)),
            behind_ms: slow.has.behind_ms(now_ms),
            connected_ms: now_ms.saturating_sub(u64::from(slow.opened_s) * 1000),
            api_key: slow.holder,
            protocol: if slow.is_socket { "websocket" } else { "events" },
            pattern: slow.pattern,
            conflated: slow.conflated,
            in_flight: slow.is_in_flight,
            unsent_bytes: slow.facts.as_ref().map(|facts| facts.unsent_bytes),
            address: slow.facts.map(|facts| facts.address),
        }
    })
}

/// The answer in one sentence.
fn diagnosis(whole: &Explanation) -> String {
    let Explanation { rev, viewers, waiting, owner, .. } = *whole;
    let is_down = |core: &&CoreLine| !core.up;
    if whole.cores.iter().filter(is_down).any(|core| core.core == owner) {
        return format!("core {owner}, which owns this key, does not answer: it is busy or stands still");
    }
    let mut text = match (rev, viewers) {
        (0, _) => "nobody has written this key since the broker began".to_owned(),
        (_, 0) => "nobody watches this key".to_owned(),
        (_, 1) if waiting == 0 => format!("its one viewer was given revision {rev}"),
        (_, _) if waiting == 0 => format!("all {viewers} viewers were given revision {rev}"),
        (_, 1) => format!("its one viewer still has to be given revision {rev}"),
        (_, _) => format!("{waiting} of {viewers} viewers still have to be given revision {rev}"),
    };
    let with_bytes = whole.slow.iter().filter(|slow| slow.rev == Some(rev)).count();
    if waiting == 0 && with_bytes > 0 {
        text.push_str(&format!("; for {with_bytes} of them bytes wait in the kernel"));
    }
    for core in whole.cores.iter().filter(is_down) {
        text.push_str(&format!("; core {} does not answer, and what it does is not known", core.core));
    }
    text
}

/// Why one viewer has what it has.
fn slow_diagnosis(slow: &Slow, newest: Rev, now_ms: u64) -> String {
    let why = match &slow.facts {
        None => "its connection is ending".to_owned(),
        Some(facts) if facts.retransmissions >= 2 => {
            format!("its network does not answer ({} retransmissions in a row)", facts.retransmissions)
        }
        Some(facts) if facts.is_full => "it does not read: its receive buffer is full".to_owned(),
        Some(facts) if facts.waiting_bytes > 0 && facts.bytes_per_second > 0 => {
            format!("its network takes {}/s", size(facts.bytes_per_second))
        }
        Some(facts) if facts.unsent_bytes > 0 => {
            format!("its network has not confirmed {}", size(facts.unsent_bytes))
        }
        Some(_) if slow.is_in_flight => "a send to it is with the kernel".to_owned(),
        Some(_) => "its core has not come round to it yet".to_owned(),
    };
    let has = match slow.has {
        Has::Newest => format!("everything up to revision {} is with the kernel", newest.0),
        Has::Older { rev: Rev(0), .. } => {
            format!("it was told that there is no state, and not of {}", newest.0)
        }
        Has::Older { rev, .. } => {
            let behind = time(slow.has.behind_ms(now_ms));
            format!("it holds revision {} of {} and has been behind for {behind}", rev.0, newest.0)
        }
        Has::Beginning => "its snapshot is not complete yet".to_owned(),
        Has::Unknown => format!("it holds an older revision than {}", newest.0),
    };
    format!("{why}; {has}")
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    let (kib, mib) = (1 << 10, 1 << 20);
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{}.{} KiB", bytes / kib, bytes % kib * 10 / kib),
        _ => format!("{}.{} MiB", bytes / mib, bytes % mib * 10 / mib),
    }
}

/// Milliseconds as people read them.
fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_782_000_000_000;

    fn slow(has: Has, facts: PeerFacts) -> Slow {
        Slow {
            pattern: "board-*".to_owned(),
            holder: "wall".to_owned(),
            is_socket: true,
            opened_s: (NOW / 1000 - 60) as u32,
            has,
            conflated: 7,
            is_in_flight: true,
            facts: Some(facts),
        }
    }

    fn older(rev: u64, behind_ms: u64) -> Has {
        Has::Older { rev: Rev(rev), updated_at_ms: NOW - behind_ms - 100, since_ms: NOW - behind_ms }
    }

    #[test]
    fn each_reason_has_its_own_sentence() {
        let busy =
            PeerFacts { waiting_bytes: 9, unsent_bytes: 99, bytes_per_second: 1024, ..PeerFacts::default() };
        for (has, facts, says) in [
            (
                older(812, 3_250),
                busy.clone(),
                "its network takes 1.0 KiB/s; it holds revision 812 of 940 and has been behind for 3.2 s",
            ),
            (
                older(812, 90_000),
                PeerFacts { is_full: true, ..busy.clone() },
                "it does not read: its receive buffer is full; it holds revision 812 of 940 and has been behind for 1 min",
            ),
            (
                older(0, 5),
                PeerFacts { retransmissions: 4, ..busy.clone() },
                "its network does not answer (4 retransmissions in a row); it was told that there is no state, and not of 940",
            ),
            (
                Has::Newest,
                busy,
                "its network takes 1.0 KiB/s; everything up to revision 940 is with the kernel",
            ),
            (
                Has::Beginning,
                PeerFacts::default(),
                "a send to it is with the kernel; its snapshot is not complete yet",
            ),
        ] {
            assert_eq!(slow_diagnosis(&slow(has, facts), Rev(940), NOW), says);
        }
    }

    #[test]
    fn the_slowest_come_first_and_the_rest_is_counted() {
        let key = Key::parse(b"board-1").unwrap();
        let part = |core: u16, behind: &[u64]| Part {
            core: ShardId(core),
            key: key.clone(),
            rev: Rev(940),
            owned: None,
            viewers: behind.len(),
            waiting: behind.len(),
            fan_out: None,
            slow: behind.iter().map(|ms| slow(older(1, *ms), PeerFacts::default())).collect(),
            left_out: 0,
        };
        let many: Vec<u64> = (0..SLOW_MAX as u64).collect();
        let json = answer(&key, vec![part(0, &[5, 1]), part(1, &many)], 3, ShardId(0), NOW);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let behind: Vec<u64> =
            value["slow"].as_array().unwrap().iter().map(|slow| slow["behindMs"].as_u64().unwrap()).collect();
        assert_eq!(behind.len(), SLOW_MAX);
        assert!(behind.is_sorted_by(|a, b| a >= b), "{behind:?}");
        assert_eq!(value["slowLeftOut"], 2);
        assert_eq!(value["cores"][2]["up"], false);
        let says = value["diagnosis"].as_str().unwrap();
        assert!(says.starts_with("34 of 34 viewers still have to be given revision 940; core 2 "), "{says}");
    }
}
