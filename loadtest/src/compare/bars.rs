//! Lux beside its peers as a picture: a few figures, a bar for each.
//!
//! Always true: bars begin at zero and are to scale within a figure; shorter is better in all of them. The
//! picture needs nothing from elsewhere, and reads in light and dark.
//!
//! Read first: `compare/figures.rs`.

use std::fmt::Write;

use crate::compare::figures::{Figure, Values};
use crate::compare::page::number;
use crate::compare::server::Contender;

const WIDTH: f64 = 860.0;
const COLUMN: f64 = 420.0;
const NAMES: f64 = 92.0;
const BAR_MAX: f64 = 210.0;
const ROW: f64 = 18.0;
const TOP: f64 = 56.0;

/// The figures shown: as they begin, and what they are called here.
const SHOWN: &[(&str, &str)] = &[
    ("1,000 viewers, closed loop: processor per delivery ÷", "Processor per delivery, by the bare send’s"),
    (
        "1,000 viewers at 50/s: p99 of PUT → viewer ÷",
        "1,000 viewers: p99 of PUT → viewer, by the bare send’s",
    ),
    (
        "1 producer, 1,000 viewers, 50/s: p50 of the ack",
        "PUT acknowledged while 1,000 are served, by the echo’s",
    ),
    ("32 producers: processor per acknowledgement ÷", "Processor per PUT acknowledged, by the bare echo’s"),
    ("10,000 idle viewers: resident memory each", "Memory per idle viewer, bytes"),
    ("overload: staleness p99", "Overload: age of what a healthy viewer holds, p99, ms"),
];

// Writing to a String cannot fail, so what `write!` gives is let go throughout.

/// The picture.
pub fn render(figures: &[Figure], peers: &[Contender]) -> String {
    let shown: Vec<(&Figure, &str)> = SHOWN
        .iter()
        .filter_map(|(begins, title)| Some((figures.iter().find(|f| f.name.starts_with(begins))?, *title)))
        .collect();
    let panel = ROW * (peers.len() as f64 + 1.0) + 46.0;
    let height = TOP + panel * shown.len().div_ceil(2) as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>Lux beside others</title>\n<style>\
         svg{{background:#fff;color:#1d2330}}text{{fill:currentColor}}.o{{fill:#8a93a5}}.l{{fill:#0a7ea4}}\
         @media(prefers-color-scheme:dark){{svg{{background:#12161f;color:#dde3ee}}.l{{fill:#35b5dd}}}}</style>\n\
         <text x=\"20\" y=\"28\" font-size=\"15\" font-weight=\"600\">Lux beside others, on one core: shorter is \
         better</text>\n"
    );
    for (at, (figure, title)) in shown.iter().enumerate() {
        let (x, y) = (20.0 + COLUMN * (at % 2) as f64, TOP + panel * (at / 2) as f64);
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{}\" font-weight=\"600\">{title}</text>", y + 12.0);
        draw(&mut out, figure, peers, x, y + 22.0);
    }
    out.push_str("</svg>\n");
    out
}

/// A bar for each: Lux first, then the others in their order.
fn draw(out: &mut String, figure: &Figure, peers: &[Contender], x: f64, y: f64) {
    let mut rows: Vec<(&str, &Values)> = vec![("Lux", &figure.values)];
    rows.extend(peers.iter().map(|peer| peer.name()).zip(&figure.peers));
    let medians = rows.iter().filter(|(_, values)| !values.is_empty()).map(|(_, values)| values.median());
    let longest = medians.fold(f64::MIN_POSITIVE, f64::max);
    for (at, (name, values)) in rows.iter().enumerate() {
        let (y, class) = (y + ROW * at as f64, if at == 0 { "l" } else { "o" });
        let middle = y + 11.0;
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>",
            x + NAMES - 8.0
        );
        let (length, label) = match values.is_empty() {
            true => (0.0, "–".to_owned()),
            false => (BAR_MAX * values.median().max(0.0) / longest, number(values.median())),
        };
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{:.1}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{middle:.1}\">{label}</text>",
            x + NAMES,
            y + 1.0,
            ROW - 5.0,
            x + NAMES + length + 6.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_to_scale_and_who_could_not_has_none() {
        let figure = Figure {
            name: "overload: staleness p99, ms",
            case: "overload",
            mark: None,
            values: Values(vec![2.0]),
            peers: vec![Values(vec![8.0]), Values(vec![])],
        };
        let picture = render(&[figure], &[Contender::Nchan, Contender::Nats]);
        assert!(picture.contains("width=\"52.5\"") && picture.contains("width=\"210.0\""), "{picture}");
        assert!(picture.contains("width=\"0.0\"") && picture.contains(">–<"), "{picture}");
    }
}
