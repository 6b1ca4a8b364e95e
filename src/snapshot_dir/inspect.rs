//! A look at a snapshot from outside: what `lux check` says of it.
//!
//! Always true: looking changes nothing. Of a broker that runs, the file may grow meanwhile; what is not whole
//! at its end is then being written.
//!
//! Read first: `snapshot_dir/mod.rs`.

use std::collections::HashMap;
use std::fs::File;

use super::SnapshotDir;
use crate::ids::Rev;
use crate::key::Key;
use crate::snapshot::read::{Damage, read_block, survey};

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The file's name.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Keys with a state.
    pub keys: usize,
    /// When it was last written to, Unix milliseconds.
    pub last_ms: u64,
    /// A clean stop left its mark: the epoch will go on.
    pub is_clean: bool,
    /// A broker has it now.
    pub is_in_use: bool,
    /// What of it is damaged.
    pub damage: Vec<Damage>,
}

/// Reads the newest file; none if there is no file.
///
/// # Errors
/// Why nothing of it can be read.
pub fn inspect(dir: &SnapshotDir) -> Result<Option<Seen>, String> {
    let Some(newest) = dir.generations().map_err(|error| error.to_string())?.first().copied() else {
        return Ok(None);
    };
    let path = dir.file(newest).display().to_string();
    let is_in_use = dir.is_locked();
    let file = File::open(dir.file(newest)).map_err(|error| format!("{path} cannot be read ({error})"))?;
    let survey = survey(&file).map_err(|why| format!("{path}: {why}"))?;
    let mut newest: HashMap<Key, (Rev, bool)> = HashMap::new();
    let mut damage = survey.damage;
    for place in &survey.places {
        let left_out = read_block(&file, place, |key, record| {
            let line = newest.entry(key).or_insert((Rev(0), false));
            *line = (*line).max((record.rev(), !record.is_deleted()));
        });
        damage.extend(left_out.map_err(|error| format!("{path} cannot be read ({error})"))?);
    }
    let mark = dir.mark();
    let is_sound = damage.is_empty();
    let is_clean = mark.is_some_and(|mark| mark.vouches_for(survey.generation, survey.len, is_sound));
    // What a broker is just adding is no damage.
    damage.retain(|damage| !(is_in_use && matches!(damage, Damage::Rest { .. })));
    Ok(Some(Seen {
        path,
        bytes: survey.len,
        keys: newest.values().filter(|(_, is_live)| *is_live).count(),
        last_ms: survey.last_ms,
        is_clean,
        is_in_use,
        damage,
    }))
}
