//! Latency curves as a picture: percentile to the right, time upwards.
//!
//! Always true: both axes are logarithmic, the percentiles towards 100, so that the tail is as readable as
//! the middle. The picture needs no font, script or style from elsewhere, and reads in light and dark.
//!
//! Read first: `latency.rs`.

use std::fmt::Write;

use crate::latency::Summary;
use crate::report::table::time;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 100.0;
const BOTTOM: f64 = 52.0;
/// Colours that are told apart by most eyes, on white and on near-black.
const COLOURS: [&str; 8] =
    ["#0a7ea4", "#d1495b", "#3c8d5a", "#b07a00", "#7b5ea7", "#4a6fa5", "#a3528a", "#6b705c"];

/// One curve.
pub struct Curve<'a> {
    /// What it is called in the legend.
    pub label: String,
    /// Its points.
    pub summary: &'a Summary,
}

/// Where things lie.
struct Scale {
    nines: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(curves: &[Curve<'_>]) -> Scale {
        let points = || curves.iter().flat_map(|curve| &curve.summary.curve).filter(|point| point.1 > 0.0);
        let low = points().map(|point| point.1).fold(f64::MAX, f64::min);
        let high = points().map(|point| point.1).fold(0.0, f64::max);
        let nines = points().map(|point| nines(point.0)).fold(1.0, f64::max);
        // Whole tenfolds, so that the grid begins and ends on a line.
        let low = if low == f64::MAX { 0.0 } else { low.log10().floor() };
        let high = if high > 0.0 { high.log10().ceil() } else { 1.0 };
        Scale { nines, low, high: high.max(low + 1.0) }
    }

    fn x(&self, nines: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * nines / self.nines
    }

    fn y(&self, micros: f64) -> f64 {
        let share = (micros.max(1e-3).log10() - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share.clamp(0.0, 1.0)
    }
}

/// 90 % is one nine, 99 % two, and so on; 0 % none.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).max(1e-9).log10()
}

/// The picture.
pub fn render(title: &str, curves: &[Curve<'_>]) -> String {
    let scale = Scale::of(curves);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>{0}</title>\n<style>\
         svg{{background:#fff;color:#1d2330}}.g{{stroke:#8a93a5;stroke-opacity:.3}}\
         .c{{fill:none;stroke-width:2;stroke-linejoin:round}}text{{fill:currentColor}}\
         @media(prefers-color-scheme:dark){{svg{{background:#12161f;color:#dde3ee}}}}</style>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"600\">{0}</text>\n",
        escape(title)
    );
    grid(&mut out, &scale);
    for (at, curve) in curves.iter().enumerate() {
        draw(&mut out, &scale, curve, COLOURS[at % COLOURS.len()], at);
    }
    out.push_str("</svg>\n");
    out
}

// Writing to a String cannot fail, so what `write!` gives is let go throughout.

fn grid(out: &mut String, scale: &Scale) {
    for power in scale.low as i32..=scale.high as i32 {
        let (micros, y) = (10f64.powi(power), scale.y(10f64.powi(power)));
        let right = WIDTH - RIGHT;
        let _ = writeln!(
            out,
            "<path class=\"g\" d=\"M{LEFT} {y:.1}H{right}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            axis_time(micros),
        );
    }
    for whole in 0..=scale.nines.floor() as usize {
        let x = scale.x(whole as f64);
        let (bottom, label) = (HEIGHT - BOTTOM, percent(whole));
        let _ = writeln!(
            out,
            "<path class=\"g\" d=\"M{x:.1} {TOP}V{bottom}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 18.0,
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">share of all that took no longer</text>",
        WIDTH - RIGHT,
        HEIGHT - 12.0
    );
}

fn draw(out: &mut String, scale: &Scale, curve: &Curve<'_>, colour: &str, at: usize) {
    let mut path = String::new();
    for (percentile, micros) in &curve.summary.curve {
        let pen = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{pen}{:.1} {:.1}", scale.x(nines(*percentile)), scale.y(*micros));
    }
    let _ = writeln!(out, "<path class=\"c\" stroke=\"{colour}\" d=\"{path}\"/>");
    let (x, y) = (LEFT + 14.0 + (at % 2) as f64 * 380.0, 46.0 + (at / 2) as f64 * 15.0);
    let _ = writeln!(
        out,
        "<path class=\"c\" stroke=\"{colour}\" d=\"M{x:.1} {y:.1}h18\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        x + 25.0,
        y + 4.0,
        escape(&curve.label),
    );
}

fn axis_time(micros: f64) -> String {
    time(micros).replace(".00", "").replace(".0 ", " ")
}

fn percent(nines: usize) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more - 2)),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;

    fn summary(factor: u64) -> Summary {
        let mut times = Latencies::new();
        (1..=10_000).for_each(|micros| times.record(micros * 1000 * factor));
        times.summary("t")
    }

    #[test]
    fn a_slower_curve_lies_higher_and_all_of_it_lies_within() {
        let (fast, slow) = (summary(1), summary(10));
        let curves = [
            Curve { label: "fast".to_owned(), summary: &fast },
            Curve { label: "slow <&>".to_owned(), summary: &slow },
        ];
        let scale = Scale::of(&curves);
        assert!(scale.y(slow.p50) < scale.y(fast.p50));
        for curve in &curves {
            for (percentile, micros) in &curve.summary.curve {
                let (x, y) = (scale.x(nines(*percentile)), scale.y(*micros));
                assert!((LEFT..=WIDTH - RIGHT + 0.01).contains(&x), "{x}");
                assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{y}");
            }
        }
        let picture = render("title", &curves);
        assert!(picture.contains("slow &lt;&amp;&gt;") && picture.contains("99.9 %"));
        assert_eq!(picture.matches("stroke=\"#0a7ea4\"").count(), 2, "a line and its sample in the legend");
    }

    #[test]
    fn no_curve_at_all_is_a_picture_too() {
        assert!(render("nothing", &[]).ends_with("</svg>\n"));
        let none = Latencies::new().summary("none");
        let picture = render("empty", &[Curve { label: "none".to_owned(), summary: &none }]);
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }

    #[test]
    fn percentiles_are_named_as_people_name_them() {
        assert_eq!((0..5).map(percent).collect::<Vec<_>>(), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }
}
