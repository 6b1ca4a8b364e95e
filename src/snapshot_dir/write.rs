//! Records to the disk.
//!
//! Always true: a round that ended well is on disk when [`Writer::end`] returns. After one that failed, the
//! next begins a new file: nothing is added behind what may be half there.
//!
//! Read first: `snapshot_dir/mod.rs`, `snapshot/write.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::load::Source;
use super::{SnapshotDir, wall_ms};
use crate::ids::{Epoch, Rev};
use crate::shard::saving::{Part, Round};
use crate::snapshot::layout::Kind;
use crate::snapshot::mark::Mark;
use crate::snapshot::write::Blocks;

/// Changes may take this much more than the base before everything is written anew: less, and a broker with
/// few states would do so all the time.
const CHANGES_SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// Writes the files of one directory.
pub struct Writer {
    dir: SnapshotDir,
    /// The highest that was ever begun.
    generation: u64,
    /// What changes are added to; none before the first base, and after a failure.
    current: Option<Current>,
    /// The round under way.
    round: Option<Round>,
}

struct Current {
    file: File,
    blocks: Blocks,
    generation: u64,
    len: u64,
    base_len: u64,
    /// Where it is while it has no base; else it has its name.
    aside: Option<PathBuf>,
    has_unsynced: bool,
}

impl Writer {
    /// A writer in a directory where files up to this generation have been.
    pub fn new(dir: SnapshotDir, generation: u64) -> Writer {
        Writer { dir, generation, current: None, round: None }
    }

    /// Goes on with a file that was read and found whole.
    ///
    /// # Errors
    /// It may not be written. The next round is then about everything.
    pub fn go_on(&mut self, source: &Source) -> io::Result<()> {
        let file = OpenOptions::new().append(true).open(self.dir.file(source.generation))?;
        self.current = Some(Current {
            file,
            blocks: Blocks::go_on(source.generation, source.blocks),
            generation: source.generation,
            len: source.len,
            base_len: source.base_len,
            aside: None,
            has_unsynced: false,
        });
        Ok(())
    }

    /// What the next round should be about: changes, unless there is no file for them or it has grown.
    pub fn wanted(&self) -> Round {
        match &self.current {
            Some(current) if current.len <= 2 * current.base_len + CHANGES_SLACK_BYTES => Round::Changes,
            Some(_) | None => Round::Everything,
        }
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.len)
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.current.is_none()
    }

    /// Begins a round.
    ///
    /// # Errors
    /// What the system says; the round is given up.
    pub fn begin(&mut self, round: Round) -> io::Result<()> {
        if round == Round::Everything {
            self.give_up();
            self.generation += 1;
            let begun = self.begin_file();
            self.current = Some(begun?);
        }
        self.round = Some(round);
        Ok(())
    }

    fn begin_file(&self) -> io::Result<Current> {
        let aside = self.dir.file(self.generation).with_extension("new");
        let mut file = self.dir.create(&aside)?;
        let (blocks, header) = Blocks::begin(self.generation, wall_ms());
        file.write_all(&header)?;
        let (generation, len) = (self.generation, header.len() as u64);
        Ok(Current { file, blocks, generation, len, base_len: 0, aside: Some(aside), has_unsynced: true })
    }

    /// Adds records to the round.
    ///
    /// # Errors
    /// What the system says; the round is given up.
    pub fn add(&mut self, part: &Part) -> io::Result<()> {
        self.try_with(|current, kind, _| {
            for (key, record) in part {
                current.blocks.push(key, record);
                if current.blocks.is_full() {
                    current.write_block(kind)?;
                }
            }
            Ok(())
        })
    }

    /// Ends the round: all of it is on disk.
    ///
    /// # Errors
    /// What the system says; the round is given up.
    pub fn end(&mut self) -> io::Result<()> {
        self.try_with(|current, kind, dir| {
            if !current.blocks.is_empty() {
                current.write_block(kind)?;
            }
            match current.aside.take() {
                Some(aside) => current.end_base(&aside, dir),
                None if current.has_unsynced => {
                    current.has_unsynced = false;
                    current.file.sync_data()
                }
                None => Ok(()),
            }
        })?;
        self.round = None;
        Ok(())
    }

    /// Leaves the mark of a clean stop behind a round that ended well.
    ///
    /// # Errors
    /// What the system says; the next start is then one after an unclean stop.
    pub fn mark(&self, epoch: &Epoch, floor: (Rev, u64)) -> io::Result<()> {
        let Some(current) = &self.current else { return Ok(()) };
        self.dir.put_mark(&Mark {
            epoch: epoch.clone(),
            generation: current.generation,
            len: current.len,
            floor,
            stopped_ms: wall_ms(),
        })
    }

    /// Does something to the file of the round; where that fails, there is none any more.
    fn try_with(
        &mut self,
        act: impl FnOnce(&mut Current, Kind, &SnapshotDir) -> io::Result<()>,
    ) -> io::Result<()> {
        let (Some(current), Some(round)) = (&mut self.current, self.round) else { return Ok(()) };
        let kind = match round {
            Round::Everything => Kind::Base,
            Round::Changes => Kind::Changes,
        };
        let done = act(current, kind, &self.dir);
        if done.is_err() {
            self.give_up();
        }
        done
    }

    /// Nothing is added to this file any more. One without a name is half a file, which helps nobody, least of
    /// all on a disk that is full.
    fn give_up(&mut self) {
        self.round = None;
        if let Some(aside) = self.current.take().and_then(|current| current.aside) {
            let _ = fs::remove_file(aside);
        }
    }
}

impl Current {
    fn write_block(&mut self, kind: Kind) -> io::Result<()> {
        let block = self.blocks.seal(kind, wall_ms());
        self.file.write_all(block)?;
        self.len += block.len() as u64;
        self.blocks.next();
        self.has_unsynced = true;
        Ok(())
    }

    /// Ends the base, gives the file its name and takes those before it away.
    fn end_base(&mut self, aside: &PathBuf, dir: &SnapshotDir) -> io::Result<()> {
        let end = self.blocks.seal_end(wall_ms());
        self.file.write_all(end)?;
        self.len += end.len() as u64;
        self.base_len = self.len;
        self.blocks.next();
        self.has_unsynced = false;
        self.file.sync_all()?;
        fs::rename(aside, dir.file(self.generation))?;
        dir.sync()?;
        for older in dir.generations()?.into_iter().filter(|older| *older < self.generation) {
            let _ = fs::remove_file(dir.file(older));
        }
        Ok(())
    }
}
