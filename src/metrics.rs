//! Counters as Prometheus reads them (text format 0.0.4).
//!
//! Always true: names and units follow Prometheus' conventions; every figure of a core has its number as
//! `core`. What a core that did not answer has counted is left out, and `lux_core_up` says which that is.
//!
//! Read first: `counters.rs`.

use std::fmt::Write;

use crate::counters::{Counters, Saved};
use crate::ids::ShardId;

/// The media type of what [`render`] makes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is known of the process as a whole.
#[derive(Clone, Debug, Default)]
pub struct ProcessFigures {
    /// When it began, Unix milliseconds.
    pub began_ms: u64,
    /// Processor time it has used, in microseconds.
    pub cpu_us: u64,
    /// Memory that is in RAM, in bytes.
    pub resident_bytes: u64,
    /// Memory that it has addresses for, in bytes.
    pub virtual_bytes: u64,
    /// Descriptors in use; `None` before Linux 6.2, which does not say.
    pub open_fds: Option<u64>,
    /// Descriptors that were in use before there was a connection.
    pub idle_fds: u64,
    /// Descriptors it may use.
    pub max_fds: u64,
}

/// One name: what it is called, its kind, what it means.
struct Head {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
}

/// The lines of one core under one name.
type Read = fn(&Counters, &mut Lines<'_>);

const ROWS: [(Head, Read); 22] = [
    (gauge("lux_connections", "Open connections."), |c, out| out.value(c.connections)),
    (gauge("lux_viewers", "Open streams, WebSocket and Server-Sent Events."), |c, out| out.value(c.viewers)),
    (gauge("lux_viewers_behind", "Viewers that a change waits for."), |c, out| out.value(c.viewers_behind)),
    (gauge("lux_viewer_lag_seconds", "How long the slowest viewer has been behind."), |c, out| {
        out.seconds(c.lag_ms * 1000);
    }),
    (gauge("lux_keys", "Keys with a state."), |c, out| out.value(c.keys)),
    (gauge("lux_state_bytes", "Memory held by states."), |c, out| out.value(c.state_bytes)),
    (counter("lux_connections_accepted_total", "Connections accepted."), |c, out| out.value(c.accepted)),
    (counter("lux_accept_errors_total", "Times that the kernel handed no connection over."), |c, out| {
        out.value(c.accept_errors);
    }),
    (counter("lux_http_requests_total", "Requests answered, refusals included."), |c, out| {
        out.value(c.requests);
    }),
    (counter("lux_writes_total", "Writes at the owner of their key, by what became of them."), writes),
    (counter("lux_deliveries_total", "Changes marked for a viewer."), |c, out| out.value(c.deliveries)),
    (counter("lux_conflated_total", "Changes that replaced one not sent yet."), |c, out| {
        out.value(c.conflated);
    }),
    (
        Head {
            name: "lux_delivery_age_seconds",
            kind: "histogram",
            help: "Age of a changed state when its bytes went out to a viewer.",
        },
        ages,
    ),
    (counter("lux_sends_total", "Writes handed to the kernel."), |c, out| out.value(c.sends)),
    (counter("lux_sent_bytes_total", "Bytes taken by the kernel."), |c, out| out.value(c.sent_bytes)),
    (gauge("lux_link_waiting", "Messages and keys waiting for other cores."), |c, out| {
        out.value(c.link_waiting);
    }),
    (gauge("lux_peer_bytes", "Memory promised to peers for requests and answers."), |c, out| {
        out.value(c.peer_bytes);
    }),
    (gauge("lux_shedding", "1 while newcomers and bodies are refused for want of memory."), |c, out| {
        out.value(c.shedding);
    }),
    (counter("lux_turned_away_total", "Connections that were not let in."), |c, out| {
        out.value(c.turned_away);
    }),
    (counter("lux_writes_too_fast_total", "Writes refused because they came too fast."), |c, out| {
        out.value(c.too_fast);
    }),
    (counter("lux_access_log_dropped_total", "Lines of the access log that were dropped."), |c, out| {
        out.value(c.log_lines_dropped);
    }),
    (counter("lux_loop_busy_seconds_total", "Processor time of the core's loop."), |c, out| {
        out.seconds(c.busy_us);
    }),
];

const BUILD: Head = gauge("lux_build_info", "The version that runs.");
const UP: Head = gauge("lux_core_up", "1 if the core answered this scrape in time.");

const fn gauge(name: &'static str, help: &'static str) -> Head {
    Head { name, kind: "gauge", help }
}

const fn counter(name: &'static str, help: &'static str) -> Head {
    Head { name, kind: "counter", help }
}

/// The figures of all cores, and of the process. `cores` is how many there are; those without a part did not
/// answer in time.
pub fn render(parts: &[(ShardId, Box<Counters>)], cores: u16, process: Option<&ProcessFigures>) -> String {
    let mut out = String::with_capacity(8 * 1024);
    begin(&mut out, &BUILD);
    let _ = writeln!(out, "lux_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    begin(&mut out, &UP);
    for core in 0..cores {
        let is_up = parts.iter().any(|(shard, _)| shard.0 == core);
        let _ = writeln!(out, "{}{{core=\"{core}\"}} {}", UP.name, u8::from(is_up));
    }
    for (head, read) in &ROWS {
        begin(&mut out, head);
        for (shard, counters) in parts {
            read(counters, &mut Lines { out: &mut out, name: head.name, core: shard.0 });
        }
    }
    if let Some(saved) = parts.iter().find_map(|(_, counters)| counters.saved) {
        render_saved(&mut out, &saved);
    }
    if let Some(process) = process {
        let connections: u64 = parts.iter().map(|(_, counters)| counters.connections).sum();
        render_process(&mut out, process, connections);
    }
    out
}

fn begin(out: &mut String, Head { name, kind, help }: &Head) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// The snapshots belong to the process, so their figures have no core; without snapshots there are none.
fn render_saved(out: &mut String, saved: &Saved) {
    let mut row = |head: Head, value: String| {
        begin(out, &head);
        let _ = writeln!(out, "{} {value}", head.name);
    };
    let seconds = |ms: u64| Seconds(ms * 1000).to_string();
    row(gauge("lux_snapshot_age_seconds", "Since everything up to then was on disk."), seconds(saved.age_ms));
    row(gauge("lux_snapshot_bytes", "Size of the snapshot file."), saved.bytes.to_string());
    row(
        counter("lux_snapshot_failures_total", "Snapshots that could not be written."),
        saved.failures.to_string(),
    );
    row(
        gauge("lux_snapshot_write_seconds", "How long the last snapshot took to write."),
        seconds(saved.write_ms),
    );
}

/// The names that every exporter in this field uses.
fn render_process(out: &mut String, process: &ProcessFigures, connections: u64) {
    let mut row = |head: Head, value: String| {
        begin(out, &head);
        let _ = writeln!(out, "{} {value}", head.name);
    };
    let whole = |value: u64| value.to_string();
    let seconds = |us: u64| Seconds(us).to_string();
    let open_fds = process.open_fds.unwrap_or(process.idle_fds + connections);
    row(
        counter("process_cpu_seconds_total", "Processor time of the whole process."),
        seconds(process.cpu_us),
    );
    row(gauge("process_resident_memory_bytes", "Memory in RAM."), whole(process.resident_bytes));
    row(gauge("process_virtual_memory_bytes", "Memory with an address."), whole(process.virtual_bytes));
    row(gauge("process_open_fds", "Descriptors in use."), whole(open_fds));
    row(gauge("process_max_fds", "Descriptors that may be in use."), whole(process.max_fds));
    row(
        gauge("process_start_time_seconds", "When the process began, Unix time."),
        seconds(process.began_ms * 1000),
    );
}

/// Where the lines of one core under one name go.
struct Lines<'a> {
    out: &'a mut String,
    name: &'static str,
    core: u16,
}

impl Lines<'_> {
    fn value(&mut self, value: u64) {
        let _ = writeln!(self.out, "{}{{core=\"{}\"}} {value}", self.name, self.core);
    }

    fn seconds(&mut self, us: u64) {
        let _ = writeln!(self.out, "{}{{core=\"{}\"}} {}", self.name, self.core, Seconds(us));
    }
}

