//! A core's side of saving: it hands shared records to the thread that writes them.
//!
//! Always true: in the loop it never waits, and one turn hands over one part, so that a round about a million
//! keys holds nobody up. What finds no room stays here until the writer rings.
//!
//! Read first: `shard/saving.rs`, `runtime/saving.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use crate::counters::Saved;
use crate::ids::{Rev, ShardId};
use crate::shard::Shard;
use crate::shard::saving::{Part, Round};
use crate::time::Now;

/// What the writer says to a core.
pub enum Word {
    /// Give out states.
    Begin(Round),
    /// How snapshots are doing.
    Saved(Saved),
    /// Nothing more will be asked.
    End,
}

/// What a core says to the writer.
pub enum FromCore {
    /// Records of the round.
    Part(Part),
    /// There are no more.
    Over {
        /// The next round has to be about everything.
        wants_everything: bool,
        /// The highest revision and the latest time that the core has forgotten.
        floor: (Rev, u64),
    },
    /// The core's loop has ended: nothing changes there any more.
    Finished,
}

/// Which cores found no room and want to be rung when there is.
pub type Stuck = Arc<[AtomicBool]>;

/// One core's line to the writer.
pub struct Saver {
    shard: ShardId,
    stuck: Stuck,
    words: Receiver<Word>,
    parts: SyncSender<FromCore>,
    is_under_way: bool,
    /// What found no room.
    held: Option<FromCore>,
}

impl Saver {
    /// The line of one core.
    pub fn new(shard: ShardId, stuck: Stuck, words: Receiver<Word>, parts: SyncSender<FromCore>) -> Saver {
        Saver { shard, stuck, words, parts, is_under_way: false, held: None }
    }

    /// Hands over a part, if one is asked for and there is room; whether there is more at once.
    pub fn give(&mut self, shard: &mut Shard, now: Now) -> bool {
        while let Ok(word) = self.words.try_recv() {
            self.obey(word, shard, now);
        }
        let Some(next) = self.held.take().or_else(|| self.next(shard)) else { return self.is_under_way };
        let next = match self.parts.try_send(next) {
            Ok(()) => return self.is_under_way,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(next)) => next,
        };
        // Tried once more behind the flag: the writer may have made room before it could see it.
        self.stuck[self.shard.index()].store(true, Ordering::SeqCst);
        match self.parts.try_send(next) {
            Ok(()) => self.is_under_way,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(next)) => {
                self.held = Some(next);
                false
            }
        }
    }

    /// The core's loop has ended: hands over whatever is still asked for, and waits for it to be taken.
    pub fn finish(mut self, shard: &mut Shard) {
        let mut is_heard = self.parts.send(FromCore::Finished).is_ok();
        while is_heard {
            match self.held.take().or_else(|| self.next(shard)) {
                Some(next) => is_heard = self.parts.send(next).is_ok(),
                None if self.is_under_way => {}
                None => match self.words.recv() {
                    Ok(Word::End) | Err(_) => return,
                    Ok(word) => self.obey(word, shard, Now::default()),
                },
            }
        }
    }

    fn obey(&mut self, word: Word, shard: &mut Shard, now: Now) {
        match word {
            Word::Begin(round) => {
                shard.begin_round(round);
                self.is_under_way = true;
            }
            Word::Saved(saved) => shard.note_saved(saved, now),
            Word::End => {}
        }
    }

    /// The next thing to say; none if nothing is asked, or the keys that were looked at have nothing new.
    fn next(&mut self, shard: &mut Shard) -> Option<FromCore> {
        if !self.is_under_way {
            return None;
        }
        match shard.next_part() {
            Some(part) if part.is_empty() => None,
            Some(part) => Some(FromCore::Part(part)),
            None => {
                self.is_under_way = false;
                let (wants_everything, floor) = (shard.wants_everything(), shard.floor());
                Some(FromCore::Over { wants_everything, floor })
            }
        }
    }
}
