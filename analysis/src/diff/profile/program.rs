//! One program as a profile sees it: how often it calls what, with which outcome, phase by phase, and one call of each kind to look at.

use std::collections::{BTreeMap, HashMap};

use cutape_cuda_api::{Effect, Function};
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::trace::Trace;

use super::phase::{PHASES, Phase, gives_back, phase_of};
use crate::diff::choice;
use crate::diff::fetching::calls_by_number;
use crate::diff::scan::Scan;

/// Calls that are looked at closely; each stands for all that ask the same and got the same answer.
const MOST_EXAMPLES: usize = 20_000;

/// How often a function was called, and what it returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionTally {
    /// Its symbol that was called first.
    pub api: String,
    /// Its phase.
    pub phase: Phase,
    /// Calls.
    pub calls: u64,
    /// Failed calls by code.
    pub codes: BTreeMap<u32, u64>,
    /// Number of the first call.
    pub first: u64,
}

/// One program.
pub(super) struct Program<'a> {
    pub trace: &'a Trace,
    pub scan: &'a Scan,
    pub name: String,
    /// Functions by base name.
    pub functions: BTreeMap<String, FunctionTally>,
    pub phases: [u64; PHASES.len()],
    /// One call of each class that is worth a look, in the order of their numbers.
    pub examples: Vec<Call>,
    /// Examples that there would be more.
    pub left_out: usize,
    /// By process, the number of the last call that is work.
    last_work: HashMap<ProcessId, u64>,
}

impl<'a> Program<'a> {
    pub fn of(trace: &'a Trace, scan: &'a Scan) -> Self {
        let mut program = Self {
            trace,
            scan,
            name: choice::client(trace),
            functions: BTreeMap::new(),
            phases: [0; PHASES.len()],
            examples: Vec::new(),
            left_out: 0,
            last_work: HashMap::new(),
        };
        program.find_last_work();
        let classes = program.count();
        program.read_examples(classes);
        program
    }

    fn function(&self, class: u32) -> Option<&'a Function> {
        self.trace.function(self.scan.class(class).function())
    }

    fn find_last_work(&mut self) {
        let is_work =
            |function: &Function| phase_of(function) == Phase::Work && !gives_back(function);
        for lane in &self.scan.lanes {
            let last = lane
                .classes
                .iter()
                .rposition(|&class| self.function(class).is_some_and(is_work));
            if let Some(last) = last {
                let seq = self.last_work.entry(lane.process).or_default();
                *seq = (*seq).max(lane.seqs[last].into());
            }
        }
    }

    /// The phase of a call.
    fn phase(&self, process: ProcessId, class: u32, seq: u64) -> Phase {
        let Some(function) = self.function(class) else {
            return Phase::Other;
        };
        let is_late = self.last_work.get(&process).is_none_or(|&last| seq > last);
        if is_late && gives_back(function) {
            Phase::Teardown
        } else {
            phase_of(function)
        }
    }

    /// Counts all calls. Returns by class the number of its first call and how many there are; 0 for those that do not occur.
    fn count(&mut self) -> Vec<(u64, u64)> {
        let mut classes = vec![(0u64, 0u64); self.scan.classes.len()];
        for lane in &self.scan.lanes {
            for (&class, &seq) in lane.classes.iter().zip(&lane.seqs) {
                let seq = u64::from(seq);
                let entry = &mut classes[class as usize];
                entry.0 = if entry.1 == 0 { seq } else { entry.0.min(seq) };
                entry.1 += 1;
                let phase = self.phase(lane.process, class, seq);
                self.phases[phase as usize] += 1;
            }
        }
        for (class, &(first, calls)) in (0..).zip(&classes) {
            if calls > 0 {
                self.count_class(class, first, calls);
            }
        }
        classes
    }

    fn count_class(&mut self, class: u32, first: u64, calls: u64) {
        let id = self.scan.class(class).function();
        let api = self.trace.function_name(id).into_owned();
        let function = self.trace.function(id);
        let base = function.map_or_else(|| api.clone(), |function| function.base.clone());
        let tally = self.functions.entry(base).or_insert_with(|| FunctionTally {
            api: api.clone(),
            phase: function.map_or(Phase::Other, phase_of),
            calls: 0,
            codes: BTreeMap::new(),
            first,
        });
        if first < tally.first {
            (tally.first, tally.api) = (first, api);
        }
        tally.calls += calls;
        if let Some(code) = self.scan.class(class).code().filter(|&code| code != 0) {
            *tally.codes.entry(code).or_default() += calls;
        }
    }

    fn read_examples(&mut self, classes: Vec<(u64, u64)>) {
        let mut wanted: Vec<u64> = (0..)
            .zip(classes)
            .filter(|&(class, (_, calls))| calls > 0 && self.is_worth_a_look(class))
            .map(|(_, (first, _))| first)
            .collect();
        wanted.sort_unstable();
        self.left_out = wanted.len().saturating_sub(MOST_EXAMPLES);
        wanted.truncate(MOST_EXAMPLES);
        let mut calls = calls_by_number(self.trace, wanted.clone());
        let examples = wanted.iter().filter_map(|seq| calls.remove(seq));
        self.examples = examples.collect();
    }

    /// Whether a class asks something, fails, or has arguments that say how a thing is made. Its copies and launches are many, and alike.
    fn is_worth_a_look(&self, class: u32) -> bool {
        let failed = self.scan.class(class).code().is_some_and(|code| code != 0);
        let function = self.function(class);
        failed
            || function.is_some_and(|function| {
                function.effects.contains(&Effect::Queries) || phase_of(function) != Phase::Work
            })
    }

    /// Calls of a process that began after one, by phase, and the functions that were called, each once, in order.
    pub fn after(&self, process: ProcessId, seq: u64) -> After {
        let mut after = After::default();
        let mut first: BTreeMap<u64, u32> = BTreeMap::new();
        let mut seen: HashMap<u32, u64> = HashMap::new();
        for lane in self
            .scan
            .lanes
            .iter()
            .filter(|lane| lane.process == process)
        {
            let from = lane.seqs.partition_point(|&other| u64::from(other) <= seq);
            for (&class, &other) in lane.classes[from..].iter().zip(&lane.seqs[from..]) {
                let other = u64::from(other);
                after.calls += 1;
                after.phases[self.phase(process, class, other) as usize] += 1;
                let function = self.scan.class(class).function().0;
                let known = seen.entry(function).or_insert(u64::MAX);
                if other < *known {
                    first.remove(known);
                    first.insert(other, class);
                    *known = other;
                }
            }
        }
        let name = |&class: &u32| {
            self.trace
                .function_name(self.scan.class(class).function())
                .into_owned()
        };
        after.functions = first.values().map(name).collect();
        after
    }
}

/// What a process did after some call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// Calls.
    pub calls: u64,
    /// Calls by phase, in the order of [`PHASES`].
    pub phases: [u64; PHASES.len()],
    /// Functions that were called, each once, in the order of their first call.
    pub functions: Vec<String>,
}

impl After {
    /// Whether the process went on to use the device.
    pub fn went_on(&self) -> bool {
        PHASES
            .iter()
            .zip(self.phases)
            .any(|(phase, calls)| phase.is_use() && calls > 0)
    }
}
