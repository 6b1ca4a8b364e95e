//! Standard output, and text that a terminal cannot be fooled with.
//!
//! Always true: a reader that goes away ends the program quietly; a state shown on a terminal cannot move the
//! cursor, change colours or turn the writing direction, whatever a producer put into it.
//!
//! Read first: `failure.rs`.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::failure::Failure;

/// Writes one line to standard output, at once.
///
/// # Errors
/// Standard output is closed or full.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let text = if out.is_terminal() { printable(text) } else { Cow::Borrowed(text) };
    // Two writes would let a reader see half a line.
    out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}

/// Writes one line of our own with colours to standard output; they are left out where none are shown.
///
/// # Errors
/// Standard output is closed or full.
pub fn styled(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}

/// Whether anybody still reads standard output. Writing would tell as well, but there may be nothing to write
/// for hours, and `lux watch … | head -1` should end when `head` does.
pub fn is_read() -> bool {
    let out = io::stdout();
    let mut watched = [PollFd::new(out.as_fd(), PollFlags::empty())];
    // No flag is asked for: the kernel reports a closed reader all the same.
    let polled = poll(&mut watched, PollTimeout::ZERO);
    polled.is_err() || !watched[0].any().unwrap_or(false)
}

/// JSON text with what a terminal would act on written as `\u…`, which is the same JSON.
pub fn printable(json: &str) -> Cow<'_, str> {
    if !json.contains(is_active) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_active(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// Control characters, and those that turn the writing direction. Line feeds are ours, not a state's:
/// inside of JSON text they are escaped already.
fn is_active(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n')
}

/// Rows in columns: each as wide as its widest cell, two spaces apart, none after the last.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let row_text = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(row_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(printable("{\"a\":\"b\"}"), "{\"a\":\"b\"}");
        let nasty = "\"a\u{9b}31m\u{7f}\u{202e}\"";
        let shown = printable(nasty);
        assert_eq!(shown, "\"a\\u009b31m\\u007f\\u202e\"");
        let value = |text: &str| serde_json::from_str::<String>(text).unwrap();
        assert_eq!(value(&shown), value(nasty), "it is the same state");
    }

    #[test]
    fn columns_line_up() {
        let cells = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [cells(&["name", "read"]), cells(&["größe", "*"])];
        assert_eq!(columns(&rows), ["name   read", "größe  *"]);
    }
}
