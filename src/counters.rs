//! What a core has counted.
//!
//! Always true: counters only grow; gauges are read when somebody asks. Nothing in here names a key, a
//! holder or a peer.
//!
//! Read first: `ids.rs`; how it is shown to Prometheus is `metrics.rs`.

/// The figures of one core.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Open connections (gauge).
    pub connections: u64,
    /// Viewers among them (gauge).
    pub viewers: u64,
    /// Viewers that something is owed to (gauge).
    pub viewers_behind: u64,
    /// For how long the viewer that is furthest behind has been, in milliseconds (gauge).
    pub lag_ms: u64,
    /// Keys with a state (gauge).
    pub keys: u64,
    /// Memory that states hold, in bytes (gauge).
    pub state_bytes: u64,
    /// Connections ever accepted.
    pub accepted: u64,
    /// Requests ever answered, refusals included.
    pub requests: u64,
    /// What became of every write that reached the owner of its key.
    pub writes: Writes,
    /// Changes ever marked for a viewer of this core.
    pub deliveries: u64,
    /// Those of them that took the place of one not sent yet.
    pub conflated: u64,
    /// How old changes were when their bytes went out.
    pub ages: Ages,
    /// Sends ever handed to the kernel.
    pub sends: u64,
    /// Bytes the kernel ever took.
    pub sent_bytes: u64,
    /// Messages and keys that wait for other cores (gauge).
    pub link_waiting: u64,
    /// Memory promised to peers for what they send and are answered, in bytes (gauge).
    pub peer_bytes: u64,
    /// 1 while newcomers and bodies are refused for want of memory (gauge).
    pub shedding: u64,
    /// Connections, and streams behind a proxy, ever told that they may not stay, or closed without a word.
    pub turned_away: u64,
    /// Writes ever refused because they came too fast.
    pub too_fast: u64,
    /// Lines of the access log that could not be written.
    pub log_lines_dropped: u64,
    /// Time that the core's loop was at work, in microseconds.
    pub busy_us: u64,
    /// Connections that the kernel did not hand over.
    pub accept_errors: u64,
    /// The snapshots of the process; one core knows.
    pub saved: Option<Saved>,
}

/// How the snapshots of the process are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Since everything up to then was on disk, in milliseconds (gauge).
    pub age_ms: u64,
    /// Bytes of the snapshot file (gauge).
    pub bytes: u64,
    /// Rounds of saving that failed, ever.
    pub failures: u64,
    /// How long the last one that did not took, in milliseconds (gauge).
    pub write_ms: u64,
}

/// What became of writes.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// A key has a state that had none.
    pub created: u64,
    /// A state has taken the place of another.
    pub replaced: u64,
    /// A state has ended.
    pub deleted: u64,
    /// A condition did not hold.
    pub conflict: u64,
    /// There was nothing to delete.
    pub missing: u64,
    /// A limit stood in the way, or a patch made no state.
    pub refused: u64,
}

impl Writes {
    /// Those that were taken.
    pub fn taken(&self) -> u64 {
        self.created + self.replaced + self.deleted
    }
}

/// How many bounds a histogram of ages has: 1 ms, 2 ms, 4 ms … 131 s.
pub const AGE_BOUNDS: usize = 18;

/// A histogram of ages. The bounds are powers of two, so that finding an age's place is counting its bits.
#[derive(Clone, Debug, Default)]
pub struct Ages {
    /// How many fell between each bound and the one before; the last place is for those beyond.
    places: [u64; AGE_BOUNDS + 1],
    sum_ms: u64,
}

impl Ages {
    /// Something was so old, in milliseconds.
    pub fn count(&mut self, age_ms: u64) {
        let bits = u64::BITS - age_ms.saturating_sub(1).leading_zeros();
        self.places[(bits as usize).min(AGE_BOUNDS)] += 1;
        self.sum_ms += age_ms;
    }

    /// Each bound in milliseconds, and how many were not older; the last line, without a bound, is all of them.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let mut so_far = 0;
        self.places.iter().enumerate().map(move |(at, count)| {
            so_far += count;
            ((at < AGE_BOUNDS).then(|| 1 << at), so_far)
        })
    }

    /// All ages together, in milliseconds.
    pub fn sum_ms(&self) -> u64 {
        self.sum_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_counted_under_every_bound_that_it_does_not_exceed() {
        for age_ms in (0..200).chain([1 << 17, (1 << 17) + 1, u64::MAX >> 1]) {
            let mut ages = Ages::default();
            ages.count(age_ms);
            for (bound, count) in ages.cumulative() {
                let is_under = bound.is_none_or(|bound| age_ms <= bound);
                assert_eq!(count, u64::from(is_under), "{age_ms} ms at {bound:?}");
            }
            assert_eq!(ages.sum_ms(), age_ms);
        }
    }
}
