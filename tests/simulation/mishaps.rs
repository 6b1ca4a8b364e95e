//! What goes wrong, how time passes, and what may never grow.
//!
//! Always true: each fault is one that the plan has; none of them happens once the run heals.
//!
//! Read first: `plan.rs`, `moves.rs`.

use crate::breach::{Kept, hold};
use crate::plan::Fault;
use crate::world::{Word, World};

impl World {
    /// Time passes, most often hardly any.
    pub fn pass_time(&mut self) -> Kept<bool> {
        let dice = &mut self.chance.time;
        let often = self.plan.habits.clock_set_once_in;
        let (small, leap, is_leap) = (dice.skewed(400) as u64, dice.between(1_000, 70_000), dice.once_in(40));
        let (is_set, by) = (dice.once_in(often), dice.skewed(100_000) as u64);
        let is_back = dice.once_in(2);
        let ms = if is_leap && self.plan.has(Fault::Leap) { leap as u64 } else { small };
        self.advance(ms);
        if is_set && self.plan.has(Fault::Wall) {
            let wall = self.now.wall_ms;
            self.now.wall_ms = if is_back { wall.saturating_sub(by) } else { wall + by };
        }
        Ok(true)
    }

    /// So many milliseconds pass.
    pub fn advance(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_ms += ms;
        self.trace.number(self.now.monotonic_ms);
    }

    /// Something goes wrong, if anything may.
    pub fn go_wrong(&mut self) -> Kept<bool> {
        let draw = self.chance.faults.below(12);
        let sock = self.chance.faults.below(self.socks.len());
        let core = self.chance.faults.below(self.cores.len());
        let long = self.chance.faults.skewed(3_000) as u64;
        match draw {
            0..3 if self.plan.has(Fault::Reset) => Ok(self.reset(sock)),
            3 if self.plan.has(Fault::Vanish) => Ok(self.vanish(sock)),
            4..6 if self.plan.has(Fault::Stall) => {
                let step = self.step;
                self.cores[core].stalled_until = step + long;
                Ok(true)
            }
            6..8 if self.plan.has(Fault::Revoke) && self.chance.faults.once_in(4) => {
                self.table = self.table.shrunk(self.now.wall_ms, &mut self.chance.faults);
                let word = Word::Reload(self.table.clone());
                self.cores.iter_mut().for_each(|core| core.words.push_back(word.clone()));
                Ok(true)
            }
            8 if self.plan.has(Fault::Restart) && self.chance.faults.once_in(4) => self.restart(),
            9 if self.plan.has(Fault::Crash) && self.chance.faults.once_in(4) => self.crash(),
            _ => Ok(false),
        }
    }

    /// A connection breaks.
    pub fn reset(&mut self, at: usize) -> bool {
        let Some(sock) = self.sock(at) else { return false };
        sock.broken = true;
        sock.up.clear();
        sock.down.clear();
        true
    }

    /// A client is gone without a word; it may come again on another connection.
    fn vanish(&mut self, at: usize) -> bool {
        let Some(sock) = self.sock(at) else { return false };
        let Some(client) = sock.client.take() else { return false };
        sock.vanished = true;
        self.clients[client].line = None;
        true
    }

    /// First the broker is told to stop; the next time, it is gone and another begins.
    fn restart(&mut self) -> Kept<bool> {
        if self.cores.iter().all(|core| core.words.is_empty() && !core.draining) {
            self.cores.iter_mut().for_each(|core| core.words.push_back(Word::Drain));
            return Ok(true);
        }
        if self.cores.iter().all(|core| core.draining) {
            self.truth.verify()?;
            self.stop_cleanly()?;
            self.begin_life()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// What is kept for a peer grows with what it watches, and for a core with who waits there.
    pub fn check_bounds(&self) -> Kept {
        const PROMISE: &str = "bounded";
        const STRANGERS: usize = 8;
        for sock in self.socks.iter().flatten().filter(|sock| !sock.gone) {
            let Some(debt) = self.cores[sock.core].shard.debt(sock.id) else { continue };
            let most = self.plan.keys.len() + STRANGERS;
            hold(debt.owed <= most, PROMISE, || {
                format!("{} keys are owed to one viewer, of {} there are", debt.owed, self.plan.keys.len())
            })?;
            let most = self.plan.limits.message_bytes_max + 128 * 1024;
            hold(debt.held_bytes <= most, PROMISE, || format!("{} bytes of a viewer", debt.held_bytes))?;
            // One answer above what is enough, or a page.
            let page = self.plan.keys.len() * (self.truth.largest + 64);
            let most = (66 * 1024 + self.truth.largest).max(1024 + page);
            hold(debt.answer_bytes <= most, PROMISE, || {
                format!("{} bytes of answers, where {most} are enough", debt.answer_bytes)
            })?;
        }
        for core in &self.cores {
            let census = core.shard.census();
            let limits = &self.plan.limits;
            // Another start spreads keys in another way; whatever was there stays.
            let most = limits.keys_max.max(core.restored);
            hold(census.keys_live <= most, PROMISE, || format!("{census:?}"))?;
            let keys = self.plan.keys.len() + STRANGERS;
            let entries = census.entries_owned + census.entries_foreign;
            hold(entries <= keys, PROMISE, || format!("{entries} entries of {keys} keys: {census:?}"))?;
            let marks = census.link_owed;
            let waiting = self.socks.len() * 8 + keys;
            hold(marks <= waiting * self.cores.len(), PROMISE, || format!("{census:?}"))?;
            let watchers = census.watches + census.link_watches;
            hold(census.watchers <= watchers, PROMISE, || format!("{census:?}"))?;
            // Small bodies are let in past the mark.
            let mark = limits.memory_mark_bytes / self.cores.len() + census.connections * 8 * 1024;
            hold(census.body_bytes <= mark, "bodies fit under the memory mark", || format!("{census:?}"))?;
            let lines = 2 * census.tombstones + 128;
            hold(census.deletion_lines <= lines, PROMISE, || format!("{census:?}"))?;
            hold(census.unsaved <= 2 * keys + 128, PROMISE, || format!("{census:?}"))?;
        }
        Ok(())
    }
}
