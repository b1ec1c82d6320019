//! Calls that later ones may need, and what they need themselves.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use cutape_trace_format::call::{Call, FunctionId, ProcessId};

use crate::objects::ObjectId;

/// Number of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RecordId(u32);

/// A call that later ones may need.
#[derive(Clone, Copy, Debug)]
struct Record {
    seq: u64,
    /// The call that made the context current that it works in; 0 for none.
    current: u64,
    first_need: u32,
    needs: u16,
}

/// What needs a call that a later one like it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Needs {
    /// An object.
    Object(ObjectId),
    /// The whole process.
    Process(ProcessId),
}

/// Calls by the object that they create or shape.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: Vec<Record>,
    needs: Vec<ObjectId>,
    of_object: HashMap<ObjectId, Vec<RecordId>>,
    /// Calls that a later one like them replaces.
    replaceable: HashMap<(Needs, FunctionId, u64), RecordId>,
    hasher: RandomState,
}

impl Records {
    /// Adds a call with the objects that it needs and the call that made its context current.
    pub fn add(&mut self, seq: u64, needs: &[ObjectId], current: u64) -> RecordId {
        let id = RecordId(self.records.len() as u32);
        let needs = &needs[..needs.len().min(usize::from(u16::MAX))];
        self.records.push(Record {
            seq,
            current,
            first_need: self.needs.len() as u32,
            needs: needs.len() as u16,
        });
        self.needs.extend_from_slice(needs);
        id
    }

    /// An object needs that call.
    pub fn attach(&mut self, object: ObjectId, record: RecordId) {
        self.of_object.entry(object).or_default().push(record);
    }

    /// Adds a call that something needs, in place of an earlier one with the same arguments but the last. Returns the record if it is a new
    /// one.
    pub fn add_replacing(
        &mut self,
        by: Needs,
        call: &Call,
        (needs, current): (&[ObjectId], u64),
    ) -> Option<RecordId> {
        let telling = &call.args[..call
            .args
            .len()
            .saturating_sub(1)
            .max(1)
            .min(call.args.len())];
        let key = (by, call.function, self.hasher.hash_one(telling));
        if let Some(&id) = self.replaceable.get(&key) {
            let place = id.0 as usize;
            if usize::from(self.records[place].needs) == needs.len() {
                let record = &mut self.records[place];
                (record.seq, record.current) = (call.seq, current);
                let first = record.first_need as usize;
                self.needs[first..first + needs.len()].copy_from_slice(needs);
                return None;
            }
        }
        let id = self.add(call.seq, needs, current);
        self.replaceable.insert(key, id);
        if let Needs::Object(object) = by {
            self.attach(object, id);
        }
        Some(id)
    }

    /// The calls that some objects and calls need, and those that these need, and so on: their numbers, in order.
    pub fn closure(
        &self,
        objects: impl IntoIterator<Item = ObjectId>,
        records: impl IntoIterator<Item = RecordId>,
    ) -> Vec<u64> {
        let mut seen_objects: HashSet<ObjectId> = HashSet::new();
        let mut seen_records: HashSet<RecordId> = HashSet::new();
        let mut to_see: Vec<ObjectId> = objects.into_iter().collect();
        let mut to_keep: Vec<RecordId> = records.into_iter().collect();
        let mut kept = Vec::new();
        loop {
            while let Some(id) = to_keep.pop() {
                if !seen_records.insert(id) {
                    continue;
                }
                let record = &self.records[id.0 as usize];
                kept.push(record.seq);
                kept.extend(Some(record.current).filter(|&seq| seq != 0));
                let first = record.first_need as usize;
                to_see.extend_from_slice(&self.needs[first..first + usize::from(record.needs)]);
            }
            let Some(object) = to_see.pop() else {
                break;
            };
            if seen_objects.insert(object) {
                to_keep.extend(self.of_object.get(&object).into_iter().flatten());
            }
        }
        kept.sort_unstable();
        kept.dedup();
        kept
    }
}
