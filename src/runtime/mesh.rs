//! The queues between cores, and the bells that wake a core that waits.
//!
//! Always true: each queue has one core that writes and one that reads, so nobody locks; a full queue leaves
//! the message where it is, with the core that would send it. A bell is rung after the queue was filled, and
//! the sleeper looks at its queues after it hung up its bell, so no message is slept through.
//!
//! Read first: `shard/contract.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use rtrb::{Consumer, Producer, RingBuffer};
use rustls::ServerConfig;

use crate::access::Access;
use crate::ids::ShardId;
use crate::limits::MESH_SLOTS;
use crate::shard::Rules;
use crate::shard::contract::PeerMessage;
use crate::terms::Held;

/// What the process says to a core.
pub enum Command {
    /// The key table was read again.
    Reload(Arc<Access>),
    /// The settings were read again.
    Rule(Box<Rules>),
    /// Newcomers are shown another certificate.
    Certify(Arc<ServerConfig>),
    /// The license was read; what there is to show of it.
    License(Option<Arc<Held>>),
    /// Stop taking connections, send viewers away, finish what was begun.
    Drain,
    /// End now.
    Halt,
}

/// One bell per core.
#[derive(Clone)]
pub struct Bells(Arc<[AtomicWaker]>);

impl Bells {
    /// Wakes a core.
    pub fn ring(&self, shard: ShardId) {
        self.0[shard.index()].wake();
    }

    /// Wakes all of them.
    pub fn ring_all(&self) {
        self.0.iter().for_each(AtomicWaker::wake);
    }
}

/// The end of a queue that this core reads.
struct Incoming {
    queue: Consumer<PeerMessage>,
    is_stuck: Arc<AtomicBool>,
}

/// The end of a queue that this core writes.
struct Outgoing {
    queue: Producer<PeerMessage>,
    /// The writer found no room and wants to be woken when there is.
    is_stuck: Arc<AtomicBool>,
}

/// One core's ends of the queues.
pub struct Port {
    shard: ShardId,
    from: Vec<Option<Incoming>>,
    to: Vec<Option<Outgoing>>,
    commands: Consumer<Command>,
    bells: Bells,
}

/// The process's ends of the queues.
pub struct Desk {
    commands: Vec<Producer<Command>>,
    bells: Bells,
}

/// The queues for so many cores.
pub fn build(shards: u16) -> (Desk, Vec<Port>) {
    const COMMAND_SLOTS: usize = 64;
    let count = usize::from(shards);
    let bells = Bells((0..count).map(|_| AtomicWaker::new()).collect());
    let mut ports = Vec::with_capacity(count);
    let mut commands = Vec::with_capacity(count);
    for shard in (0..shards).map(ShardId) {
        let (producer, consumer) = RingBuffer::new(COMMAND_SLOTS);
        commands.push(producer);
        let (from, to) = ((0..count).map(|_| None).collect(), (0..count).map(|_| None).collect());
        ports.push(Port { shard, from, to, commands: consumer, bells: bells.clone() });
    }
    for writer in 0..count {
        for reader in (0..count).filter(|reader| *reader != writer) {
            let (producer, consumer) = RingBuffer::new(MESH_SLOTS);
            let is_stuck = Arc::new(AtomicBool::new(false));
            let outgoing = Outgoing { queue: producer, is_stuck: is_stuck.clone() };
            ports[writer].to[reader] = Some(outgoing);
            ports[reader].from[writer] = Some(Incoming { queue: consumer, is_stuck });
        }
    }
    (Desk { commands, bells }, ports)
}

impl Port {
    /// Hangs up the bell: whoever rings from now on wakes this task.
    pub fn listen(&self, waker: &Waker) {
        self.bells.0[self.shard.index()].register(waker);
    }

    /// The next message of another core, which is woken if it waits for room.
    pub fn next_message(&mut self) -> Option<(ShardId, PeerMessage)> {
        let bells = &self.bells;
        self.from.iter_mut().enumerate().find_map(|(from, incoming)| {
            let incoming = incoming.as_mut()?;
            let message = incoming.queue.pop().ok()?;
            let from = ShardId(from as u16);
            if incoming.is_stuck.swap(false, Ordering::SeqCst) {
                bells.ring(from);
            }
            Some((from, message))
        })
    }

    /// The next word of the process.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop().ok()
    }

    /// Sends what `next` gives while there is room, and wakes the reader if anything went.
    pub fn send_all(&mut self, to: ShardId, mut next: impl FnMut() -> Option<PeerMessage>) {
        let Some(outgoing) = self.to[to.index()].as_mut() else { return };
        let mut any = false;
        while outgoing.has_room()
            && let Some(message) = next()
        {
            any = outgoing.queue.push(message).is_ok();
        }
        if any {
            self.bells.ring(to);
        }
    }

    /// The bells of all cores.
    pub fn bells(&self) -> &Bells {
        &self.bells
    }
}

impl Outgoing {
    /// Whether there is room. Where there is none, the reader is asked to say when there is, and looked at
    /// once more: it may have made room before it could know.
    fn has_room(&self) -> bool {
        if !self.queue.is_full() {
            return true;
        }
        self.is_stuck.store(true, Ordering::SeqCst);
        !self.queue.is_full()
    }
}

impl Desk {
    /// The bells of all cores.
    pub fn bells(&self) -> &Bells {
        &self.bells
    }

    /// Says something to every core.
    pub fn tell_all(&mut self, mut command: impl FnMut() -> Command) {
        for queue in &mut self.commands {
            // A queue this long without a look at it means a core that is stuck; it is told by the next one.
            let _ = queue.push(command());
        }
        self.bells.ring_all();
    }
}
