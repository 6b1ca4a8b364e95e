//! The thread that writes snapshots, and what a start finds of the last ones.
//!
//! Always true: no core waits for a disk. The epoch of the broker before goes on only after a clean stop, and
//! its mark is gone, for good, before the first write of this one is acknowledged. A disk that does not take
//! what it is given is said once, with what to do; serving goes on, and it is tried again.
//!
//! Read first: `snapshot_dir/mod.rs`, `runtime/saver.rs`.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::counters::Saved;
use crate::ids::{Epoch, Rev, ShardId};
use crate::operator_error::OperatorError;
use crate::runtime::mesh::Bells;
use crate::runtime::saver::{FromCore, Saver, Stuck, Word};
use crate::settings::Settings;
use crate::shard::owner::Owner;
use crate::shard::saving::{Restored, Round};
use crate::snapshot::mark::Mark;
use crate::snapshot_dir::load::{Loaded, load};
use crate::snapshot_dir::write::Writer;
use crate::snapshot_dir::{Lock, NoLock, SnapshotDir, wall_ms};

/// Parts on their way to the writer, of all cores together: a few MiB at most, but for large states.
const PARTS_ON_THEIR_WAY: usize = 16;
/// The longest rest after a failure.
const REST_MAX: Duration = Duration::from_secs(60);

/// What a start begins with.
pub struct Beginning {
    /// For each core its states.
    pub restored: Vec<Restored>,
    /// The epoch that goes on; none where states may be missing.
    pub epoch: Option<Epoch>,
    dir: SnapshotDir,
    mark: Option<Mark>,
    writer: Writer,
    lock: Option<Lock>,
}

impl Beginning {
    /// Takes the directory, reads what is there, and takes the mark of a clean stop away.
    ///
    /// # Errors
    /// Another broker has the directory, or there are states that cannot be read.
    pub fn find(settings: &Settings, owner: &Owner) -> Result<Beginning, OperatorError> {
        let began = Instant::now();
        let dir = SnapshotDir::of(&settings.state_dir);
        let lock = match dir.lock() {
            Ok(lock) => Some(lock),
            Err(NoLock::Taken) => return Err(taken(&dir)),
            // A disk that may not be written is no reason not to serve; the writer says so.
            Err(NoLock::Io(_)) => None,
        };
        let mut loaded = load(&dir, owner)?;
        let mark = loaded.mark.take().filter(|_| lock.is_some());
        let floor = mark.as_ref().map_or(loaded.floor(), |mark| mark.floor);
        let mark = mark.filter(|_| match dir.take_mark() {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "the mark of the clean stop cannot be taken away; states go on in a new epoch");
                false
            }
        });
        say(&loaded, mark.as_ref(), began.elapsed());
        let mut writer = Writer::new(dir.clone(), loaded.generation);
        if let (Some(_), Some(file)) = (&mark, &loaded.file) {
            // Where it may not be added to, a new one is begun.
            let _ = writer.go_on(file);
        }
        let states = std::mem::take(&mut loaded.states);
        let mut restored: Vec<Restored> =
            states.into_iter().map(|states| Restored { states, floor }).collect();
        restored.resize_with(usize::from(owner.shards()), || Restored { states: Vec::new(), floor });
        let epoch = mark.as_ref().map(|mark| mark.epoch.clone());
        Ok(Beginning { restored, epoch, dir, mark, writer, lock })
    }

    /// The start failed before anybody could write: the stop before it stays a clean one.
    pub fn undo(self) {
        if let Some(mark) = &self.mark {
            let _ = self.dir.put_mark(mark);
        }
    }
}

fn taken(dir: &SnapshotDir) -> OperatorError {
    OperatorError::new(
        format!("another broker keeps its states in {}", dir.path().display()),
        "stop that one, name another place with --state-dir, or start with --memory-only",
    )
}

/// Says what was found, and what may be missing.
fn say(loaded: &Loaded, mark: Option<&Mark>, took: Duration) {
    for refused in &loaded.refused {
        tracing::error!("a snapshot was refused and put aside: {refused}");
    }
    for damage in &loaded.damage {
        tracing::error!("the snapshot is damaged; left out: {damage}");
    }
    let (records, took_ms) = (loaded.records(), took.as_millis() as u64);
    let Some(file) = loaded.file else { return };
    match mark {
        Some(mark) => tracing::info!(
            records,
            bytes = file.len,
            took_ms,
            epoch = mark.epoch.as_str(),
            "the states of the last stop are back, and so is their epoch"
        ),
        None => {
            let age_s = wall_ms().saturating_sub(file.last_ms) / 1_000;
            tracing::warn!(
                records,
                bytes = file.len,
                took_ms,
                last_saved_seconds_ago = age_s,
                "the broker before did not stop in order: its states are back as they were last saved, in a new \
                 epoch; what was written after that is lost"
            );
        }
    }
}

/// The thread that writes.
pub struct Saving {
    dir: SnapshotDir,
    writer: Writer,
    epoch: Epoch,
    every: Duration,
    lines: Lines,
    bells: Bells,
    /// Cores whose loop has ended.
    finished: usize,
    wants_everything: bool,
    floor: (Rev, u64),
    /// Rounds that failed in a row.
    failed: u32,
    saved: Saved,
    saved_at: Instant,
    /// Held until nothing is written any more.
    _lock: Option<Lock>,
}

/// The writer's ends of its lines to the cores.
pub struct Lines {
    words: Vec<Sender<Word>>,
    messages: Receiver<FromCore>,
    stuck: Stuck,
}

