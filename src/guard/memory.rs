//! How much memory a core's peers take beside the states, and when no more is let in.
//!
//! Always true: what is counted is what was promised to peers (a body counts whole from its head on), so the
//! mark is not passed and then regretted. Shedding begins with the first that did not fit, and ends when a
//! quarter is free again, a second after it began at the earliest; both are said once.
//!
//! Read first: `limits.rs`.

use crate::time::{Deadline, Now};

/// How long until it is looked again whether shedding is over.
const LOOK_AGAIN_MS: u64 = 1_000;

/// What one core's peers take.
#[derive(Default)]
pub struct Memory {
    used_bytes: usize,
    shedding: Option<Shedding>,
    notice: Option<Notice>,
}

struct Shedding {
    look_at: Deadline,
    refused: u64,
}

/// What the log is to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// No more is let in.
    Began {
        /// What peers take.
        used_bytes: usize,
        /// What they may, on this core.
        mark_bytes: usize,
    },
    /// It is again.
    Ended {
        /// What peers take.
        used_bytes: usize,
        /// How many connections and bodies were refused meanwhile.
        refused: u64,
    },
}

impl Memory {
    /// What peers take now, in bytes.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// How much more they may take; everything where there is no mark (0).
    pub fn room_bytes(&self, mark_bytes: usize) -> usize {
        if mark_bytes == 0 { usize::MAX } else { mark_bytes.saturating_sub(self.used_bytes) }
    }

    /// A peer takes so much now, and took so much before.
    pub fn change(&mut self, before: usize, now: usize) {
        self.used_bytes = self.used_bytes + now - before;
    }

    /// Whether newcomers are refused.
    pub fn is_shedding(&self) -> bool {
        self.shedding.is_some()
    }

    /// Something did not fit.
    pub fn refuse(&mut self, mark_bytes: usize, now: Now) {
        let used_bytes = self.used_bytes;
        let notice = &mut self.notice;
        let shedding = self.shedding.get_or_insert_with(|| {
            *notice = Some(Notice::Began { used_bytes, mark_bytes });
            Shedding { look_at: now.after(LOOK_AGAIN_MS), refused: 0 }
        });
        shedding.refused += 1;
    }

    /// When to look next.
    pub fn deadline(&self) -> Deadline {
        self.shedding.as_ref().map_or(Deadline::NEVER, |shedding| shedding.look_at)
    }

    /// Ends it, if its time has come and there is room again.
    pub fn look(&mut self, mark_bytes: usize, now: Now) {
        let used_bytes = self.used_bytes;
        let Some(shedding) = &mut self.shedding else { return };
        if !now.reached(shedding.look_at) {
            return;
        }
        if mark_bytes > 0 && used_bytes > mark_bytes / 4 * 3 {
            shedding.look_at = now.after(LOOK_AGAIN_MS);
            return;
        }
        self.notice = Some(Notice::Ended { used_bytes, refused: shedding.refused });
        self.shedding = None;
    }

    /// What is to be said, once.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, wall_ms: 0 }
    }

    #[test]
    fn shedding_begins_with_the_first_that_does_not_fit_and_ends_with_a_quarter_free() {
        let mut memory = Memory::default();
        memory.change(0, 1_000);
        assert_eq!((memory.room_bytes(1_000), memory.room_bytes(0)), (0, usize::MAX));
        memory.refuse(1_000, at(10));
        memory.refuse(1_000, at(20));
        assert_eq!(memory.take_notice(), Some(Notice::Began { used_bytes: 1_000, mark_bytes: 1_000 }));
        assert_eq!((memory.take_notice(), memory.deadline()), (None, Deadline(1_010)));
        memory.change(1_000, 740);
        memory.look(1_000, at(1_009));
        assert!(memory.is_shedding(), "a second has not passed");
        memory.change(0, 11);
        memory.look(1_000, at(1_010));
        assert!(memory.is_shedding(), "a quarter is not free");
        memory.change(11, 0);
        memory.look(1_000, at(2_010));
        assert!(!memory.is_shedding());
        assert_eq!(memory.take_notice(), Some(Notice::Ended { used_bytes: 740, refused: 2 }));
        assert_eq!(memory.deadline(), Deadline::NEVER);
    }
}
