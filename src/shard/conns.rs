//! The connections of one core.
//!
//! Always true: an id names one connection ever; a slot is used again only after the runtime said that
//! nothing of the old connection is left.
//!
//! Read first: `conn/mod.rs`.

use slab::Slab;

use crate::conn::Conn;
use crate::ids::ConnId;
use crate::time::Deadline;

/// The table of connections.
#[derive(Default)]
pub struct Conns {
    slots: Slab<Conn>,
    generation: u32,
}

impl Conns {
    /// Takes in a connection that was just accepted.
    pub fn open(&mut self, due: Deadline) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.slots.insert(Conn::new(self.generation, due)) as u32;
        ConnId { slot, generation: self.generation }
    }

    /// The connection behind an id, unless it is gone.
    pub fn get(&self, id: ConnId) -> Option<&Conn> {
        self.slots.get(id.slot as usize).filter(|conn| conn.generation == id.generation)
    }

    /// The connection behind an id, unless it is gone.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.slots.get_mut(id.slot as usize).filter(|conn| conn.generation == id.generation)
    }

    /// Removes a connection.
    pub fn remove(&mut self, id: ConnId) -> Option<Conn> {
        self.get(id)?;
        Some(self.slots.remove(id.slot as usize))
    }

    /// Every connection, in the order of their slots.
    pub fn ids(&self) -> Vec<ConnId> {
        let id = |(slot, conn): (usize, &Conn)| ConnId { slot: slot as u32, generation: conn.generation };
        self.slots.iter().map(id).collect()
    }

    /// Every connection, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &Conn> {
        self.slots.iter().map(|(_, conn)| conn)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
