//! The results as a page, as JSON, and as pictures.
//!
//! Always true: marks that were missed are said to be missed.
//!
//! Read first: `compare/figures.rs`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use crate::compare::cases::{Absence, Measured};
use crate::compare::figures::{Figure, Values};
use crate::compare::machine::Machine;
use crate::compare::server::Contender;
use crate::failure::Failure;
use crate::report::svg::{self, Curve};
use crate::report::table;

// Writing to a String cannot fail, so what `writeln!` gives is let go throughout.

/// The figures as a Markdown table.
pub fn table(figures: &[Figure]) -> String {
    let mut out = "| figure | mark | median | spread | |\n|---|---|---|---|---|\n".to_owned();
    for figure in figures {
        let median = figure.values.median();
        let (low, high) = figure.values.spread();
        let mark = figure.mark.map_or(String::new(), |mark| format!("≤ {}", number(mark)));
        // What must never happen must not happen in any round.
        let verdict = match figure.mark {
            Some(mark) if (if mark == 0.0 { high } else { median }) <= mark => "met",
            Some(_) => "missed",
            None => "",
        };
        let (median, low, high) = (number(median), number(low), number(high));
        let _ = writeln!(out, "| {} | {mark} | {median} | {low} – {high} | {verdict} |", figure.name);
    }
    out
}

/// A figure with as many digits as it bears.
pub fn number(value: f64) -> String {
    match value.abs() {
        ..10.0 if value.fract() != 0.0 => format!("{value:.2}"),
        ..100.0 if value.fract() != 0.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// All there is to be told.
pub struct Results<'a> {
    /// What was made of it.
    pub figures: &'a [Figure],
    /// What was measured.
    pub rounds: &'a [Vec<Measured>],
    /// Who was beside Lux.
    pub peers: &'a [Contender],
    /// What they could not do.
    pub absences: &'a [Absence],
}

impl Results<'_> {
    /// Lux beside its peers, as a Markdown table with footnotes; nothing where there are none. `absent`: those
    /// that could not be had, and why.
    pub fn beside(&self, absent: &[String]) -> String {
        let mut out = String::new();
        let mut notes: Vec<String> = Vec::new();
        if !self.peers.is_empty() {
            let names: Vec<&str> = self.peers.iter().map(|peer| peer.name()).collect();
            let _ = writeln!(
                out,
                "\n| figure | Lux | {} |\n|---|---{}|",
                names.join(" | "),
                "|---".repeat(names.len())
            );
        }
        for figure in self.figures.iter().filter(|figure| figure.peers.iter().any(|peer| !peer.is_empty())) {
            let _ = write!(out, "| {} | {} |", figure.name, cell(&figure.values));
            for (peer, values) in self.peers.iter().zip(&figure.peers) {
                let cell =
                    if values.is_empty() { self.absence(figure, *peer, &mut notes) } else { cell(values) };
                let _ = write!(out, " {cell} |");
            }
            out.push('\n');
        }
        for (at, note) in (1..).zip(&notes) {
            let _ = write!(out, "\n[{at}] {note}.{}", if at < notes.len() { "  " } else { "\n" });
        }
        for line in absent {
            let _ = writeln!(out, "\nNot among them: {line}.");
        }
        out
    }

    /// A dash, with the number of the note that says why.
    fn absence(&self, figure: &Figure, peer: Contender, notes: &mut Vec<String>) -> String {
        let is_it = |absence: &&Absence| absence.case == figure.case && absence.contender == peer;
        let Some(why) = self.absences.iter().find(is_it).map(|absence| &absence.why) else {
            return "–".to_owned();
        };
        let known = notes.iter().position(|note| note == why);
        let at = known.unwrap_or_else(|| {
            notes.push(why.clone());
            notes.len() - 1
        });
        format!("– [{}]", at + 1)
    }

    /// Measurements in which the generator was the bottleneck, by name.
    fn bottlenecks(&self) -> String {
        let mut lines = std::collections::BTreeMap::<String, usize>::new();
        for measured in self.rounds.iter().flatten() {
            let why = measured.report.generator.as_ref().and_then(|load| load.bottleneck.as_ref());
            if let Some(why) = why {
                let kind = if why.contains("something else") { "not alone" } else { "busy" };
                let name = format!("{} of {} ({kind})", measured.case, measured.contender.name());
                *lines.entry(name).or_default() += 1;
            }
        }
        let lines: Vec<String> = lines.iter().map(|(name, count)| format!("{name} × {count}")).collect();
        if lines.is_empty() { "none".to_owned() } else { lines.join(", ") }
    }

    /// The page.
    pub fn render(&self, machine: &Machine, absent: &[String], took: Duration) -> String {
        let mut out = format!(
            "# Lux beside what the kernel alone costs{}\n\n\
             {} · Linux {} · {} · commit {} · {} rounds in {:.0} s · load before: {}\n\n    {}\n\n\
             One core for the server, one for the generator. Ratios are taken within a round; the table shows their \
             median over the rounds, and the lowest and highest.\n\n{}",
            if self.peers.is_empty() { "" } else { ", and beside others" },
            machine.date,
            machine.kernel,
            machine.processor,
            machine.commit,
            self.rounds.len(),
            took.as_secs_f64(),
            machine.load_before,
            machine.command,
            table(self.figures),
        );
        let _ = writeln!(
            out,
            "\n*Ceilings*: servers on the same engine that do the least that could carry the same bytes; see \
             `loadtest/README.md`. *Waited for its core*: how long a server was ready and something else ran: \
             how noisy the machine was. *Two cores*: the broker shares the second with the generator, so only its \
             processor time is told, not how fast it is.\n\nThe generator was the bottleneck in: {}. Busy in a closed \
             loop, it asked for less than the server could have given: processor time is right, latencies hold its \
             queue.\n",
            self.bottlenecks()
        );
        if !self.peers.is_empty() || !absent.is_empty() {
            let _ = writeln!(
                out,
                "## Beside others\n\n![Lux beside others](peers.svg)\n\nThe same work for each on the same core, in \
                 the same rounds; how each is set up stands in `loadtest/peers`. Median (lowest – highest).\n{}",
                self.beside(absent)
            );
        }
        self.list_pictures(&mut out);
        let _ = writeln!(out, "## The last round, measurement by measurement\n\n```");
        for measured in self.rounds.last().into_iter().flatten() {
            let _ = writeln!(out, "[{}] {}", measured.case, table::render(&measured.report));
        }
        out.push_str("```\n");
        out
    }

    fn list_pictures(&self, out: &mut String) {
        for picture in PICTURES {
            if self.rounds.iter().flatten().any(|measured| measured.case == picture.case) {
                let _ = writeln!(out, "![{}]({})\n", picture.title, picture.file);
            }
        }
    }

    /// Everything that was measured.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn json(&self, machine: &Machine) -> Result<String, Failure> {
        let value = json!({
            "machine": machine, "figures": self.figures, "peers": self.peers, "absences": self.absences,
            "rounds": self.rounds,
        });
        serde_json::to_string(&value).map_err(Failure::of("writing JSON"))
    }
}

