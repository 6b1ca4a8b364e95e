//! The disk under the broker: snapshots as they are written, stops that are clean and stops that are not.
//!
//! Always true: what stands here went through the broker's own blocks and is read back by its own readers. A
//! round that ended holds whatever was so when it began; a clean stop gives everything back, epoch and all; any
//! other stop what was saved last, in a new epoch.
//!
//! Read first: `world.rs`; `src/snapshot/mod.rs`, `src/shard/saving.rs`.

use std::collections::{BTreeMap, BTreeSet};

use lux::ids::{Epoch, Rev};
use lux::shard::owner::Owner;
use lux::shard::saving::{Restored, Round};
use lux::snapshot::layout::Kind;
use lux::snapshot::mark::Mark;
use lux::snapshot::read::{Contents, read_all};
use lux::snapshot::write::Blocks;

use crate::breach::{Kept, breach, hold};
use crate::plan::Fault;
use crate::truth::Truth;
use crate::world::World;

/// The snapshot directory.
#[derive(Default)]
pub struct Disk {
    /// The file that has its name.
    file: Vec<u8>,
    /// The one that is being written.
    aside: Vec<u8>,
    blocks: Option<Blocks>,
    generation: u64,
    /// The mark of a clean stop.
    mark: Vec<u8>,
    /// A mark that was taken away, as a backup may bring it back.
    old_mark: Vec<u8>,
    under_way: Option<UnderWay>,
    wants_everything: bool,
}

/// A round that is being written.
struct UnderWay {
    round: Round,
    begun: BTreeSet<usize>,
    over: BTreeSet<usize>,
    wants_everything: bool,
    /// Each key when its core began: the highest revision it ever had, and whether it had a state.
    floors: Vec<(u64, bool)>,
    floor: (Rev, u64),
}

/// What a life begins with.
pub struct Found {
    /// Its epoch.
    pub epoch: Epoch,
    /// Nothing is missing.
    pub is_clean: bool,
    contents: Option<Contents>,
    floor: (Rev, u64),
}

impl Found {
    /// States for one core, which takes what it owns; turned round, as a broker that reads in several threads has
    /// them in any order.
    pub fn restored(&self, owner: &Owner, is_turned: bool) -> Restored {
        let states = self.contents.iter().flat_map(|contents| &contents.states);
        let hashed = |(key, record): &(lux::key::Key, lux::wire::record::Record)| {
            (key.clone(), owner.hash(key), record.clone())
        };
        let mut states: Vec<_> = states.map(hashed).collect();
        if is_turned {
            states.reverse();
        }
        Restored { states: vec![states], floor: self.floor }
    }
}

const PROMISE: &str = "a snapshot has whatever was so when it began";

impl World {
    /// A core's part in saving, one small piece of it.
    pub fn save(&mut self, core: usize) -> Kept {
        if !self.plan.has(Fault::Snapshot) || self.healed {
            return Ok(());
        }
        match &self.disk.under_way {
            None if self.chance.saves.once_in(12) => self.begin_round(),
            None => {}
            Some(_) => self.save_on(core)?,
        }
        Ok(())
    }

    fn begin_round(&mut self) {
        let disk = &mut self.disk;
        let is_needed = disk.blocks.is_none() || disk.wants_everything;
        let round =
            if is_needed || self.chance.saves.once_in(6) { Round::Everything } else { Round::Changes };
        if round == Round::Everything {
            disk.generation += 1;
            let (blocks, header) = Blocks::begin(disk.generation, self.now.wall_ms);
            (disk.blocks, disk.aside) = (Some(blocks), header.to_vec());
        }
        disk.under_way = Some(UnderWay {
            round,
            begun: BTreeSet::new(),
            over: BTreeSet::new(),
            wants_everything: false,
            floors: vec![(0, false); self.plan.keys.len()],
            floor: (Rev(0), 0),
        });
    }