/// Microseconds, shown in seconds without a rounding.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

fn writes(counters: &Counters, lines: &mut Lines<'_>) {
    let writes = &counters.writes;
    for (outcome, count) in [
        ("created", writes.created),
        ("replaced", writes.replaced),
        ("deleted", writes.deleted),
        ("conflict", writes.conflict),
        ("missing", writes.missing),
        ("refused", writes.refused),
    ] {
        let (name, core) = (lines.name, lines.core);
        let _ = writeln!(lines.out, "{name}{{core=\"{core}\",outcome=\"{outcome}\"}} {count}");
    }
}

fn ages(counters: &Counters, lines: &mut Lines<'_>) {
    let (name, core) = (lines.name, lines.core);
    let mut all = 0;
    for (bound_ms, count) in counters.ages.cumulative() {
        let bound = bound_ms.map_or("+Inf".to_owned(), |ms| format!("{}.{:03}", ms / 1000, ms % 1000));
        let _ = writeln!(lines.out, "{name}_bucket{{core=\"{core}\",le=\"{bound}\"}} {count}");
        all = count;
    }
    let sum = Seconds(counters.ages.sum_ms() * 1000);
    let _ = writeln!(lines.out, "{name}_sum{{core=\"{core}\"}} {sum}");
    let _ = writeln!(lines.out, "{name}_count{{core=\"{core}\"}} {all}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_their_zeros() {
        assert_eq!(Seconds(0).to_string(), "0.000000");
        assert_eq!(Seconds(1_000_001).to_string(), "1.000001");
    }

    #[test]
    fn a_core_that_did_not_answer_is_said_to_be_down_and_nothing_else_of_it() {
        let parts = [(ShardId(1), Box::<Counters>::default())];
        let text = render(&parts, 2, None);
        assert!(text.contains("lux_core_up{core=\"0\"} 0\nlux_core_up{core=\"1\"} 1\n"), "{text}");
        assert_eq!(text.matches("core=\"0\"").count(), 1, "{text}");
        assert!(!text.contains("process_"), "{text}");
    }
}
