//! All objects of a trace, and what a word stands for at any call.

use std::collections::HashMap;

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use super::kind::Kind;
use super::object::{Object, ObjectId};
use super::plan::Plans;
use super::range_tree::{RangeTree, Rectangle};
use super::site::{Role, Site, kernel_words};
use super::store::Store;
use super::tracker::{Misuses, ObjectTracker, Part, Reference};

/// All objects of a trace. An [`ObjectId`] is a place in [`Self::all`].
#[derive(Clone, Debug, Default)]
pub struct Objects {
    store: Store,
    misuses: Misuses,
    /// Objects with handles, by process, kind, word and first call.
    by_word: Vec<ObjectId>,
    /// Objects with addresses, by process.
    by_address: HashMap<ProcessId, RangeTree>,
}

impl Objects {
    /// Reads all calls. `progress` is told now and then how many were read. Damage is left to those who count calls: what is intact counts.
    pub fn of(trace: &Trace, mut progress: impl FnMut(u64)) -> Self {
        let mut tracker = ObjectTracker::default();
        let mut calls = trace.calls();
        let mut call = Call::default();
        loop {
            match calls.read_next(&mut call) {
                Ok(true) => {
                    tracker.observe(trace.schema(), &call);
                }
                Ok(false) => break,
                Err(Damage { .. }) => {}
            }
            if call.seq.is_multiple_of(1 << 16) {
                progress(call.seq);
            }
        }
        tracker.finish()
    }

    pub(super) fn new(store: Store, misuses: Misuses) -> Self {
        let ids = (0..).map(ObjectId).take(store.objects.len());
        let mut by_word: Vec<ObjectId> =
            ids.filter(|&id| !store.get(id).kind.is_memory()).collect();
        by_word.sort_unstable_by_key(|&id| key(store.get(id)));
        let mut rectangles: HashMap<ProcessId, Vec<Rectangle>> = HashMap::new();
        for rectangle in all_rectangles(&store) {
            let process = store.get(rectangle.object).process;
            rectangles.entry(process).or_default().push(rectangle);
        }
        let tree = |(process, list)| (process, RangeTree::new(list));
        Self {
            by_address: rectangles.into_iter().map(tree).collect(),
            store,
            misuses,
            by_word,
        }
    }

    /// All objects, in the order in which they appear.
    pub fn all(&self) -> &[Object] {
        &self.store.objects
    }

    /// An object.
    pub fn get(&self, id: ObjectId) -> Option<&Object> {
        self.store.objects.get(id.0 as usize)
    }

    /// An object's own name: a function's or kernel's, or the file that a module came from.
    pub fn name(&self, id: ObjectId) -> Option<&str> {
        self.get(id)?;
        self.store.name(id)
    }

    /// Objects that were created, were to be destroyed by someone, and are alive at the end.
    pub fn left_behind(&self) -> impl Iterator<Item = ObjectId> {
        let ids = (0..).map(ObjectId).zip(&self.store.objects);
        ids.filter(|(_, object)| object.is_left_behind())
            .map(|(id, _)| id)
    }

    /// Uses of objects that were gone.
    pub fn misuses(&self) -> &Misuses {
        &self.misuses
    }

    /// What a word of that kind stood for in a process during a call, and the bytes from the object's start. A handle finds the newest object
    /// that had it by then, also if that is gone; an address finds only what is there.
    pub fn find(
        &self,
        process: ProcessId,
        kind: Kind,
        word: u64,
        seq: u64,
    ) -> Option<(ObjectId, u64)> {
        if kind.is_memory() {
            return self.by_address.get(&process)?.at(word, seq);
        }
        let own = self.find_handle((process, kind, word, seq));
        let there = own.is_some_and(|id| self.store.get(id).exists_at(seq));
        let stand_in = kind.stand_in().filter(|_| !there);
        let found = stand_in
            .and_then(|kind| self.find_handle((process, kind, word, seq)))
            .or(own);
        found.map(|id| (id, 0))
    }