    fn save_on(&mut self, core: usize) -> Kept {
        let count = self.cores.len();
        let Some(way) = &mut self.disk.under_way else { return Ok(()) };
        let shard = &mut self.cores[core].shard;
        if way.begun.insert(core) {
            shard.begin_round(way.round);
            for (key, life) in self.truth.keys.iter().enumerate().filter(|(key, _)| self.owners[*key] == core)
            {
                way.floors[key] = (life.newest, life.is_live);
            }
            return Ok(());
        }
        if way.over.contains(&core) {
            return Ok(());
        }
        match shard.next_part() {
            Some(part) => self.write(&part),
            None => {
                way.over.insert(core);
                way.wants_everything |= shard.wants_everything();
                let floor = shard.floor();
                way.floor = (way.floor.0.max(floor.0), way.floor.1.max(floor.1));
                if way.over.len() == count {
                    self.end_round()?;
                }
            }
        }
        Ok(())
    }

    /// Each part is a block of its own, so that a crash finds rounds half written.
    fn write(&mut self, part: &lux::shard::saving::Part) {
        let disk = &mut self.disk;
        let (Some(blocks), Some(way)) = (&mut disk.blocks, &disk.under_way) else { return };
        if part.is_empty() {
            return;
        }
        part.iter().for_each(|(key, record)| blocks.push(key, record));
        let (to, kind) = match way.round {
            Round::Everything => (&mut disk.aside, Kind::Base),
            Round::Changes => (&mut disk.file, Kind::Changes),
        };
        to.extend_from_slice(blocks.seal(kind, self.now.wall_ms));
        blocks.next();
    }

    fn end_round(&mut self) -> Kept<(Rev, u64)> {
        let disk = &mut self.disk;
        let (Some(blocks), Some(way)) = (&mut disk.blocks, disk.under_way.take()) else {
            return Ok((Rev(0), 0));
        };
        if way.round == Round::Everything {
            disk.aside.extend_from_slice(blocks.seal_end(self.now.wall_ms));
            blocks.next();
            disk.file = std::mem::take(&mut disk.aside);
        }
        disk.wants_everything = way.wants_everything;
        if !way.wants_everything {
            self.check_saved(&way.floors)?;
        }
        Ok(way.floor)
    }

    fn check_saved(&self, floors: &[(u64, bool)]) -> Kept {
        let Ok(contents) = read_all(&self.disk.file[..]) else {
            return breach(PROMISE, "it cannot be read".to_owned());
        };
        hold(contents.damage.is_empty(), PROMISE, || format!("{:?}", contents.damage))?;
        let newest = newest(&contents);
        for (key, (rev, is_live)) in floors.iter().enumerate() {
            let saved = newest.get(self.truth.name(key)).copied();
            let fits = match (is_live, saved) {
                (true, saved) => saved.is_some_and(|(saved, _)| saved >= *rev),
                (false, None) => true,
                (false, Some((saved, saved_live))) => !saved_live || saved > *rev,
            };
            hold(fits, PROMISE, || {
                format!("{} was at {rev}, live {is_live}, and {saved:?} is saved", self.truth.name(key))
            })?;
        }
        Ok(())
    }

    /// The broker has stopped in order: everything is saved, and the mark left.
    pub fn stop_cleanly(&mut self) -> Kept {
        if !self.plan.has(Fault::Snapshot) {
            return Ok(());
        }
        let floor = loop {
            if self.disk.under_way.is_none() {
                self.begin_round();
            }
            // One that was under way began before the last writes.
            let is_whole = self.disk.under_way.as_ref().is_some_and(|way| way.begun.is_empty());
            let floor = self.finish_round()?;
            if is_whole && !self.disk.wants_everything {
                break floor;
            }
        };
        let mark = Mark {
            epoch: Epoch::parse(self.truth.epoch.as_bytes()).unwrap_or(Epoch::from_bits(0)),
            generation: self.disk.generation,
            len: self.disk.file.len() as u64,
            floor,
            stopped_ms: self.now.wall_ms,
        };
        self.disk.mark = mark.bytes().to_vec();
        Ok(())
    }

