//! `lux explain`: why a screen is old. Who wrote a key last, how its viewers were told, and what each slow one
//! has.
//!
//! Always true: it only asks. What is shown is what the broker said; `--json` shows exactly that.
//!
//! Read first: `client.rs`, `conn/explain.rs` (who says it).

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Deserialize;

use super::client::{Ask, BrokerArgs};
use super::failure::Failure;
use super::output;
use super::states::{not_lux, parse_key};
use crate::key::Key;

const EXAMPLES: &str = "\
Examples:
  lux explain dashboard-main
  lux explain dashboard-main --json | jq '.slow[].diagnosis'
  watch -n 1 lux explain dashboard-main

It takes an API key that reads everything (`--read '*'`): it tells who watches, from which address.";

/// Flags of `lux explain`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The key
    #[arg(value_parser = parse_key)]
    key: Key,

    /// Print the broker's answer as it is: one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    key: String,
    rev: u64,
    age_ms: Option<u64>,
    deleted: bool,
    bytes: u64,
    by: Option<String>,
    owner: u16,
    waiting: u64,
    diagnosis: String,
    cores: Vec<Core>,
    slow: Vec<Slow>,
    slow_left_out: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Core {
    core: u16,
    up: bool,
    rev: u64,
    viewers: u64,
    waiting: u64,
    fan_out: Option<FanOut>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FanOut {
    rev: u64,
    sends: u64,
    took_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slow {
    address: Option<String>,
    core: u16,
    api_key: String,
    pattern: String,
    connected_ms: u64,
    rev: Option<u64>,
    behind_ms: u64,
    conflated: u64,
    unsent_bytes: Option<u64>,
    diagnosis: String,
}

/// Asks the broker about a key, and shows what it says.
///
/// # Errors
/// The broker said no, or cannot be reached.
pub fn run(args: ExplainArgs) -> Result<(), Failure> {
    let path = format!("/_explain?key={}", args.key);
    let ask = Ask { method: "GET", path: &path, fields: Vec::new(), body: None };
    let reply = args.broker.client()?.ask(&ask)?;
    if args.json {
        return output::line(reply.body.trim_end());
    }
    let whole: Explanation = serde_json::from_str(&reply.body).map_err(|error| not_lux(&error))?;
    lines(&whole).iter().try_for_each(|line| output::styled(line))
}

fn lines(whole: &Explanation) -> Vec<String> {
    let bold = Style::new().bold();
    let is_well = whole.waiting == 0 && whole.slow.is_empty() && whole.cores.iter().all(|core| core.up);
    let colour = if is_well { AnsiColor::Green } else { AnsiColor::Yellow }.on_default();
    let mut out = vec![
        format!("{bold}{}{bold:#}  {}", whole.key, newest(whole)),
        format!("{colour}{}{colour:#}", whole.diagnosis),
        String::new(),
    ];
    out.extend(table(core_rows(whole)));
    if !whole.slow.is_empty() {
        out.push(String::new());
        let mut rows = table(slow_rows(&whole.slow)).into_iter();
        out.extend(rows.next());
        for (row, slow) in rows.zip(&whole.slow) {
            out.push(row);
            out.push(format!("  {colour}{}{colour:#}", slow.diagnosis));
        }
    }
    if whole.slow_left_out > 0 {
        out.push(format!("… and {} more", whole.slow_left_out));
    }
    out
}

/// The newest revision in half a sentence.
fn newest(whole: &Explanation) -> String {
    let mut parts = vec![match (whole.rev, whole.deleted) {
        (0, _) => "no state".to_owned(),
        (rev, true) => format!("deleted with revision {rev}"),
        (rev, false) => format!("revision {rev}"),
    }];
    parts.extend(whole.age_ms.map(|ms| format!("{} ago", time(ms))));
    if whole.rev > 0 {
        parts.extend((!whole.deleted).then(|| size(whole.bytes)));
        parts.push(match &whole.by {
            Some(name) => format!("by the API key `{name}`"),
            None => "by an API key that is not known any more".to_owned(),
        });
    }
    parts.join(", ")
}

/// Aligned, the first row in bold.
fn table(rows: Vec<Vec<String>>) -> Vec<String> {
    let bold = Style::new().bold();
    let mut rows = output::columns(&rows);
    if let Some(first) = rows.first_mut() {
        *first = format!("{bold}{first}{bold:#}");
    }
    rows
}

fn core_rows(whole: &Explanation) -> Vec<Vec<String>> {
    let mut rows = vec![cells(["CORE", "REVISION", "VIEWERS", "WAITING", "FAN-OUT", ""])];
    for core in &whole.cores {
        let fan_out = core.fan_out.as_ref().map_or("-".to_owned(), |fan_out| {
            let sends = if fan_out.sends == 1 { "send" } else { "sends" };
            let of = if fan_out.rev == core.rev { String::new() } else { format!(" of {}", fan_out.rev) };
            format!("{} {sends}{of} in {}", fan_out.sends, time(fan_out.took_ms))
        });
        let remark = match (core.up, core.core == whole.owner) {
            (false, _) => "does not answer",
            (true, true) => "owns the key",
            (true, false) => "",
        };
        let rev = if core.rev > 0 { core.rev.to_string() } else { "-".to_owned() };
        rows.push(vec![
            core.core.to_string(),
            rev,
            core.viewers.to_string(),
            core.waiting.to_string(),
            fan_out,
            remark.to_owned(),
        ]);
    }
    rows
}

fn slow_rows(slow: &[Slow]) -> Vec<Vec<String>> {
    let head =
        ["VIEWER", "CORE", "API KEY", "CONNECTED", "PATTERN", "HOLDS", "BEHIND", "CONFLATED", "UNSENT"];
    let mut rows = vec![cells(head)];
    rows.extend(slow.iter().map(|slow| {
        vec![
            slow.address.clone().unwrap_or_else(|| "gone".to_owned()),
            slow.core.to_string(),
            slow.api_key.clone(),
            time(slow.connected_ms),
            slow.pattern.clone(),
            slow.rev.map_or("-".to_owned(), |rev| rev.to_string()),
            time(slow.behind_ms),
            slow.conflated.to_string(),
            slow.unsent_bytes.map_or("-".to_owned(), size),
        ]
    }));
    rows
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{:.1} KiB", bytes as f64 / KIB as f64),
        MIB.. => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

/// Milliseconds as people read them.
fn time(ms: u64) -> String {
    match ms {
        0 => "<1 ms".to_owned(),
        1..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        172_800_000.. => format!("{} d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"key":"board","rev":940,"updatedAt":1782000000000,"ageMs":3200,"deleted":false,
        "bytes":214,"by":"importer","owner":1,"viewers":3,"waiting":1,
        "diagnosis":"1 of 3 viewers still have to be given revision 940",
        "cores":[{"core":0,"up":true,"rev":940,"viewers":2,"waiting":1,"fanOut":{"rev":940,"sends":1,"tookMs":2}},
                 {"core":1,"up":false,"rev":0,"viewers":0,"waiting":0}],
        "slow":[{"address":"127.0.0.1:52144","core":0,"apiKey":"wall","protocol":"websocket","pattern":"bo*",
                 "connectedMs":720000,"rev":812,"ageMs":4000,"behindMs":3250,"conflated":128,"unsentBytes":16384,
                 "inFlight":true,"diagnosis":"it does not read"}],
        "slowLeftOut":4}"#;

    #[test]
    fn columns_stand_under_their_names() {
        let whole: Explanation = serde_json::from_str(ANSWER).unwrap();
        let plain = |text: &String| anstream::adapter::strip_str(text).to_string();
        let shown: Vec<String> = lines(&whole).iter().map(plain).collect();
        assert_eq!(
            shown,
            [
                "board  revision 940, 3.2 s ago, 214 B, by the API key `importer`",
                "1 of 3 viewers still have to be given revision 940",
                "",
                "CORE  REVISION  VIEWERS  WAITING  FAN-OUT",
                "0     940       2        1        1 send in 2 ms",
                "1     -         0        0        -               does not answer",
                "",
                "VIEWER           CORE  API KEY  CONNECTED  PATTERN  HOLDS  BEHIND  CONFLATED  UNSENT",
                "127.0.0.1:52144  0     wall     12 min     bo*      812    3.2 s   128        16.0 KiB",
                "  it does not read",
                "… and 4 more",
            ]
        );
    }

    #[test]
    fn what_is_not_there_is_said() {
        let nothing = ANSWER.replace("\"rev\":940,\"updatedAt\":1782000000000,\"ageMs\":3200", "\"rev\":0");
        let whole: Explanation = serde_json::from_str(&nothing).unwrap();
        assert_eq!(newest(&whole), "no state");
        let gone = ANSWER.replace("\"deleted\":false", "\"deleted\":true").replace("\"importer\"", "null");
        let whole: Explanation = serde_json::from_str(&gone).unwrap();
        assert_eq!(
            newest(&whole),
            "deleted with revision 940, 3.2 s ago, by an API key that is not known any more"
        );
    }
}
