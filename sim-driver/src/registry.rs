//! Objects by handle. A handle is a number that says which kind of object it names, where the object lies in its registry, and how
//! often that place was used before; so a destroyed handle, a handle of another kind and a number that never was a handle are all
//! recognised without following them.

use std::sync::{Arc, PoisonError, RwLock};

/// What kind of object a handle names; part of the handle's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Context = 1,
    Stream = 2,
    Event = 3,
    Module = 4,
    Function = 5,
    Library = 6,
    Kernel = 7,
    Physical = 8,
    Pool = 9,
    Graph = 10,
    GraphNode = 11,
    GraphExec = 12,
    UserObject = 13,
    Array = 14,
    Mipmap = 15,
    Texture = 16,
    Surface = 17,
    Link = 18,
    GreenContext = 19,
    ResourceDescriptor = 20,
    Condition = 21,
}

/// Bits of a handle: four zero bits (so that it looks like an aligned address), place, generation, kind, and a constant on top.
const PLACE_SHIFT: u32 = 4;
const PLACE_BITS: u32 = 20;
const GENERATION_SHIFT: u32 = PLACE_SHIFT + PLACE_BITS;
const GENERATION_BITS: u32 = 14;
const KIND_SHIFT: u32 = GENERATION_SHIFT + GENERATION_BITS;
const TOP: u64 = 0x5 << 44;

struct Slot<T> {
    generation: u32,
    object: Option<Arc<T>>,
}

struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

/// The living objects of one kind.
pub struct Registry<T> {
    kind: Kind,
    slots: RwLock<Slots<T>>,
}

impl<T> Registry<T> {
    /// A registry without objects.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            slots: RwLock::new(Slots {
                slots: Vec::new(),
                free: Vec::new(),
            }),
        }
    }

    /// Adds an object that may want to know its own handle. `None` when a million objects of the kind are alive.
    pub fn insert(&self, make: impl FnOnce(u64) -> T) -> Option<Arc<T>> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let place = match slots.free.pop() {
            Some(place) => place,
            None if slots.slots.len() < 1 << PLACE_BITS => {
                slots.slots.push(Slot {
                    generation: 0,
                    object: None,
                });
                slots.slots.len() - 1
            }
            None => return None,
        };
        let handle = self.encode(place, slots.slots[place].generation);
        let object = Arc::new(make(handle));
        slots.slots[place].object = Some(Arc::clone(&object));
        Some(object)
    }

    /// The object that the handle names, if it is alive.
    pub fn get(&self, handle: u64) -> Option<Arc<T>> {
        let (place, generation) = self.decode(handle)?;
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.slots.get(place)?;
        if slot.generation == generation {
            slot.object.clone()
        } else {
            None
        }
    }

    /// Ends the handle; the object lives on for whoever still holds it.
    pub fn remove(&self, handle: u64) -> Option<Arc<T>> {
        let (place, generation) = self.decode(handle)?;
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.slots.get_mut(place)?;
        if slot.generation != generation {
            return None;
        }
        let object = slot.object.take()?;
        slot.generation = (slot.generation + 1) % (1 << GENERATION_BITS);
        slots.free.push(place);
        Some(object)
    }

    /// The living objects with their handles.
    pub fn all(&self) -> Vec<(u64, Arc<T>)> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let alive = |(place, slot): (usize, &Slot<T>)| {
            slot.object
                .as_ref()
                .map(|object| (self.encode(place, slot.generation), Arc::clone(object)))
        };
        slots.slots.iter().enumerate().filter_map(alive).collect()
    }

    fn encode(&self, place: usize, generation: u32) -> u64 {
        TOP | (self.kind as u64) << KIND_SHIFT
            | u64::from(generation) << GENERATION_SHIFT
            | (place as u64) << PLACE_SHIFT
    }

    fn decode(&self, handle: u64) -> Option<(usize, u32)> {
        let place = (handle >> PLACE_SHIFT) & ((1 << PLACE_BITS) - 1);
        let generation = (handle >> GENERATION_SHIFT) & ((1 << GENERATION_BITS) - 1);
        let whole = self.encode(place as usize, generation as u32);
        (whole == handle).then_some((place as usize, generation as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_handle_stays_dead_when_its_place_is_used_again() {
        let registry = Registry::new(Kind::Event);
        let mut handles = [0; 2];
        let old = registry
            .insert(|handle| {
                handles[0] = handle;
                1
            })
            .unwrap();
        assert_eq!(registry.get(handles[0]).as_deref(), Some(&1));
        registry.remove(handles[0]).unwrap();
        let new = registry
            .insert(|handle| {
                handles[1] = handle;
                2
            })
            .unwrap();
        assert_ne!(handles[0], handles[1]);
        assert!(registry.get(handles[0]).is_none());
        assert!(registry.remove(handles[0]).is_none());
        assert_eq!(registry.get(handles[1]).as_deref(), Some(&2));
        assert_eq!((*old, *new), (1, 2));
    }

    #[test]
    fn numbers_that_are_no_handles_of_the_kind_are_refused() {
        let events = Registry::new(Kind::Event);
        let streams = Registry::new(Kind::Stream);
        let mut stream = 0;
        streams.insert(|handle| stream = handle).unwrap();
        events.insert(|_| ()).unwrap();
        for foreign in [0, 1, 2, stream, stream + 1, u64::MAX, 0xdead_beef] {
            assert!(events.get(foreign).is_none(), "{foreign:#x}");
        }
    }
}
