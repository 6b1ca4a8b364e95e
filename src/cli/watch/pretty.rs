//! The states as they are now, updating in place: one key as a tree, several as a list.
//!
//! Always true: what a line shows is the newest that arrived; what just changed stands out for a moment; a
//! flood of changes is drawn at a pace that eyes can follow.
//!
//! Read first: `tree.rs`, `screen.rs`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Color, Style};

use super::super::failure::Failure;
use super::super::output::printable;
use super::frame::Record;
use super::screen::{Screen, Size};
use super::tree::{Line, Tree};

const HIGHLIGHT: Duration = Duration::from_millis(1_500);
const FRAME_MIN: Duration = Duration::from_millis(40);
const IDLE_TICK: Duration = Duration::from_millis(500);

const KEY: Style = AnsiColor::Cyan.on_default();
const TEXT: Style = AnsiColor::Green.on_default();
const WORD: Style = AnsiColor::Magenta.on_default();
const CHANGED: Style = AnsiColor::Black.on_default().bg_color(Some(Color::Ansi(AnsiColor::Yellow)));
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Draws in place.
pub struct Pretty {
    screen: Screen,
    drawn_at: Option<Instant>,
    is_dirty: bool,
    view: View,
}

/// What there is to draw; a picture of it depends on nothing else but the time and the size.
struct View {
    /// Where the states come from.
    source: String,
    /// One key is watched, and drawn as a tree.
    is_single: bool,
    connection: String,
    is_live: bool,
    states: BTreeMap<String, Shown>,
}

struct Shown {
    record: Record,
    tree: Tree,
    before: Option<Tree>,
    changed_at: Option<Instant>,
}

/// The two clocks a picture needs.
#[derive(Clone, Copy)]
struct Clocks {
    now: Instant,
    wall_ms: u64,
}

impl Pretty {
    /// Nothing seen yet.
    pub fn new(source: String, is_single: bool) -> Pretty {
        let view =
            View { source, is_single, connection: String::new(), is_live: false, states: BTreeMap::new() };
        Pretty { screen: Screen::new(), drawn_at: None, is_dirty: false, view }
    }

    /// A state, or its deletion.
    pub fn record(&mut self, record: &Record, is_change: bool) {
        self.view.take(record, is_change.then(Instant::now));
        self.is_dirty = true;
    }

    /// A key that went away while there was no connection.
    pub fn gone(&mut self, key: &str) {
        self.view.states.remove(key);
        self.is_dirty = true;
    }

    /// What the connection does.
    pub fn status(&mut self, text: &str, is_live: bool) {
        self.view.connection = printable(text).into_owned();
        self.view.is_live = is_live;
        self.is_dirty = true;
    }

    /// How long there is nothing to draw, if nothing arrives.
    pub fn patience(&self) -> Duration {
        let since = self.drawn_at.map_or(FRAME_MIN, |at| at.elapsed());
        if self.is_dirty { FRAME_MIN.saturating_sub(since) } else { IDLE_TICK.saturating_sub(since) }
    }

    /// Draws if it is time to.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        if self.patience().is_zero() { self.draw() } else { Ok(()) }
    }

    /// Draws now.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self) -> Result<(), Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let lines = self.view.picture(Clocks { now: Instant::now(), wall_ms }, self.screen.size());
        self.screen.draw(&lines).map_err(|error| Failure::output(&error))?;
        self.drawn_at = Some(Instant::now());
        self.is_dirty = false;
        Ok(())
    }
}

impl View {
    fn take(&mut self, record: &Record, changed_at: Option<Instant>) {
        if record.deleted && !self.is_single {
            self.states.remove(&record.key);
            return;
        }
        let tree = Tree::parse(&record.data);
        let before = self.states.remove(&record.key).map(|shown| shown.tree);
        // A key that is new to a list lights up as a whole.
        let before =
            if before.is_none() && changed_at.is_some() { Some(Tree::Leaf(String::new())) } else { before };
        self.states.insert(record.key.clone(), Shown { record: record.clone(), tree, before, changed_at });
    }

