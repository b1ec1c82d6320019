//! Calls that later ones may need, and what they need themselves.
//!
//! What something needs changes with time: a setting takes the place of an earlier one, one of two holders of a context gives it up. So the calls
//! that a wanted call needs are pinned when it comes; what replaces them later replaces them for later calls only.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use cutape_trace_format::call::{Call, FunctionId, ProcessId};

use crate::objects::ObjectId;
use crate::word_hash::WordMap;

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
    /// It is known to be needed.
    pinned: bool,
}

/// What needs a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Needs {
    /// An object.
    Object(ObjectId),
    /// The whole process.
    Process(ProcessId),
}

/// The calls that something needs.
#[derive(Debug, Default)]
struct Needed {
    records: Vec<RecordId>,
    /// How often records had changed when all of them, and all that these need, were pinned last; 0 for never.
    pinned_at: u64,
}

/// Calls by the object that they create or shape.
#[derive(Debug)]
pub(super) struct Records {
    records: Vec<Record>,
    needs: Vec<ObjectId>,
    by: WordMap<Needs, Needed>,
    /// Calls that a later one like them replaces.
    replaceable: HashMap<(Needs, FunctionId, u64), RecordId>,
    hasher: RandomState,
    /// How often something changed that may be needed by what was pinned; from 1.
    changes: u64,
    kept: BTreeSet<u64>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            needs: Vec::new(),
            by: WordMap::default(),
            replaceable: HashMap::new(),
            hasher: RandomState::new(),
            changes: 1,
            kept: BTreeSet::new(),
        }
    }
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
            pinned: false,
        });
        self.needs.extend_from_slice(needs);
        id
    }

    /// Something needs that call from now on.
    pub fn attach(&mut self, by: Needs, record: RecordId) {
        let needed = self.by.entry(by).or_default();
        needed.records.push(record);
        self.note_change(by);
    }

    /// Something needs that call no longer.
    pub fn detach(&mut self, by: Needs, record: RecordId) {
        if let Some(needed) = self.by.get_mut(&by) {
            needed.records.retain(|&known| known != record);
        }
    }

    /// How many calls something needs.
    pub fn count(&self, by: Needs) -> usize {
        self.by.get(&by).map_or(0, |needed| needed.records.len())
    }

    /// The number of a record's call.
    pub fn seq(&self, record: RecordId) -> u64 {
        self.records[record.0 as usize].seq
    }

    /// What was never pinned needs no second look.
    fn note_change(&mut self, by: Needs) {
        if self.by.get(&by).is_some_and(|needed| needed.pinned_at > 0) {
            self.changes += 1;
        }
    }

    /// Adds a call that something needs, in place of an earlier one with the same arguments but the last.
    pub fn add_replacing(&mut self, by: Needs, call: &Call, (needs, current): (&[ObjectId], u64)) {
        let telling = &call.args[..call
            .args
            .len()
            .saturating_sub(1)
            .max(1)
            .min(call.args.len())];
        let key = (by, call.function, self.hasher.hash_one(telling));
        let Some(&id) = self.replaceable.get(&key) else {
            let id = self.add(call.seq, needs, current);
            self.replaceable.insert(key, id);
            return self.attach(by, id);
        };
        let first = self.needs.len() as u32;
        let record = &mut self.records[id.0 as usize];
        (record.seq, record.current, record.pinned) = (call.seq, current, false);
        let needs = &needs[..needs.len().min(usize::from(u16::MAX))];
        if usize::from(record.needs) == needs.len() {
            let first = record.first_need as usize;
            self.needs[first..first + needs.len()].copy_from_slice(needs);
        } else {
            (record.first_need, record.needs) = (first, needs.len() as u16);
            self.needs.extend_from_slice(needs);
        }
        self.note_change(by);
    }

    /// Pins a call, and what it needs.
    pub fn pin(&mut self, record: RecordId) {
        let mut found = Vec::new();
        self.pin_record(record, &mut found);
        self.pin_all(found);
    }

    /// Pins the calls that some things need at this moment, and those that these need, and so on.
    pub fn pin_all(&mut self, by: impl IntoIterator<Item = Needs>) {
        let mut to_see: Vec<Needs> = by.into_iter().collect();
        while let Some(by) = to_see.pop() {
            let changes = self.changes;
            let needed = self.by.entry(by).or_default();
            if needed.pinned_at == changes {
                continue;
            }
            needed.pinned_at = changes;
            for place in 0..needed.records.len() {
                let record = self
                    .by
                    .get(&by)
                    .and_then(|needed| needed.records.get(place));
                if let Some(&record) = record {
                    self.pin_record(record, &mut to_see);
                }
            }
        }
    }

    fn pin_record(&mut self, id: RecordId, to_see: &mut Vec<Needs>) {
        let record = &mut self.records[id.0 as usize];
        if !record.pinned {
            record.pinned = true;
            self.kept.insert(record.seq);
            self.kept
                .extend(Some(record.current).filter(|&seq| seq != 0));
        }
        let first = record.first_need as usize;
        let needs = &self.needs[first..first + usize::from(record.needs)];
        to_see.extend(needs.iter().copied().map(Needs::Object));
    }

    /// The numbers of all calls that were pinned.
    pub fn into_kept(self) -> BTreeSet<u64> {
        self.kept
    }
}