fn cell(values: &Values) -> String {
    let (low, high) = values.spread();
    format!("{} ({} – {})", number(values.median()), number(low), number(high))
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

    fn figure(name: &'static str, mark: Option<f64>, values: Vec<f64>) -> Figure {
        Figure { name, case: "case", mark, values: Values(values), peers: Vec::new() }
    }

    #[test]
    fn a_missed_mark_is_said_to_be_missed() {
        let figures = [
            figure("good", Some(1.05), vec![1.0, 1.04, 9.0]),
            figure("bad", Some(1.05), vec![1.06]),
            figure("never", Some(0.0), vec![0.0, 0.0, 7.0]),
            figure("free", None, vec![1234.5]),
        ];
        let table = table(&figures);
        assert!(table.contains("| good | ≤ 1.05 | 1.04 | 1 – 9 | met |"), "{table}");
        assert!(table.contains("| bad | ≤ 1.05 | 1.06 | 1.06 – 1.06 | missed |"), "{table}");
        assert!(table.contains("| never | ≤ 0 | 0 | 0 – 7 | missed |"), "{table}");
        assert!(table.contains("| free |  | 1234 | 1234 – 1234 |  |"), "{table}");
    }

    #[test]
    fn what_a_peer_cannot_do_has_a_note_that_says_why() {
        let peers = [Contender::Nchan, Contender::Nats];
        let beside = |peers: Vec<Values>| Figure { peers, ..figure("f", None, vec![1.0]) };
        let figures = [
            beside(vec![Values(vec![]), Values(vec![2.0, 4.0])]),
            beside(vec![Values(vec![]), Values(vec![1.0])]),
        ];
        let why = "nchan cannot have viewers of a prefix".to_owned();
        let absences = [Absence { case: "case", contender: Contender::Nchan, why }];
        let results = Results { figures: &figures, rounds: &[], peers: &peers, absences: &absences };
        let text = results.beside(&["Kafka: there is no such package".to_owned()]);
        assert!(text.contains("| f | 1 (1 – 1) | – [1] | 3 (2 – 4) |"), "{text}");
        assert_eq!(text.matches("[1] nchan cannot have viewers of a prefix.").count(), 1, "{text}");
        assert!(text.contains("Not among them: Kafka: there is no such package."), "{text}");
    }
}