    fn picture(&self, clocks: Clocks, size: Size) -> Vec<String> {
        let mut lines = vec![self.heading()];
        let body = if self.is_single { self.card(clocks) } else { self.list(clocks, size.columns) };
        let space = size.rows.saturating_sub(2);
        let hidden = body.len().saturating_sub(space);
        if hidden == 0 {
            lines.extend(body);
        } else {
            lines.extend(body.into_iter().take(space.saturating_sub(1)));
            lines.push(format!("{DIM}… and {} more; a higher window shows them{DIM:#}", hidden + 1));
        }
        lines
    }

    fn heading(&self) -> String {
        let colour = if self.is_live { AnsiColor::Green } else { AnsiColor::Yellow }.on_default();
        format!("{colour}●{colour:#} {}  {DIM}{}{DIM:#}", self.connection, self.source)
    }

    /// One key: what is known about its record, then its state as a tree.
    fn card(&self, clocks: Clocks) -> Vec<String> {
        let Some(shown) = self.states.values().next() else { return Vec::new() };
        let record = &shown.record;
        let facts = match (record.rev, record.deleted) {
            (0, _) => "no state yet".to_owned(),
            (rev, true) => format!("rev {rev} · deleted {}", age(record.updated_at_ms, clocks.wall_ms)),
            (rev, false) => format!("rev {rev} · {}", age(record.updated_at_ms, clocks.wall_ms)),
        };
        let mut lines = vec![format!("{BOLD}{}{BOLD:#}  {DIM}{facts}{DIM:#}", record.key)];
        if record.rev > 0 && !record.deleted {
            let before = shown.before.as_ref().filter(|_| shown.is_lit(clocks.now));
            lines.extend(shown.tree.lines(before).iter().map(tree_line));
        }
        lines
    }

    /// Several keys: a row each, in key order.
    fn list(&self, clocks: Clocks, columns: usize) -> Vec<String> {
        if self.states.is_empty() {
            return vec![format!("{DIM}no key has a state yet{DIM:#}")];
        }
        let widest = |width: fn(&Shown) -> usize| self.states.values().map(width).max().unwrap_or(0);
        let key_width = widest(|shown| shown.record.key.len()).min(40);
        let rev_width = widest(|shown| shown.record.rev.to_string().len());
        let row = |shown: &Shown| {
            let record = &shown.record;
            let age = age(record.updated_at_ms, clocks.wall_ms);
            let left = format!("{:<key_width$}  {:>rev_width$}  {age:>10}", record.key, record.rev);
            let space = columns.saturating_sub(left.chars().count() + 2);
            let before = shown.before.as_ref().filter(|_| shown.is_lit(clocks.now));
            let (key, rest) = left.split_at(record.key.len().max(key_width));
            format!("{KEY}{key}{KEY:#}{DIM}{rest}{DIM:#}  {}", joined(&shown.tree.parts(before), space))
        };
        self.states.values().map(row).collect()
    }
}

impl Shown {
    fn is_lit(&self, now: Instant) -> bool {
        self.changed_at.is_some_and(|at| now.saturating_duration_since(at) < HIGHLIGHT)
    }
}

fn tree_line(line: &Line) -> String {
    let indent = "  ".repeat(line.depth);
    let name =
        line.name.as_deref().map(|name| format!("{KEY}{}{KEY:#}: ", printable(name))).unwrap_or_default();
    let style = if line.is_changed { CHANGED } else { style_of(&line.text) };
    format!("{indent}{name}{style}{}{style:#}", printable(&line.text))
}

fn style_of(text: &str) -> Style {
    match text.as_bytes().first() {
        Some(b'"') => TEXT,
        Some(b't' | b'f' | b'n') => WORD,
        Some(_) | None => Style::new(),
    }
}

