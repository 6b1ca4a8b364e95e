//! What a core has counted, and how it is shown to Prometheus.
//!
//! Always true: counters only grow; gauges are read when somebody asks. Nothing in here names a key, a
//! holder or a peer.
//!
//! Read first: `ids.rs`.

use std::fmt::Write;

use crate::ids::ShardId;

/// The figures of one core.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Open connections (gauge).
    pub connections: u64,
    /// Viewers among them (gauge).
    pub viewers: u64,
    /// Keys with a state (gauge).
    pub keys: u64,
    /// Memory that states hold, in bytes (gauge).
    pub state_bytes: u64,
    /// Connections ever accepted.
    pub accepted: u64,
    /// Requests ever answered, refusals included.
    pub requests: u64,
    /// Writes ever taken.
    pub writes: u64,
    /// Writes ever refused by a condition or a limit.
    pub writes_refused: u64,
    /// Changes ever marked for a viewer of this core.
    pub deliveries: u64,
    /// Those of them that took the place of one not sent yet.
    pub conflated: u64,
    /// Sends ever handed to the kernel.
    pub sends: u64,
    /// Bytes the kernel ever took.
    pub sent_bytes: u64,
    /// Messages and keys that wait for other cores (gauge).
    pub link_waiting: u64,
    /// Memory promised to peers for what they send and are answered, in bytes (gauge).
    pub peer_bytes: u64,
    /// 1 while newcomers and bodies are refused for want of memory (gauge).
    pub shedding: u64,
    /// Connections, and streams behind a proxy, ever told that they may not stay, or closed without a word.
    pub turned_away: u64,
    /// Writes ever refused because they came too fast.
    pub too_fast: u64,
    /// Lines of the access log that could not be written.
    pub log_lines_dropped: u64,
}

type Row = (&'static str, &'static str, &'static str, fn(&Counters) -> u64);

const ROWS: [Row; 18] = [
    ("lux_connections", "gauge", "Open connections.", |c| c.connections),
    ("lux_viewers", "gauge", "Open streams, WebSocket and Server-Sent Events.", |c| c.viewers),
    ("lux_keys", "gauge", "Keys with a state.", |c| c.keys),
    ("lux_state_bytes", "gauge", "Memory held by states, in bytes.", |c| c.state_bytes),
    ("lux_connections_accepted_total", "counter", "Connections accepted.", |c| c.accepted),
    ("lux_http_requests_total", "counter", "Requests answered.", |c| c.requests),
    ("lux_writes_total", "counter", "Writes taken by the owner of their key.", |c| c.writes),
    ("lux_writes_refused_total", "counter", "Writes refused by a condition or a limit.", |c| {
        c.writes_refused
    }),
    ("lux_deliveries_total", "counter", "Changes marked for a viewer.", |c| c.deliveries),
    ("lux_conflated_total", "counter", "Changes that replaced one not sent yet.", |c| c.conflated),
    ("lux_sends_total", "counter", "Writes handed to the kernel.", |c| c.sends),
    ("lux_sent_bytes_total", "counter", "Bytes taken by the kernel.", |c| c.sent_bytes),
    ("lux_link_waiting", "gauge", "Messages and keys waiting for other cores.", |c| c.link_waiting),
    ("lux_peer_bytes", "gauge", "Memory promised to peers for requests and answers, in bytes.", |c| {
        c.peer_bytes
    }),
    ("lux_shedding", "gauge", "1 while newcomers and bodies are refused for want of memory.", |c| c.shedding),
    ("lux_turned_away_total", "counter", "Connections that were not let in.", |c| c.turned_away),
    ("lux_writes_too_fast_total", "counter", "Writes refused because they came too fast.", |c| c.too_fast),
    ("lux_access_log_dropped_total", "counter", "Lines of the access log that were dropped.", |c| {
        c.log_lines_dropped
    }),
];

/// The figures of all cores as Prometheus reads them (text format 0.0.4), a line per core.
pub fn render(parts: &[(ShardId, Box<Counters>)]) -> String {
    let mut out = String::with_capacity(ROWS.len() * (120 + parts.len() * 48));
    let _ = writeln!(out, "# HELP lux_build_info The version that runs.\n# TYPE lux_build_info gauge");
    let _ = writeln!(out, "lux_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    for (name, kind, help, read) in ROWS {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (shard, counters) in parts {
            let _ = writeln!(out, "{name}{{core=\"{}\"}} {}", shard.0, read(counters));
        }
    }
    out
}