/// A line to the writer for each core.
pub fn lines(cores: usize) -> (Vec<Saver>, Lines) {
    let (parts, messages): (SyncSender<FromCore>, _) = sync_channel(PARTS_ON_THEIR_WAY);
    let stuck: Stuck = (0..cores).map(|_| AtomicBool::new(false)).collect();
    let line = |core: usize| {
        let (words, heard) = channel();
        (Saver::new(ShardId(core as u16), stuck.clone(), heard, parts.clone()), words)
    };
    let (savers, words) = (0..cores).map(line).unzip();
    (savers, Lines { words, messages, stuck })
}

impl Saving {
    /// Starts the thread; it ends when every core has finished and been saved.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn start(
        beginning: Beginning,
        lines: Lines,
        epoch: Epoch,
        settings: &Settings,
        bells: Bells,
    ) -> Result<JoinHandle<()>, OperatorError> {
        let saving = Saving {
            dir: beginning.dir,
            writer: beginning.writer,
            epoch,
            every: Duration::from_millis(settings.snapshot_every_ms),
            lines,
            bells,
            finished: 0,
            wants_everything: false,
            floor: (Rev(0), 0),
            failed: 0,
            saved: Saved::default(),
            saved_at: Instant::now(),
            _lock: beginning.lock,
        };
        Builder::new().name("lux-snapshot".into()).spawn(move || saving.run()).map_err(|error| {
            OperatorError::new(format!("no thread for snapshots: {error}"), "raise the limit on processes")
        })
    }

    fn run(mut self) {
        // Without a file there is nothing that changes could be added to, so the first is not waited for.
        let is_fresh = self.writer.is_empty();
        let mut due = Instant::now() + if is_fresh { Duration::ZERO } else { self.every };
        self.tell_figures();
        while self.finished < self.lines.words.len() {
            match self.lines.messages.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(FromCore::Finished) => self.finished += 1,
                // Of a round whose core did not hear that it was over.
                Ok(FromCore::Part(_) | FromCore::Over { .. }) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.round();
                    let rest = self.every * 2_u32.pow(self.failed.min(6));
                    due = Instant::now()
                        + if self.failed > 0 { rest.min(REST_MAX.max(self.every)) } else { rest };
                }
            }
        }
        self.last_round();
        for words in &self.lines.words {
            let _ = words.send(Word::End);
        }
    }

    /// Nothing changes any more: everything goes to the disk, and the mark of a clean stop behind it.
    fn last_round(&mut self) {
        let began = Instant::now();
        // A second time about everything, where the first could not or must not be about changes alone.
        let is_saved = (0..2).any(|_| self.round() && !self.wants_everything);
        if !is_saved {
            tracing::error!(
                "the last states could not be saved; the next start goes on from the snapshot before"
            );
            return;
        }
        match self.writer.mark(&self.epoch, self.floor) {
            Ok(()) => {
                let took_ms = began.elapsed().as_millis() as u64;
                tracing::info!(bytes = self.writer.len(), took_ms, "every state is in the snapshot");
            }
            Err(error) => {
                tracing::error!(%error, "the mark of a clean stop could not be left; the next start has a new epoch");
            }
        }
    }

    /// One snapshot; whether all of it is on disk.
    fn round(&mut self) -> bool {
        let began = Instant::now();
        let round = if self.wants_everything { Round::Everything } else { self.writer.wanted() };
        let mut outcome = self.writer.begin(round);
        (self.wants_everything, self.floor) = (false, (Rev(0), 0));
        for words in &self.lines.words {
            let _ = words.send(Word::Begin(round));
        }
        self.bells.ring_all();
        let mut over = 0;
        while over < self.lines.words.len() {
            match self.lines.messages.recv() {
                Ok(FromCore::Part(part)) => {
                    self.ring_who_waits();
                    if outcome.is_ok() {
                        outcome = self.writer.add(&part);
                    }
                }
                Ok(FromCore::Over { wants_everything, floor }) => {
                    self.wants_everything |= wants_everything;
                    self.floor = (self.floor.0.max(floor.0), self.floor.1.max(floor.1));
                    over += 1;
                    self.ring_who_waits();
                }
                Ok(FromCore::Finished) => self.finished += 1,
                Err(_) => return false,
            }
        }
        let outcome = outcome.and_then(|()| self.writer.end());
        self.report(outcome, began)
    }

    /// There is room again on the way to us.
    fn ring_who_waits(&self) {
        for (core, stuck) in self.lines.stuck.iter().enumerate() {
            if stuck.swap(false, Ordering::SeqCst) {
                self.bells.ring(ShardId(core as u16));
            }
        }
    }

    fn report(&mut self, outcome: io::Result<()>, began: Instant) -> bool {
        let is_saved = outcome.is_ok();
        match outcome {
            Ok(()) => {
                if std::mem::take(&mut self.failed) > 0 {
                    tracing::info!("snapshots are written again");
                }
                self.saved_at = began;
                self.saved.bytes = self.writer.len();
                self.saved.write_ms = began.elapsed().as_millis() as u64;
            }
            Err(error) => {
                self.failed += 1;
                self.saved.failures += 1;
                if self.failed == 1 {
                    self.say_failure(&error);
                }
            }
        }
        self.tell_figures();
        is_saved
    }

    /// Said once, and not for as long as it lasts.
    fn say_failure(&self, error: &io::Error) {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "let the user that Lux runs as write there, or name another place with --state-dir"
            }
            _ => "see to that disk, or name another place with --state-dir",
        };
        let dir = self.dir.path().display();
        tracing::error!(
            %error,
            "no snapshot can be written to {dir}: {remedy}. States are served on, and would be lost with the process; \
             trying again"
        );
    }

    fn tell_figures(&self) {
        let age_ms = self.saved_at.elapsed().as_millis() as u64;
        if let Some(first) = self.lines.words.first() {
            let _ = first.send(Word::Saved(Saved { age_ms, ..self.saved }));
            self.bells.ring(ShardId(0));
        }
    }
}
