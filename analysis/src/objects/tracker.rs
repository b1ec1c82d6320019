//! Objects from calls, one after the other: what each call creates, uses and destroys.

use std::collections::HashMap;

use cutape_trace_format::call::{Call, FunctionId, ProcessId, ThreadId};
use cutape_trace_format::schema::TraceSchema;

use super::all::Objects;
use super::kind::Kind;
use super::object::{Object, ObjectId};
use super::plan::Plans;
use super::process::ProcessState;
use super::step::Step;
use super::store::{Alive, Store};

/// Uses after the end are listed up to here; beyond it they are only counted.
const MAX_MISUSES: usize = 10_000;

/// What a call does with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It uses it.
    Used,
    /// It destroys it, or would if it did not fail, or gives up one of several holds on it.
    Destroyed,
    /// It answers it.
    Told,
    /// It creates it.
    Created,
    /// It uses it although it is gone.
    UsedAfterEnd,
}

/// An object that a call refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Place of the parameter in, or behind, which the word stands.
    pub param: u8,
    /// The handle or address.
    pub word: u64,
    /// What it stands for.
    pub object: ObjectId,
    /// Bytes from the object's first address.
    pub offset: u64,
    /// What the call does with it.
    pub part: Part,
}

/// A use of an object that was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The call.
    pub seq: u64,
    /// Place of the parameter.
    pub param: u8,
    /// The object.
    pub object: ObjectId,
}

/// Uses of objects that were gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misuses {
    /// The first ten thousand, in order.
    pub first: Vec<Misuse>,
    /// How many there were.
    pub count: u64,
}

impl Misuses {
    pub(super) fn add(&mut self, misuse: Misuse) {
        self.count += 1;
        if self.first.len() < MAX_MISUSES {
            self.first.push(misuse);
        }
    }
}

/// Follows the objects of a trace through its calls. Memory grows with the number of objects, not of calls.
#[derive(Debug, Default)]
pub struct ObjectTracker {
    plans: Plans,
    store: Store,
    processes: Vec<(ProcessId, ProcessState)>,
    by_process: HashMap<ProcessId, usize>,
    /// Place of the process whose call came last.
    last: usize,
    references: Vec<Reference>,
    misuses: Misuses,
}

impl ObjectTracker {
    /// Takes in the next call, in the order in which calls began, and says which objects it refers to.
    pub fn observe(&mut self, schema: &TraceSchema, call: &Call) -> &[Reference] {
        self.references.clear();
        let place = self.place_of(call.process);
        let Some(plan) = self.plans.of(schema, call.function) else {
            return &self.references;
        };
        if plan.is_empty() {
            return &self.references;
        }
        let process = &mut self.processes[place].1;
        process.settle(call.begin_ns, &mut self.store);
        Step {
            call,
            plan,
            succeeded: plan.succeeded(call),
            store: &mut self.store,
            process,
            references: &mut self.references,
            misuses: &mut self.misuses,
        }
        .run();
        &self.references
    }

    /// Whether calls of a function mean anything for objects. Of others, arguments are not looked at.
    pub(crate) fn is_about_objects(&mut self, schema: &TraceSchema, function: FunctionId) -> bool {
        let plan = self.plans.of(schema, function);
        plan.is_some_and(|plan| !plan.is_empty())
    }

    /// What the call observed last refers to.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// An object that a reference of this tracker names.
    pub fn object(&self, id: ObjectId) -> &Object {
        self.store.get(id)
    }

    /// An object's own name: a function's or kernel's, or the file that a module came from.
    pub fn name(&self, id: ObjectId) -> Option<&str> {
        self.store.name(id)
    }

    /// The context that is current to a thread after the call observed last, as far as calls told.
    pub fn current(&self, process: ProcessId, thread: ThreadId) -> Option<ObjectId> {
        let place = *self.by_process.get(&process)?;
        self.processes[place].1.current(thread)
    }

    /// Objects of a kind that are alive in a process now.
    pub fn alive(&self, process: ProcessId, kind: Kind) -> Alive {
        self.store.alive(process, kind)
    }

    /// All objects so far.
    pub fn objects(&self) -> Objects {
        Objects::new(self.store.clone(), self.misuses.clone())
    }

    /// All objects, after the last call.
    pub fn finish(self) -> Objects {
        Objects::new(self.store, self.misuses)
    }

    /// The first word of a kind that a call takes, also if that is null or a constant; none if it takes no such word.
    pub fn first_word(&mut self, schema: &TraceSchema, call: &Call, kind: Kind) -> Option<u64> {
        let plan = self.plans.of(schema, call.function)?;
        let mut sites = plan.sites.iter().filter(|site| site.kind == kind);
        sites.find_map(|site| site.all_words(call).next())
    }

    /// The first object of a kind that the call observed last refers to.
    pub fn referred(&self, kind: Kind) -> Option<ObjectId> {
        let mut references = self.references.iter();
        references
            .find(|reference| self.object(reference.object).kind() == kind)
            .map(|reference| reference.object)
    }

    fn place_of(&mut self, process: ProcessId) -> usize {
        let is_it = |entry: &(ProcessId, ProcessState)| entry.0 == process;
        if !self.processes.get(self.last).is_some_and(is_it) {
            self.last = match self.by_process.get(&process) {
                Some(&place) => place,
                None => {
                    self.processes.push((process, ProcessState::default()));
                    self.by_process.insert(process, self.processes.len() - 1);
                    self.processes.len() - 1
                }
            };
        }
        self.last
    }
}
