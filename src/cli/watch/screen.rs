//! A few lines on a terminal that are drawn over in place.
//!
//! Always true: a frame goes out in one write, so it is never seen half; lines that are too long or too many
//! are cut, not wrapped, so that the next frame finds its way back.
//!
//! Read first: nothing.

use std::io::{self, Write};

use terminal_size::terminal_size;

/// The part of the terminal that is ours.
pub struct Screen {
    lines_drawn: usize,
    has_colours: bool,
}

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: usize,
    /// Lines, the one for the cursor not counted.
    pub rows: usize,
}

impl Screen {
    /// Nothing drawn yet.
    pub fn new() -> Screen {
        Screen {
            lines_drawn: 0,
            has_colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// How much fits by now; people change the size of windows.
    pub fn size(&self) -> Size {
        let (columns, rows) = terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
        Size { columns: usize::from(columns.max(20)), rows: usize::from(rows.max(4)) - 1 }
    }

    /// Draws these lines where the last ones stood.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let shown = &lines[..lines.len().min(self.size().rows)];
        let bytes = frame(shown, self.lines_drawn, self.has_colours);
        self.lines_drawn = shown.len();
        let mut out = io::stdout().lock();
        out.write_all(bytes.as_bytes())?;
        out.flush()
    }
}

/// Up to where the last frame began, each line over the old one, and the rest of the old ones cleared.
/// Wrapping is off meanwhile (DECAWM), and terminals that know synchronised updates show it as one.
fn frame(lines: &[String], lines_before: usize, has_colours: bool) -> String {
    let mut out = String::from("\x1b[?2026h\x1b[?7l\r");
    if lines_before > 0 {
        out.push_str(&format!("\x1b[{lines_before}A"));
    }
    for line in lines {
        if has_colours {
            out.push_str(line);
        } else {
            out.push_str(&anstream::adapter::strip_str(line).to_string());
        }
        out.push_str("\x1b[K\n");
    }
    out + "\x1b[J\x1b[?7h\x1b[?2026l"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_back_over_the_one_before() {
        let lines = ["\x1b[1mone\x1b[0m".to_owned(), "two".to_owned()];
        let plain = frame(&lines, 5, false);
        assert!(plain.contains("\x1b[5A") && plain.contains("one\x1b[K\ntwo\x1b[K\n"), "{plain:?}");
        assert!(plain.ends_with("\x1b[J\x1b[?7h\x1b[?2026l"));
        assert!(frame(&lines, 0, true).contains("\x1b[1mone"));
    }
}