    fn find_handle(&self, wanted: (ProcessId, Kind, u64, u64)) -> Option<ObjectId> {
        let behind = self
            .by_word
            .partition_point(|&id| key(self.store.get(id)) <= wanted);
        let id = *self.by_word.get(behind.checked_sub(1)?)?;
        let (process, kind, word, _) = key(self.store.get(id));
        ((process, kind, word) == (wanted.0, wanted.1, wanted.2)).then_some(id)
    }
}

fn key(object: &Object) -> (ProcessId, Kind, u64, u64) {
    (object.process, object.kind, object.word, object.first_call)
}

/// The rectangles of all objects with addresses, and of their other addresses, in the order of their first call.
fn all_rectangles(store: &Store) -> Vec<Rectangle> {
    let rectangle = |id: ObjectId, first_address: u64, first_call: u64| {
        let object = store.get(id);
        let bytes = object.bytes().unwrap_or(1).max(1);
        let last_call = object.ended().map_or(u64::MAX, |(seq, _)| seq);
        Rectangle {
            addresses: first_address..=first_address.saturating_add(bytes - 1),
            calls: first_call..=last_call,
            object: id,
        }
    };
    let ids = (0..).map(ObjectId).zip(&store.objects);
    let own = ids
        .filter(|(_, object)| object.kind.is_memory())
        .map(|(id, object)| rectangle(id, object.word, object.first_call));
    let aliases = store
        .aliases
        .iter()
        .map(|alias| rectangle(alias.object, alias.word, alias.seq));
    let mut all: Vec<Rectangle> = own.chain(aliases).collect();
    all.sort_by_key(|rectangle| *rectangle.calls.start());
    all
}

/// Which objects single calls refer to, in any order: what a viewer needs for the calls on its screen.
#[derive(Debug, Default)]
pub struct ReferenceFinder {
    plans: Plans,
}

impl ReferenceFinder {
    /// The objects that a call refers to. Where calls of several threads overlap, the order of their begins decides.
    pub fn find(&mut self, objects: &Objects, schema: &TraceSchema, call: &Call) -> Vec<Reference> {
        let Some(plan) = self.plans.of(schema, call.function) else {
            return Vec::new();
        };
        let succeeded = plan.succeeded(call);
        let sites = plan
            .sites
            .iter()
            .filter(|site| succeeded || matches!(site.role, Role::Takes | Role::Destroys));
        let words = sites.flat_map(|site| site.words(call).map(|word| (*site, word)));
        let in_kernels = kernel_words(call);
        words
            .chain(in_kernels.map(|(param, word)| (Site::in_kernel_arguments(param), word)))
            .filter_map(|(site, word)| objects.refer(call, site, word))
            .collect()
    }

    /// Whether a call refers to an object.
    pub fn uses(
        &mut self,
        objects: &Objects,
        schema: &TraceSchema,
        call: &Call,
        id: ObjectId,
    ) -> bool {
        let known = objects
            .get(id)
            .filter(|object| object.process == call.process);
        known.is_some()
            && self
                .find(objects, schema, call)
                .iter()
                .any(|reference| reference.object == id)
    }
}

impl Objects {
    fn refer(&self, call: &Call, site: Site, word: u64) -> Option<Reference> {
        let seq = call.seq;
        if site.kind.constant(word).is_some() {
            return None;
        }
        let (id, offset) = self.find(call.process, site.kind, word, seq)?;
        let object = self.store.get(id);
        let there = object.exists_at(seq);
        if !there && !site.sure {
            return None;
        }
        let part = match site.role {
            _ if !there => Part::UsedAfterEnd,
            _ if object.created() == Some(seq) => Part::Created,
            Role::Takes => Part::Used,
            Role::Destroys => Part::Destroyed,
            Role::Tells | Role::Creates => Part::Told,
        };
        Some(Reference {
            param: site.param,
            word,
            object: id,
            offset,
            part,
        })
    }
}
