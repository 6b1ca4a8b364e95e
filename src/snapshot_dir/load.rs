//! What a start finds: states, and whether they are all there were.
//!
//! Always true: only a file that is whole, and of which a clean stop left its mark, gives the epoch back. From
//! any other come the states that are sound, for another epoch; what is left out is said.
//!
//! Read first: `snapshot_dir/mod.rs`, `snapshot/read.rs`.

use std::fs::{self, File};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::SnapshotDir;
use crate::ids::Rev;
use crate::operator_error::OperatorError;
use crate::shard::owner::Owner;
use crate::shard::saving::Hashed;
use crate::snapshot::mark::Mark;
use crate::snapshot::read::{Damage, Refused, Survey, read_block, survey};

/// Readers beyond this only wait for the disk.
const READERS_MAX: usize = 16;

/// What was found.
#[derive(Default)]
pub struct Loaded {
    /// For each core what it owns, as each reader found it.
    pub states: Vec<Vec<Vec<Hashed>>>,
    /// The mark of a clean stop, where it fits: these are all states there were.
    pub mark: Option<Mark>,
    /// The file they came from.
    pub file: Option<Source>,
    /// The highest generation that any file has.
    pub generation: u64,
    /// What was left out.
    pub damage: Vec<Damage>,
    /// Files of which nothing could be read, and why. They were put aside.
    pub refused: Vec<String>,
}

/// The file that states came from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Which one.
    pub generation: u64,
    /// How many blocks it has.
    pub blocks: u32,
    /// How long it is, in bytes.
    pub len: u64,
    /// Of these, its base.
    pub base_len: u64,
    /// When its last block was written, Unix milliseconds.
    pub last_ms: u64,
}

impl Loaded {
    /// The highest forgotten revision and time; known after a clean stop only.
    pub fn floor(&self) -> (Rev, u64) {
        self.mark.as_ref().map_or((Rev(0), 0), |mark| mark.floor)
    }

    /// Records that were read, those that were overtaken included.
    pub fn records(&self) -> usize {
        self.states.iter().flatten().map(Vec::len).sum()
    }
}

/// Reads the newest file that can be read, several parts of it at once.
///
/// # Errors
/// There are states that must not be written over: of a newer Lux, or unreadable to this user.
pub fn load(dir: &SnapshotDir, owner: &Owner) -> Result<Loaded, OperatorError> {
    let generations = dir.generations().map_err(|error| unreadable(dir, &error))?;
    let mut loaded =
        Loaded { generation: generations.first().copied().unwrap_or_default(), ..Loaded::default() };
    for generation in generations {
        let path = dir.file(generation);
        let surveyed = File::open(&path).map_err(Refused::Io).and_then(|file| {
            let survey = survey(&file)?;
            Ok((file, survey))
        });
        match surveyed {
            Ok((file, survey)) => {
                read(&file, survey, owner, &mut loaded).map_err(|error| unreadable(dir, &error))?;
                loaded.mark = dir.mark().filter(|mark| fits(mark, &loaded));
                return Ok(loaded);
            }
            Err(Refused::Io(error)) => return Err(unreadable(dir, &error)),
            Err(newer @ Refused::Newer(_)) => {
                return Err(OperatorError::new(
                    format!("the snapshot {} is not one that this Lux can read: {newer}", path.display()),
                    "start the newer Lux again, or move the file away and lose its states",
                ));
            }
            Err(why @ (Refused::NotOurs | Refused::Damaged)) => {
                loaded.refused.push(format!("{}: {why}", path.display()));
                // It is in nobody's way there, and whoever wants may look at it.
                let _ = fs::rename(&path, path.with_extension("refused"));
            }
        }
    }
    Ok(loaded)
}

fn fits(mark: &Mark, loaded: &Loaded) -> bool {
    let is_sound = loaded.damage.is_empty();
    loaded.file.is_some_and(|file| mark.vouches_for(file.generation, file.len, is_sound))
}

fn read(file: &File, survey: Survey, owner: &Owner, loaded: &mut Loaded) -> io::Result<()> {
    let cores = usize::from(owner.shards());
    let readers = cores.min(survey.places.len()).clamp(1, READERS_MAX);
    let next = AtomicUsize::new(0);
    let read_some = || -> io::Result<(Vec<Vec<Hashed>>, Vec<Damage>)> {
        let (mut states, mut damage) = (vec![Vec::new(); cores], Vec::new());
        while let Some(place) = survey.places.get(next.fetch_add(1, Ordering::Relaxed)) {
            damage.extend(read_block(file, place, |key, record| {
                let hash = owner.hash(&key);
                states[owner.of(hash).index()].push((key, hash, record));
            })?);
        }
        Ok((states, damage))
    };
    let parts = thread::scope(|scope| {
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(read_some)).collect();
        let join = |reader: thread::ScopedJoinHandle<'_, _>| {
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        readers.into_iter().map(join).collect::<io::Result<Vec<_>>>()
    })?;
    loaded.states = vec![Vec::with_capacity(readers); cores];
    loaded.damage = survey.damage;
    for (states, damage) in parts {
        loaded.damage.extend(damage);
        for (core, part) in loaded.states.iter_mut().zip(states) {
            core.push(part);
        }
    }
    loaded.file = Some(Source {
        generation: survey.generation,
        blocks: survey.blocks,
        len: survey.len,
        base_len: survey.base_len,
        last_ms: survey.last_ms,
    });
    Ok(())
}

fn unreadable(dir: &SnapshotDir, error: &io::Error) -> OperatorError {
    OperatorError::new(
        format!("the snapshot in {} cannot be read ({error})", dir.path().display()),
        "let the user that Lux runs as read it, move it away, or start with --memory-only",
    )
}
