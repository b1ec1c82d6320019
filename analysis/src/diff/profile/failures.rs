//! Calls that failed, and what each program did after that: the call that one tolerates and the other doesn't.

use std::collections::{BTreeMap, HashMap, HashSet};

use cutape_trace_format::call::ProcessId;

use super::program::{After, Program};
use crate::benign::BenignJudge;
use crate::outcome::{Outcome, outcome};

/// Failures that are looked at; each costs a walk through the calls behind it.
const MOST_FAILURES: usize = 32;

/// A failure of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The symbol that was called.
    pub api: String,
    /// What it returned, with its name.
    pub code: String,
    /// Number of the first call that failed so.
    pub seq: u64,
    /// What the process did after that.
    pub after: After,
}

/// A function that failed with the same code in both programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFailure {
    /// A's.
    pub a: Failure,
    /// B's.
    pub b: Failure,
}

impl SharedFailure {
    /// Whether one went on to use the device and the other didn't.
    pub fn is_told_apart(&self) -> bool {
        self.a.after.went_on() != self.b.after.went_on()
    }
}

/// What failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// In both; those first that one tolerates and the other doesn't.
    pub shared: Vec<SharedFailure>,
    /// In A alone, or with another code in B.
    pub only_a: Vec<Failure>,
    /// In B alone, or with another code in A.
    pub only_b: Vec<Failure>,
}

/// What failed in both programs and in one alone. Probes that are known to be harmless are left out.
pub(super) fn failures(a: &Program<'_>, b: &Program<'_>) -> Failures {
    let (mut of_a, mut of_b) = (failures_of(a), failures_of(b));
    let keys: Vec<_> = of_a
        .keys()
        .filter(|key| of_b.contains_key(*key))
        .cloned()
        .collect();
    let mut shared: Vec<SharedFailure> = keys
        .iter()
        .filter_map(|key| {
            let (a, b) = (of_a.remove(key)?, of_b.remove(key)?);
            Some(SharedFailure { a, b })
        })
        .collect();
    shared.sort_by_key(|failure| (!failure.is_told_apart(), failure.a.seq));
    let in_order = |failures: BTreeMap<_, Failure>| {
        let mut failures: Vec<Failure> = failures.into_values().collect();
        failures.sort_by_key(|failure| failure.seq);
        failures
    };
    Failures {
        shared,
        only_a: in_order(of_a),
        only_b: in_order(of_b),
    }
}

/// The first failure of each function and code.
fn failures_of(program: &Program<'_>) -> BTreeMap<(String, u32), Failure> {
    let schema = program.trace.schema();
    let mut judges: HashMap<ProcessId, BenignJudge> = HashMap::new();
    let mut seen = HashSet::new();
    let mut failures = BTreeMap::new();
    for call in &program.examples {
        let judge = judges.entry(call.process).or_default();
        judge.observe(schema, call);
        let Outcome::Code {
            name,
            code: code @ 1..,
        } = outcome(schema, call)
        else {
            continue;
        };
        let base = schema
            .function(call.function)
            .map_or("", |function| &function.base);
        if judge.probe(schema, call).is_some()
            || failures.len() >= MOST_FAILURES
            || !seen.insert((base, code))
        {
            continue;
        }
        let failure = Failure {
            api: program.trace.function_name(call.function).into_owned(),
            code: name.map_or_else(|| code.to_string(), |name| format!("{name} ({code})")),
            seq: call.seq,
            after: program.after(call.process, call.seq),
        };
        failures.insert((base.to_owned(), code), failure);
    }
    failures
}
