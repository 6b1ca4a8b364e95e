//! What the loop has heard of: which sockets may have something back from the kernel.
//!
//! Always true: a socket whose operation has landed stands in a group that was noted, and the loop was woken.
//! A group is a few sockets that share one waker: a waker each would cost more memory than looking at the
//! neighbours costs time.
//!
//! Read first: `runtime/sockets.rs`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Sockets that share a waker.
pub const GROUP_SLOTS: usize = 8;

/// The wakers of all groups, and which of them were called.
#[derive(Default)]
pub struct Heard {
    wakers: Vec<Waker>,
    noted: Arc<Noted>,
}

#[derive(Default)]
struct Noted {
    groups: Mutex<VecDeque<Arc<Group>>>,
    worker: AtomicWaker,
}

struct Group {
    index: usize,
    is_noted: AtomicBool,
    noted: Arc<Noted>,
}

impl Heard {
    /// Whoever lands from now on wakes this task.
    pub fn listen(&self, waker: &Waker) {
        self.noted.worker.register(waker);
    }

    /// Makes the wakers of so many slots, if they are not there yet.
    pub fn make_room(&mut self, slots: usize) {
        while self.wakers.len() * GROUP_SLOTS < slots {
            let (index, noted) = (self.wakers.len(), self.noted.clone());
            self.wakers.push(Arc::new(Group { index, is_noted: AtomicBool::new(false), noted }).into());
        }
    }

    /// With which an operation on this slot is to be polled.
    pub fn context(&self, slot: usize) -> Context<'_> {
        Context::from_waker(&self.wakers[slot / GROUP_SLOTS])
    }

    /// A group of which something has landed; it is noted again for what lands after this.
    pub fn next_group(&mut self) -> Option<usize> {
        let group = self.noted.groups.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        group.is_noted.store(false, Ordering::Release);
        Some(group.index)
    }
}

impl Wake for Group {
    fn wake(self: Arc<Self>) {
        if !self.is_noted.swap(true, Ordering::AcqRel) {
            let noted = self.noted.clone();
            noted.groups.lock().unwrap_or_else(PoisonError::into_inner).push_back(self);
            noted.worker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_noted_once_until_it_was_looked_at() {
        let mut heard = Heard::default();
        heard.make_room(2 * GROUP_SLOTS + 1);
        for slot in [0, 2 * GROUP_SLOTS, 1, GROUP_SLOTS - 1] {
            heard.context(slot).waker().wake_by_ref();
        }
        assert_eq!(heard.next_group(), Some(0));
        heard.context(3).waker().wake_by_ref();
        assert_eq!(heard.next_group(), Some(2));
        assert_eq!(heard.next_group(), Some(0));
        assert_eq!(heard.next_group(), None);
    }
}
