//! Writes the access log, on a thread of its own.
//!
//! Always true: a core hands its lines over and never waits; what finds no room is dropped, counted and said.
//! A file is opened again when it is asked for, so that it can be moved away and packed meanwhile.
//!
//! Read first: `guard/visit.rs`, `settings/access_log.rs`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::guard::visit::Line;
use crate::operator_error::OperatorError;
use crate::settings::{AccessLog, AccessLogFormat};

/// Lines that may wait to be written, of all cores together.
const LINES_WAITING_MAX: usize = 16 * 1024;
/// Turns whose lines may wait.
const BATCHES_WAITING_MAX: usize = 4 * 1024;
/// Between two words about dropped lines.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// A core's way to the log.
#[derive(Clone)]
pub struct Journal {
    words: SyncSender<Word>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

enum Word {
    Lines(Vec<Line>),
    Reopen,
}

/// The thread that writes.
pub struct Writer {
    journal: Journal,
    thread: JoinHandle<()>,
}

/// Where lines go.
enum Target {
    Stderr,
    File(PathBuf, File),
}

/// Begins to write, if there is to be a log.
///
/// # Errors
/// The file cannot be opened.
pub fn start(settings: &AccessLog) -> Result<Option<Writer>, OperatorError> {
    let format = settings.format;
    if format == AccessLogFormat::Off {
        return Ok(None);
    }
    let target = match &settings.file {
        None => Target::Stderr,
        Some(path) => Target::File(path.clone(), open(path)?),
    };
    let (words, receiver) = sync_channel(BATCHES_WAITING_MAX);
    let counts = Arc::new(Counts::default());
    let journal = Journal { words, counts: counts.clone() };
    let thread = Builder::new().name("lux-access-log".into());
    let thread = thread.spawn(move || write_all(&receiver, target, format, &counts)).map_err(|error| {
        OperatorError::new(format!("no thread for the access log: {error}"), "raise the limit on processes")
    })?;
    Ok(Some(Writer { journal, thread }))
}

fn open(path: &Path) -> Result<File, OperatorError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        OperatorError::new(
            format!("the access log {} cannot be opened ({error})", path.display()),
            "name a file with --access-log-file that this user may write, or leave it out for standard error",
        )
    })
}

impl Journal {
    /// Hands lines over; says how many of them found no room.
    pub fn write(&self, lines: Vec<Line>) -> u64 {
        let count = lines.len();
        let before = self.counts.waiting.fetch_add(count, Ordering::Relaxed);
        if before + count <= LINES_WAITING_MAX && self.words.try_send(Word::Lines(lines)).is_ok() {
            return 0;
        }
        self.counts.waiting.fetch_sub(count, Ordering::Relaxed);
        self.counts.dropped.fetch_add(count as u64, Ordering::Relaxed);
        count as u64
    }
}

impl Writer {
    /// A way to it, for one core.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Opens its file again.
    pub fn reopen(&self) {
        let _ = self.journal.words.try_send(Word::Reopen);
    }

    /// Writes what waits, once no core can say more; a reader that does not read is not waited for.
    pub fn finish(self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let Writer { journal, thread } = self;
        drop(journal);
        let (done, is_done) = sync_channel::<()>(1);
        let waiter = Builder::new().name("lux-access-end".into()).spawn(move || {
            let _ = thread.join();
            drop(done);
        });
        if waiter.is_ok() {
            let _ = is_done.recv_timeout(PATIENCE);
        }
    }
}

fn write_all(words: &Receiver<Word>, mut target: Target, format: AccessLogFormat, counts: &Counts) {
    let (mut out, mut said_at, mut said) = (String::new(), Instant::now(), 0);
    let mut is_well = true;
    while let Ok(word) = words.recv() {
        match word {
            Word::Lines(lines) => {
                counts.waiting.fetch_sub(lines.len(), Ordering::Relaxed);
                lines.iter().for_each(|line| put(line, format, &mut out));
                let outcome = target.write(&out);
                note(&outcome, &mut is_well);
                out.clear();
            }
            Word::Reopen => target.reopen(),
        }
        let dropped = counts.dropped.load(Ordering::Relaxed);
        if dropped > said && said_at.elapsed() >= SAY_EVERY {
            tracing::warn!(lines = dropped - said, "the access log could not keep up; lines were dropped");
            (said, said_at) = (dropped, Instant::now());
        }
    }
}

fn put(line: &Line, format: AccessLogFormat, out: &mut String) {
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(line.wall_ms));
    match format {
        AccessLogFormat::Off => {}
        AccessLogFormat::Text => line.write_text(time, out),
        AccessLogFormat::Json => line.write_json(time, out),
    }
}

/// Said when it begins and when it is over, not for every line.
fn note(outcome: &io::Result<()>, is_well: &mut bool) {
    match outcome {
        Err(error) if *is_well => tracing::error!(%error, "the access log cannot be written"),
        Ok(()) if !*is_well => tracing::info!("the access log is written again"),
        Ok(()) | Err(_) => {}
    }
    *is_well = outcome.is_ok();
}

impl Target {
    fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Target::Stderr => io::stderr().lock().write_all(text.as_bytes()),
            Target::File(_, file) => file.write_all(text.as_bytes()),
        }
    }

    fn reopen(&mut self) {
        let Target::File(path, file) = self else { return };
        match open(path) {
            Ok(fresh) => *file = fresh,
            Err(error) => tracing::error!(%error, "the access log goes on where it was"),
        }
    }
}
