//! All objects of a trace while it is read: what is part of what, how much is alive.

use std::collections::HashMap;

use cutape_trace_format::call::ProcessId;

use super::kind::{KIND_COUNT, Kind};
use super::object::{Ending, Object, ObjectId, Origin, Slot};
use crate::word_hash::WordMap;

/// Longer names are cut: mangled names of kernels stay far below.
const MAX_NAME_BYTES: usize = 8192;

/// Objects of one kind in one process that are alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// How many.
    pub count: u64,
    /// Bytes of those whose size is known.
    pub bytes: u64,
}

/// Counts of one process.
#[derive(Clone, Debug)]
struct Counts {
    known: [u32; KIND_COUNT],
    foreign: [u32; KIND_COUNT],
    alive: [Alive; KIND_COUNT],
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            known: [0; KIND_COUNT],
            foreign: [0; KIND_COUNT],
            alive: [Alive::default(); KIND_COUNT],
        }
    }
}

/// Another first address of an object, known since a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alias {
    pub object: ObjectId,
    pub word: u64,
    pub seq: u64,
}

/// All objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub objects: Vec<Object>,
    pub aliases: Vec<Alias>,
    names: Vec<Box<str>>,
    name_places: HashMap<Box<str>, u32>,
    counts: WordMap<ProcessId, Box<Counts>>,
}

impl Store {
    /// The object. Ids come from this store, so it is there.
    pub fn get(&self, id: ObjectId) -> &Object {
        &self.objects[id.0 as usize]
    }

    /// The object, to change it.
    pub fn get_mut(&mut self, id: ObjectId) -> &mut Object {
        &mut self.objects[id.0 as usize]
    }

    /// Adds an object and numbers it. `None` when there are as many as numbers.
    pub fn add(&mut self, process: ProcessId, object: Object) -> Option<ObjectId> {
        let id = u32::try_from(self.objects.len()).ok()?;
        Slot::to(id)?;
        let counts = self.counts.entry(process).or_default();
        let kind = object.kind as usize;
        let counter = match object.origin {
            Origin::Foreign => &mut counts.foreign[kind],
            Origin::Created | Origin::Given => &mut counts.known[kind],
        };
        *counter = counter.saturating_add(1);
        let ordinal = *counter;
        counts.alive[kind].count += 1;
        self.objects.push(Object {
            process,
            ordinal,
            ..object
        });
        Some(ObjectId(id))
    }

    /// A foreign object turns out to be what a call creates: it gets a number among the known ones.
    pub fn adopt(&mut self, id: ObjectId, origin: Origin, seq: u64) {
        let object = &mut self.objects[id.0 as usize];
        let counts = self.counts.entry(object.process).or_default();
        let counter = &mut counts.known[object.kind as usize];
        *counter = counter.saturating_add(1);
        (object.ordinal, object.origin, object.created) = (*counter, origin, seq);
    }

    /// Says how large an object is.
    pub fn set_bytes(&mut self, id: ObjectId, bytes: u64) {
        let object = &mut self.objects[id.0 as usize];
        let counts = self.counts.entry(object.process).or_default();
        let alive = &mut counts.alive[object.kind as usize];
        alive.bytes = alive.bytes.saturating_sub(object.bytes().unwrap_or(0));
        object.bytes = bytes;
        alive.bytes = alive.bytes.saturating_add(object.bytes().unwrap_or(0));
    }

    /// Gives an object its own name.
    pub fn set_name(&mut self, id: ObjectId, name: &str) {
        let mut end = name.len().min(MAX_NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = &name[..end];
        let place = match self.name_places.get(name) {
            Some(&place) => place,
            None => {
                let place = self.names.len() as u32;
                self.names.push(name.into());
                self.name_places.insert(name.into(), place);
                place
            }
        };
        self.get_mut(id).name = Slot::to(place);
    }

    /// An object's own name.
    pub fn name(&self, id: ObjectId) -> Option<&str> {
        let name = self.get(id).name?;
        self.names.get(name.place() as usize).map(|name| &**name)
    }

    /// Makes an object part of another one.
    pub fn set_parent(&mut self, id: ObjectId, parent: ObjectId) {
        if id == parent || self.get(id).parent.is_some() {
            return;
        }
        let before = self.get(parent).newest_part;
        self.get_mut(parent).newest_part = Slot::to(id.0);
        let object = self.get_mut(id);
        (object.parent, object.part_before) = (Slot::to(parent.0), before);
    }

    /// Ends an object and all that is part of it.
    pub fn end(&mut self, id: ObjectId, seq: u64, ending: Ending) {
        if self.mark_ended(id, seq, ending) {
            self.end_parts(id, seq);
        }
    }

    /// Ends all that is part of an object, and forgets that it was.
    pub fn end_parts(&mut self, id: ObjectId, seq: u64) {
        let mut wholes = vec![id];
        while let Some(whole) = wholes.pop() {
            let mut next = self.get_mut(whole).newest_part.take();
            while let Some(part) = next {
                let part = part.object();
                next = self.get(part).part_before;
                if self.mark_ended(part, seq, Ending::WithParent) {
                    wholes.push(part);
                }
            }
        }
    }

    /// Whether that was news.
    fn mark_ended(&mut self, id: ObjectId, seq: u64, ending: Ending) -> bool {
        let object = &mut self.objects[id.0 as usize];
        if !object.is_alive() {
            return false;
        }
        (object.ended, object.ending) = (seq, ending);
        let counts = self.counts.entry(object.process).or_default();
        let alive = &mut counts.alive[object.kind as usize];
        alive.count = alive.count.saturating_sub(1);
        alive.bytes = alive.bytes.saturating_sub(object.bytes().unwrap_or(0));
        true
    }

    /// Takes back an end: what was said to be gone was used, and the driver knew it.
    pub fn revive(&mut self, id: ObjectId) {
        let object = &mut self.objects[id.0 as usize];
        if object.is_alive() {
            return;
        }
        object.ended = 0;
        let counts = self.counts.entry(object.process).or_default();
        let alive = &mut counts.alive[object.kind as usize];
        alive.count += 1;
        alive.bytes = alive.bytes.saturating_add(object.bytes().unwrap_or(0));
    }

    /// What is alive of a kind in a process.
    pub fn alive(&self, process: ProcessId, kind: Kind) -> Alive {
        let counts = self.counts.get(&process);
        counts.map_or(Alive::default(), |counts| counts.alive[kind as usize])
    }
}