    fn finish_round(&mut self) -> Kept<(Rev, u64)> {
        let mut floor = (Rev(0), 0);
        while let Some(way) = &self.disk.under_way {
            floor = (floor.0.max(way.floor.0), floor.1.max(way.floor.1));
            for core in 0..self.cores.len() {
                self.save_on(core)?;
                let forgotten = self.cores[core].shard.floor();
                floor = (floor.0.max(forgotten.0), floor.1.max(forgotten.1));
            }
        }
        Ok(floor)
    }

    /// The broker is gone without a word. What was being written is half there, or not at all.
    pub fn crash(&mut self) -> Kept<bool> {
        self.truth.verify()?;
        let disk = &mut self.disk;
        disk.aside.clear();
        disk.under_way = None;
        // A backup of after the stop before, over files that have moved on.
        let file = read_all(&disk.file[..]).ok();
        let moved_on = Mark::read(&disk.old_mark)
            .zip(file)
            .is_some_and(|(mark, file)| (mark.generation, mark.len) != (file.generation, file.len));
        if moved_on && self.chance.saves.once_in(2) {
            disk.mark = disk.old_mark.clone();
        }
        self.begin_life()?;
        Ok(true)
    }

    /// What the next life begins with; the mark is taken away.
    pub fn find_states(&mut self, fresh: Epoch) -> Kept<Found> {
        let disk = &mut self.disk;
        (disk.blocks, disk.under_way, disk.wants_everything) = (None, None, false);
        let mark = std::mem::take(&mut disk.mark);
        if !mark.is_empty() {
            disk.old_mark.clone_from(&mark);
        }
        if !self.plan.has(Fault::Snapshot) || disk.file.is_empty() {
            return Ok(Found { epoch: fresh, is_clean: false, contents: None, floor: (Rev(0), 0) });
        }
        let contents = match read_all(&disk.file[..]) {
            Ok(contents) => contents,
            Err(why) => return breach(PROMISE, why.to_string()),
        };
        hold(contents.damage.is_empty(), PROMISE, || format!("{:?}", contents.damage))?;
        let mark = Mark::read(&mark).filter(|mark| mark.vouches_for(contents.generation, contents.len, true));
        let (epoch, floor) =
            mark.as_ref().map_or((fresh, (Rev(0), 0)), |mark| (mark.epoch.clone(), mark.floor));
        Ok(Found { epoch, is_clean: mark.is_some(), contents: Some(contents), floor })
    }

    /// Holds what the cores have after a start against what there was before.
    pub fn check_found(&mut self, found: &Found, before: &Truth) -> Kept {
        const BACK: &str = "states come back as they were";
        let newest = found.contents.as_ref().map(newest).unwrap_or_default();
        for key in 0..self.plan.keys.len() {
            let record = self.newest_at_owner(key);
            let now = record.as_ref().map(|record| (record.rev, record.is_live()));
            let life = &before.keys[key];
            let describe = || format!("{} was {:?}, is {now:?}", before.name(key), (life.rev, life.is_live));
            if found.is_clean {
                let was = life.is_live.then_some((life.rev, true));
                hold(now.filter(|now| now.1) == was, BACK, describe)?;
            } else {
                let saved = newest.get(before.name(key)).copied().filter(|saved| saved.1);
                hold(now.filter(|now| now.1) == saved, BACK, describe)?;
                let known = record.as_ref().is_none_or(|record| {
                    !record.is_live()
                        || life.versions.get(&record.rev).is_some_and(|old| old.record.text == record.text)
                });
                hold(known, "no invented value", describe)?;
            }
            self.truth.observe(key, record, self.step)?;
        }
        Ok(())
    }
}

/// Of each key the highest revision, and whether it is a state.
fn newest(contents: &Contents) -> BTreeMap<String, (u64, bool)> {
    let mut newest = BTreeMap::new();
    for (key, record) in &contents.states {
        let line = newest.entry(key.to_string()).or_insert((0, false));
        *line = (*line).max((record.rev().0, !record.is_deleted()));
    }
    newest
}
