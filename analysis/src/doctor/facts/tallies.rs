//! How often each function was called, how long that took, and with which codes it failed.

use cutape_trace_format::call::{Call, FunctionId};

use crate::word_hash::WordMap;

/// Calls of one function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Calls that returned.
    pub calls: u64,
    /// The time they took, nanoseconds.
    pub total_ns: u64,
    /// Number of the first one that succeeded; 0 if none did.
    pub first_success: u64,
}

/// Failed calls of one function with one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The first one.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How many of them a rule has a word for, or are benign.
    pub explained: u64,
    /// A call of the function had succeeded before the first failure.
    pub after_success: bool,
}

/// Different failures kept of a process.
const MAX_FAILURES: usize = 4096;
/// Functions kept of a process; the API has two thousand.
const MAX_FUNCTIONS: usize = 1 << 15;

/// Calls by function.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    functions: WordMap<FunctionId, Tally>,
    failures: WordMap<(FunctionId, u32), Failure>,
}

impl Tallies {
    /// Takes in a call that returned; `code` if the function returns codes.
    pub fn add(&mut self, call: &Call, code: Option<u32>) {
        if self.functions.len() >= MAX_FUNCTIONS && !self.functions.contains_key(&call.function) {
            return;
        }
        let tally = self.functions.entry(call.function).or_default();
        tally.calls += 1;
        tally.total_ns = tally.total_ns.saturating_add(call.duration_ns.unwrap_or(0));
        match code {
            Some(0) if tally.first_success == 0 => tally.first_success = call.seq,
            Some(0) | None => {}
            Some(code) => {
                let after_success = tally.first_success != 0;
                self.add_failure(call, code, after_success);
            }
        }
    }

    fn add_failure(&mut self, call: &Call, code: u32, after_success: bool) {
        let key = (call.function, code);
        if self.failures.len() >= MAX_FAILURES && !self.failures.contains_key(&key) {
            return;
        }
        let failure = self.failures.entry(key).or_insert(Failure {
            first: call.seq,
            count: 0,
            explained: 0,
            after_success,
        });
        failure.count += 1;
    }

    /// Notes that a failed call is no riddle.
    pub fn explain(&mut self, call: &Call, code: u32) {
        if let Some(failure) = self.failures.get_mut(&(call.function, code)) {
            failure.explained += 1;
        }
    }

    /// Calls of a function.
    pub fn of(&self, function: FunctionId) -> Option<&Tally> {
        self.functions.get(&function)
    }

    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = (FunctionId, &Tally)> {
        self.functions.iter().map(|(&id, tally)| (id, tally))
    }

    /// Failures by function and code, the first one first.
    pub fn failures(&self) -> Vec<(FunctionId, u32, Failure)> {
        let mut failures: Vec<_> = self
            .failures
            .iter()
            .map(|(&(function, code), &failure)| (function, code, failure))
            .collect();
        failures.sort_by_key(|(.., failure)| failure.first);
        failures
    }
}