/// How long ago, in the unit that says most. A broker's clock may be ahead of ours: that is "now".
fn age(then_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) / 1_000 {
        0 => "now".to_owned(),
        seconds @ 1..60 => format!("{seconds} s ago"),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// Parts with commas between them, as many as there is space for.
fn joined(parts: &[(String, bool)], mut space: usize) -> String {
    let mut line = String::new();
    for (text, is_changed) in parts {
        if !line.is_empty() {
            line.push_str(", ");
            space = space.saturating_sub(2);
        }
        let style = if *is_changed { CHANGED } else { Style::new() };
        let text = printable(text);
        let shown = cut(&text, space);
        line.push_str(&format!("{style}{shown}{style:#}"));
        space = space.saturating_sub(text.chars().count());
        if space < 3 {
            break;
        }
    }
    line
}

fn cut(text: &str, space: usize) -> String {
    if text.chars().count() <= space {
        return text.to_owned();
    }
    text.chars().take(space.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, parse};
    use super::*;

    const SIZE: Size = Size { columns: 60, rows: 10 };

    fn view(is_single: bool) -> View {
        let source = "http://h/api/lux/a".to_owned();
        View { source, is_single, connection: "live".to_owned(), is_live: true, states: BTreeMap::new() }
    }

    fn record(key: &str, rev: u64, data: &str, end: &str) -> Record {
        let text = format!("{{\"key\":\"{key}\",\"rev\":{rev},\"updatedAt\":1000000,\"data\":{data}{end}}}");
        let Some(Frame::Record(record)) = parse(&text) else { panic!("{text}") };
        record
    }

    fn picture(view: &View, now: Instant, size: Size) -> String {
        view.picture(Clocks { now, wall_ms: 1_003_000 }, size).join("\n")
    }

    fn plain(view: &View, now: Instant, size: Size) -> String {
        anstream::adapter::strip_str(&picture(view, now, size)).to_string()
    }

    #[test]
    fn one_key_is_a_card_with_its_facts() {
        let (mut view, now) = (view(true), Instant::now());
        view.take(&record("a", 0, "null", ""), None);
        assert_eq!(plain(&view, now, SIZE), "● live  http://h/api/lux/a\na  no state yet");
        view.take(&record("a", 3, "{\"n\":1,\"m\":\"x\"}", ""), None);
        let expected = "● live  http://h/api/lux/a\na  rev 3 · 3 s ago\n{\n  \"n\": 1\n  \"m\": \"x\"\n}";
        assert_eq!(plain(&view, now, SIZE), expected);
        view.take(&record("a", 4, "null", ",\"deleted\":true"), Some(now));
        assert!(plain(&view, now, SIZE).ends_with("a  rev 4 · deleted 3 s ago"));
    }

    #[test]
    fn only_what_changed_stands_out_and_only_for_a_moment() {
        let (mut view, now) = (view(true), Instant::now());
        view.take(&record("a", 1, "{\"n\":1,\"m\":2}", ""), None);
        view.take(&record("a", 2, "{\"n\":1,\"m\":3}", ""), Some(now));
        let lit = |text: &str| format!("{CHANGED}{text}{CHANGED:#}");
        let fresh = picture(&view, now, SIZE);
        assert!(fresh.contains(&lit("3")) && !fresh.contains(&lit("1")), "{fresh:?}");
        assert!(!picture(&view, now + HIGHLIGHT, SIZE).contains(&lit("3")));
    }

    #[test]
    fn several_keys_are_rows_that_fit() {
        let (mut view, now) = (view(false), Instant::now());
        view.take(&record("device-2", 12, &format!("\"{}\"", "x".repeat(99)), ""), None);
        view.take(&record("device-10", 7, "true", ""), None);
        let text = plain(&view, now, SIZE);
        let rows: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(rows[0], "device-10   7     3 s ago  true");
        assert!(
            rows[1].starts_with("device-2   12     3 s ago  \"xxx") && rows[1].ends_with('…'),
            "{}",
            rows[1]
        );
        assert!(rows.iter().all(|row| row.chars().count() <= SIZE.columns));
        view.take(&record("device-2", 13, "null", ",\"deleted\":true"), Some(now));
        assert_eq!(plain(&view, now, SIZE).lines().count(), 2);
        view.take(&record("device-10", 8, "{\"t\":20,\"on\":true}", ""), None);
        view.take(&record("device-10", 9, "{\"t\":21,\"on\":true}", ""), Some(now));
        let row = format!("{CHANGED}t: 21{CHANGED:#}, on: true");
        assert!(picture(&view, now, SIZE).ends_with(&row), "{:?}", picture(&view, now, SIZE));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let (mut view, now) = (view(false), Instant::now());
        for at in 0..50 {
            view.take(&record(&format!("k{at:02}"), 1, "1", ""), None);
        }
        let text = plain(&view, now, SIZE);
        let rows = text.lines().count() - 2;
        assert!(
            text.lines().count() <= SIZE.rows && text.contains(&format!("and {} more", 50 - rows)),
            "{text}"
        );
    }
}
