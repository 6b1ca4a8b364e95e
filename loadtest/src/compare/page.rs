//! The results as a page, as JSON, and as pictures.
//!
//! Always true: marks that were missed are said to be missed.
//!
//! Read first: `compare/figures.rs`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use crate::compare::cases::Measured;
use crate::compare::figures::Figure;
use crate::compare::machine::Machine;
use crate::failure::Failure;
use crate::report::svg::{self, Curve};
use crate::report::table;

// Writing to a String cannot fail, so what `writeln!` gives is let go throughout.

/// The figures as a Markdown table.
pub fn table(figures: &[Figure]) -> String {
    let mut out = "| figure | mark | median | spread | |\n|---|---|---|---|---|\n".to_owned();
    for figure in figures {
        let median = figure.median();
        let (low, high) = figure.spread();
        let mark = figure.mark.map_or(String::new(), |mark| format!("≤ {}", number(mark)));
        let verdict = match figure.mark {
            Some(mark) if median <= mark => "met",
            Some(_) => "missed",
            None => "",
        };
        let (median, low, high) = (number(median), number(low), number(high));
        let _ = writeln!(out, "| {} | {mark} | {median} | {low} – {high} | {verdict} |", figure.name);
    }
    out
}

fn number(value: f64) -> String {
    match value.abs() {
        ..10.0 if value.fract() != 0.0 => format!("{value:.2}"),
        ..100.0 if value.fract() != 0.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The page.
pub fn render(machine: &Machine, figures: &[Figure], rounds: &[Vec<Measured>], took: Duration) -> String {
    let mut out = format!(
        "# Lux beside what the kernel alone costs\n\n\
         {} · Linux {} · {} · commit {} · {} rounds in {:.0} s · load before: {}\n\n    {}\n\n\
         One core for the server, one for the generator. Ratios are taken within a round; the table shows their \
         median over the rounds, and the lowest and highest.\n\n{}",
        machine.date,
        machine.kernel,
        machine.processor,
        machine.commit,
        rounds.len(),
        took.as_secs_f64(),
        machine.load_before,
        machine.command,
        table(figures),
    );
    let _ = writeln!(
        out,
        "\n*Ceilings*: servers on the same engine that do the least that could carry the same bytes; see \
         `loadtest/README.md`. *Waited for its core*: how long a server was ready and something else ran: \
         how noisy the machine was.\n"
    );
    for (name, title) in PICTURES.iter().map(|picture| (picture.file, picture.title)) {
        if rounds
            .iter()
            .flatten()
            .any(|measured| PICTURES.iter().any(|p| p.file == name && p.case == measured.case))
        {
            let _ = writeln!(out, "![{title}]({name})\n");
        }
    }
    let _ = writeln!(out, "## The last round, measurement by measurement\n\n```");
    for measured in rounds.last().into_iter().flatten() {
        let _ = writeln!(out, "[{}] {}", measured.case, table::render(&measured.report));
    }
    out.push_str("```\n");
    out
}

/// Everything that was measured.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json(machine: &Machine, figures: &[Figure], rounds: &[Vec<Measured>]) -> Result<String, Failure> {
    let value = json!({ "machine": machine, "figures": figures, "rounds": rounds });
    serde_json::to_string(&value).map_err(Failure::of("writing JSON"))
}

struct Picture {
    file: &'static str,
    title: &'static str,
    case: &'static str,
    times: &'static [&'static str],
}

const PICTURES: &[Picture] = &[
    Picture {
        file: "ack-1.svg",
        title: "PUT acknowledged, one producer",
        case: "ack-1",
        times: &["acknowledged"],
    },
    Picture {
        file: "ack-32.svg",
        title: "PUT acknowledged, 32 producers",
        case: "ack-32",
        times: &["acknowledged"],
    },
    Picture {
        file: "fanout-1000.svg",
        title: "1,000 viewers, closed loop",
        case: "fanout-1000",
        times: &["acknowledged", "seen by a viewer"],
    },
    Picture {
        file: "fanout-1000-at-50.svg",
        title: "1,000 viewers, 50 updates a second",
        case: "fanout-1000-at-50",
        times: &["acknowledged", "seen by a viewer"],
    },
    Picture {
        file: "overload.svg",
        title: "2,000 updates a second × 1,000 viewers: age of what a healthy viewer holds",
        case: "overload",
        times: &["staleness of healthy viewers"],
    },
    Picture {
        file: "churn.svg",
        title: "10,000 viewers reconnect: PUT → viewer for the others",
        case: "churn-10000",
        times: &["before: seen by a viewer", "during the storm: seen by a viewer", "after: seen by a viewer"],
    },
];

/// Latency curves, by file name: those of the round in the middle.
pub fn pictures(rounds: &[Vec<Measured>]) -> Vec<(&'static str, String)> {
    let Some(middle) = rounds.get(rounds.len() / 2) else { return Vec::new() };
    let mut pictures = Vec::new();
    for picture in PICTURES {
        let measured: Vec<&Measured> =
            middle.iter().filter(|measured| measured.case == picture.case).collect();
        let mut curves = Vec::new();
        for measured in &measured {
            for name in picture.times {
                if let Some(summary) = measured.report.latency(name) {
                    curves.push(Curve { label: format!("{}: {name}", measured.contender.name()), summary });
                }
            }
        }
        if !curves.is_empty() {
            pictures.push((picture.file, svg::render(picture.title, &curves)));
        }
    }
    pictures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_mark_is_said_to_be_missed() {
        let figures = [
            Figure { name: "good", mark: Some(1.05), values: vec![1.0, 1.04, 9.0] },
            Figure { name: "bad", mark: Some(1.05), values: vec![1.06] },
            Figure { name: "free", mark: None, values: vec![1234.5] },
        ];
        let table = table(&figures);
        assert!(table.contains("| good | ≤ 1.05 | 1.04 | 1 – 9 | met |"), "{table}");
        assert!(table.contains("| bad | ≤ 1.05 | 1.06 | 1.06 – 1.06 | missed |"), "{table}");
        assert!(table.contains("| free |  | 1234 | 1234 – 1234 |  |"), "{table}");
    }
}
