//! The counts that are kept, in `counts.txt`.
//!
//! Always true: what another compiler or another kind of processor counted is never taken for ours: the first
//! is judged more mildly, the second not at all.
//!
//! Read first: `main.rs`.

use std::fmt::Write as _;
use std::process::Command;

/// More than this is a finding.
const TOLERANCE_PERCENT: f64 = 3.0;
/// Another compiler makes other code out of the same source; a mistake in the source is mostly larger.
const OTHER_COMPILER_TOLERANCE_PERCENT: f64 = 15.0;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions/counts.txt");
const HEADER: &str = "# Instructions per operation; written by `scripts/instructions --accept`.\n# ";

/// What was counted, and where.
#[derive(PartialEq, Debug)]
pub struct Counts {
    machine: String,
    lines: Vec<(String, f64)>,
}

/// What to think of a count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it was.
    Same,
    /// Fewer than were kept.
    Fewer,
    /// More than may be.
    More,
}

impl Verdict {
    /// What the table says.
    pub fn remark(self) -> &'static str {
        match self {
            Verdict::Same => "",
            Verdict::Fewer => "· fewer: --accept keeps it",
            Verdict::More => "· MORE",
        }
    }
}

impl Counts {
    /// None yet.
    pub fn of_this_machine() -> Counts {
        Counts { machine: machine(), lines: Vec::new() }
    }

    /// Notes one.
    pub fn set(&mut self, name: &str, count: f64) {
        self.lines.push((name.to_owned(), count));
    }

    /// Those that are kept.
    pub fn read() -> Result<Counts, String> {
        let text = std::fs::read_to_string(PATH).map_err(|error| format!("reading {PATH}: {error}"))?;
        Counts::parse(&text).ok_or_else(|| format!("{PATH} is not as --accept writes it"))
    }

    /// Keeps these.
    pub fn write(&self) -> Result<(), String> {
        std::fs::write(PATH, self.text()).map_err(|error| format!("writing {PATH}: {error}"))
    }

    fn text(&self) -> String {
        let mut text = format!("{HEADER}{}\n", self.machine);
        for (name, count) in &self.lines {
            let _ = writeln!(text, "{name:<14}{count:>9.1}");
        }
        text
    }

    fn parse(text: &str) -> Option<Counts> {
        let (machine, lines) = text.strip_prefix(HEADER)?.split_once('\n')?;
        let line = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok().filter(|count| *count > 0.0)?))
        };
        Some(Counts { machine: machine.to_owned(), lines: lines.lines().map(line).collect::<Option<_>>()? })
    }

    /// How much more is still the same; none where the counts are another kind of processor's.
    pub fn tolerance_percent(&self) -> Option<f64> {
        let here = machine();
        if self.machine == here {
            return Some(TOLERANCE_PERCENT);
        }
        let kind = |machine: &str| machine.split(", ").last().map(str::to_owned);
        if kind(&self.machine) != kind(&here) {
            println!("the counts are of {}, this is {here}: they cannot be compared", self.machine);
            return None;
        }
        println!(
            "the counts are of {}, this is {here}: up to {OTHER_COMPILER_TOLERANCE_PERCENT} % more is the same",
            self.machine
        );
        Some(OTHER_COMPILER_TOLERANCE_PERCENT)
    }

    /// What was kept for an operation, and what to think of a new count.
    pub fn judge(&self, name: &str, count: f64, tolerance_percent: f64) -> Result<(f64, Verdict), String> {
        let kept = self.lines.iter().find(|(kept, _)| kept == name).map(|(_, count)| *count);
        let kept =
            kept.ok_or_else(|| format!("{name} is new: `scripts/instructions --accept` keeps its count"))?;
        let verdict = match count / kept - 1.0 {
            change if change > tolerance_percent / 100.0 => Verdict::More,
            change if change < -tolerance_percent / 100.0 => Verdict::Fewer,
            _ => Verdict::Same,
        };
        Ok((kept, verdict))
    }
}

/// Compiler and kind of processor.
fn machine() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = version.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    format!("{version}, {}", std::env::consts::ARCH)
}
