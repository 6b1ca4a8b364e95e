//! A report as a table on a terminal.
//!
//! Always true: a bottleneck in the generator stands at the end, where it is read.
//!
//! Read first: `report/mod.rs`.

use std::fmt::Write;

use crate::report::Report;

/// The table.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let asked: Vec<String> = report.asked.iter().map(|(name, value)| format!("{name} {value}")).collect();
    line(
        &mut out,
        format!("{} · {} · {:.1} s · {}", report.target, report.scenario, report.seconds, asked.join(", ")),
    );
    if !report.latencies.is_empty() {
        line(
            &mut out,
            format!(
                "  {:<28}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
                "", "count", "p50", "p90", "p99", "p99.9", "max"
            ),
        );
    }
    for times in &report.latencies {
        let columns: String = [times.p50, times.p90, times.p99, times.p999, times.max]
            .iter()
            .map(|micros| format!("{:>10}", time(*micros)))
            .collect();
        line(&mut out, format!("  {:<28}{:>10}{columns}", times.name, times.count));
    }
    for (name, value) in report.counts.iter().chain(&report.figures) {
        line(&mut out, format!("  {name:<48}{value:>14}"));
    }
    for (why, count) in &report.errors {
        line(&mut out, format!("  error: {why:<41}{count:>14}"));
    }
    if let Some(generator) = &report.generator {
        line(
            &mut out,
            format!(
                "  generator: busy {:.0} % of the time, processor {:.0} %, batches {} at p99",
                generator.busy_share * 100.0,
                generator.cpu_share * 100.0,
                time(generator.batch_p99_micros)
            ),
        );
        if let Some(bottleneck) = &generator.bottleneck {
            line(&mut out, format!("  ! {bottleneck}"));
        }
    }
    out
}

fn line(out: &mut String, text: String) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

/// Microseconds in the unit one would say them in.
pub fn time(micros: f64) -> String {
    match micros {
        ..1000.0 => format!("{micros:.1} µs"),
        ..1_000_000.0 => format!("{:.2} ms", micros / 1000.0),
        _ => format!("{:.2} s", micros / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;

    #[test]
    fn a_table_hides_neither_errors_nor_a_bottleneck() {
        let mut report = Report::new("fanout", "Lux");
        let mut times = Latencies::new();
        times.record(1_500_000);
        report.times("PUT → viewer", &times);
        report.count("skipped revisions", 3);
        report.errors.insert("closed by the broker with 1011".to_owned(), 2.into());
        let table = render(&report);
        assert!(table.contains("1.50 ms"), "{table}");
        assert!(table.contains("skipped revisions"), "{table}");
        assert!(table.contains("closed by the broker with 1011"), "{table}");
    }
}
