//! Objects that several holders share, like a primary context: each call that holds it once more is needed until one gives it up.

use std::collections::HashMap;

use cutape_trace_format::call::ProcessId;

use super::records::{Needs, RecordId, Records};
use crate::objects::ObjectId;

/// Holds on one object that are kept; beyond it a later one stands for the rest.
const MAX_HOLDS: usize = 1 << 16;

/// Who holds what.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// The calls that hold an object, in order.
    holders: HashMap<ObjectId, Vec<RecordId>>,
    /// Primary contexts: they are given up by their device.
    primary: HashMap<(ProcessId, u64), ObjectId>,
    /// A call that holds an object, and the one that gave that up.
    given_up: Vec<(u64, u64)>,
}

impl Holds {
    /// An object is held once more.
    pub fn hold(&mut self, object: ObjectId, record: RecordId) {
        let holders = self.holders.entry(object).or_default();
        if holders.len() < MAX_HOLDS {
            holders.push(record);
        }
    }

    /// That object is the primary context of a device.
    pub fn set_primary(&mut self, device: (ProcessId, u64), context: ObjectId) {
        self.primary.insert(device, context);
    }

    /// The primary context of a device.
    pub fn primary(&self, device: (ProcessId, u64)) -> Option<ObjectId> {
        self.primary.get(&device).copied()
    }

    /// An object is held once less.
    pub fn give_up(&mut self, object: ObjectId, seq: u64, records: &mut Records) {
        let Some(holders) = self.holders.get_mut(&object) else {
            return;
        };
        let Some(record) = holders.pop() else {
            return;
        };
        self.given_up.push((records.seq(record), seq));
        // The call that created it is needed for as long as anyone refers to it.
        if !holders.is_empty() {
            records.detach(Needs::Object(object), record);
        }
    }

    /// Each call that gave up what a call held before.
    pub fn given_up(&self) -> impl Iterator<Item = (u64, u64)> {
        self.given_up.iter().copied()
    }
}
