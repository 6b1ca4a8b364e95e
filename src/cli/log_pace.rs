//! How often a line may be logged.
//!
//! Always true: of one kind of line, so many come in a row and then so many a minute, whatever happens; how many
//! were left out is said, with the next line of any kind. A kind is one place in the source. So nothing that a
//! peer does, and nothing that fails over and over, fills a disk.
//!
//! Read first: `cli/logging.rs`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};

use crate::settings::LogFormat;

/// Lines of one kind in one period.
const LINES_MAX: u32 = 10;
/// The period.
const PERIOD: Duration = Duration::from_secs(10);

/// Another format, with every kind of line paced.
pub struct Paced<F> {
    inner: F,
    format: LogFormat,
    kinds: Mutex<Kinds>,
}

/// Every kind of line that was logged so far: as many as there are places in the source that log.
#[derive(Default)]
struct Kinds(HashMap<Identifier, Kind>);

struct Kind {
    began: Instant,
    lines: u32,
    left_out: u64,
    /// What the last line that was left out said.
    like: String,
}

/// Lines of one kind that were left out in a period that is over.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    count: u64,
    like: String,
}

impl<F> Paced<F> {
    /// Paces what `inner` writes.
    pub fn new(inner: F, format: LogFormat) -> Paced<F> {
        Paced { inner, format, kinds: Mutex::default() }
    }
}

impl<N, F> FormatEvent<Registry, N> for Paced<F>
where
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<Registry, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, Registry, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let left_out = kinds.left_out(now);
        let is_let_through = kinds.let_through(event.metadata().callsite(), now, || message(event));
        drop(kinds);
        for part in &left_out {
            write_left_out(&mut writer, self.format, part)?;
        }
        match is_let_through {
            true => self.inner.format_event(context, writer, event),
            false => Ok(()),
        }
    }
}

impl Kinds {
    /// Whether a line may be written.
    fn let_through(&mut self, kind: Identifier, now: Instant, like: impl FnOnce() -> String) -> bool {
        let fresh = || Kind { began: now, lines: 0, left_out: 0, like: String::new() };
        let kind = self.0.entry(kind).or_insert_with(fresh);
        if kind.left_out == 0 && now.duration_since(kind.began) >= PERIOD {
            *kind = fresh();
        }
        if kind.lines < LINES_MAX {
            kind.lines += 1;
            return true;
        }
        kind.left_out += 1;
        kind.like = like();
        false
    }

    /// What was left out in periods that are over; said once.
    fn left_out(&mut self, now: Instant) -> Vec<LeftOut> {
        let mut found = Vec::new();
        for kind in self.0.values_mut() {
            if kind.left_out > 0 && now.duration_since(kind.began) >= PERIOD {
                let like = std::mem::take(&mut kind.like);
                found.push(LeftOut { count: std::mem::take(&mut kind.left_out), like });
                (kind.began, kind.lines) = (now, 0);
            }
        }
        found.sort_by(|a, b| a.like.cmp(&b.like));
        found
    }
}

/// What a line says, without its fields.
fn message(event: &Event<'_>) -> String {
    #[derive(Default)]
    struct Message(String);
    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }
    let mut message = Message::default();
    event.record(&mut message);
    message.0
}

fn write_left_out(writer: &mut Writer<'_>, format: LogFormat, part: &LeftOut) -> fmt::Result {
    let time = humantime::format_rfc3339_micros(SystemTime::now());
    let LeftOut { count, like } = part;
    match format {
        LogFormat::Text => {
            writeln!(writer, "{time}  {} lines were left out left_out={count} like={like:?}", Level::WARN)
        }
        LogFormat::Json => {
            let line = serde_json::json!({
                "timestamp": time.to_string(), "level": "WARN", "message": "lines were left out",
                "left_out": count, "like": like, "target": "lux",
            });
            writeln!(writer, "{line}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use tracing_subscriber::fmt::{MakeWriter, format};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Lines;

        fn make_writer(&'a self) -> Lines {
            self.clone()
        }
    }

    #[test]
    fn a_flood_of_one_kind_leaves_the_other_kinds_alone() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .event_format(Paced::new(format().json().flatten_event(true), LogFormat::Json))
            .fmt_fields(format::JsonFields::new())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..1_000 {
                tracing::warn!(n, "the same over and over");
            }
            tracing::info!("something else");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("over and over").count(), LINES_MAX as usize, "{text}");
        assert_eq!(text.matches("something else").count(), 1, "{text}");
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    #[test]
    fn what_was_left_out_is_said_once_the_period_is_over() {
        struct Here;
        impl tracing::Callsite for Here {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &tracing::Metadata<'_> {
                unreachable!("nobody asks")
            }
        }
        static HERE: Here = Here;
        let here = || Identifier(&HERE);
        let (mut kinds, began) = (Kinds::default(), Instant::now());
        let mut log = |after: Duration| kinds.let_through(here(), began + after, || "too much".to_owned());
        let through = (0..25).filter(|_| log(Duration::ZERO)).count();
        assert_eq!(through, LINES_MAX as usize);
        assert!(!log(PERIOD - Duration::from_millis(1)));
        assert_eq!(kinds.left_out(began + PERIOD - Duration::from_millis(1)), [], "not yet");
        let said = kinds.left_out(began + PERIOD);
        assert_eq!(said, [LeftOut { count: 16, like: "too much".to_owned() }]);
        assert_eq!(kinds.left_out(began + PERIOD), [], "once");
        assert!(kinds.let_through(here(), began + PERIOD, String::new), "and it goes on");
    }

    #[test]
    fn it_is_a_line_in_either_format() {
        for (format, has) in [(LogFormat::Text, "left_out=3 like=\"x\""), (LogFormat::Json, "\"left_out\":3")]
        {
            let mut text = String::new();
            write_left_out(&mut Writer::new(&mut text), format, &LeftOut { count: 3, like: "x".to_owned() })
                .unwrap();
            assert!(text.contains(has) && text.ends_with('\n'), "{text}");
        }
    }
}
