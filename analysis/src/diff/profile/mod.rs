//! Comparing two programs: what each asks and is answered, what each calls, and what each does when a call fails.

mod answers;
mod arguments;
mod failures;
mod phase;
mod program;

pub use answers::AnswerDifference;
pub use arguments::ArgumentDifference;
pub use failures::{Failure, Failures, SharedFailure};
pub use phase::{PHASES, Phase, gives_back, phase_of};
pub use program::{After, FunctionTally};

use std::collections::BTreeSet;

use cutape_trace_format::trace::Trace;

use self::program::Program;
use super::scan::Scan;

/// Two programs side by side.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What the programs are known as: `PyTorch`, `GGML`, or a file name.
    pub names: (String, String),
    /// Calls by phase, in the order of [`PHASES`].
    pub phases: ([u64; PHASES.len()], [u64; PHASES.len()]),
    /// What failed, and what happened then.
    pub failures: Failures,
    /// Questions that were answered differently.
    pub answers: Vec<AnswerDifference>,
    /// Functions of which one program's calls all succeed and some of the other's fail.
    pub outcomes: Vec<OutcomeDifference>,
    /// All functions by base name, with what A and what B did with them.
    pub functions: Vec<(String, Option<FunctionTally>, Option<FunctionTally>)>,
    /// Functions that A alone calls, by phase and first call.
    pub only_a: Vec<FunctionTally>,
    /// Functions that B alone calls.
    pub only_b: Vec<FunctionTally>,
    /// Arguments that differ in kind.
    pub arguments: Vec<ArgumentDifference>,
    /// Kinds of calls that were not looked at, because there are too many.
    pub left_out: usize,
}

/// A function that succeeds in one program and fails in the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeDifference {
    /// In A.
    pub a: FunctionTally,
    /// In B.
    pub b: FunctionTally,
}

impl Profile {
    /// Compares two programs.
    pub(crate) fn of(a: (&Trace, &Scan), b: (&Trace, &Scan)) -> Self {
        let (a, b) = (Program::of(a.0, a.1), Program::of(b.0, b.1));
        Self {
            failures: failures::failures(&a, &b),
            answers: answers::different_answers(&a, &b),
            outcomes: different_outcomes(&a, &b),
            functions: all_functions(&a, &b),
            only_a: only(&a, &b),
            only_b: only(&b, &a),
            arguments: arguments::different_arguments(&a, &b),
            left_out: a.left_out + b.left_out,
            phases: (a.phases, b.phases),
            names: (a.name, b.name),
        }
    }

    /// Whether anything differs but numbers of calls.
    pub fn differs(&self) -> bool {
        !(self.answers.is_empty()
            && self.outcomes.is_empty()
            && self.only_a.is_empty()
            && self.only_b.is_empty()
            && self.arguments.is_empty()
            && self.failures.only_a.is_empty()
            && self.failures.only_b.is_empty()
            && !self
                .failures
                .shared
                .iter()
                .any(SharedFailure::is_told_apart))
    }
}

fn all_functions(
    a: &Program<'_>,
    b: &Program<'_>,
) -> Vec<(String, Option<FunctionTally>, Option<FunctionTally>)> {
    let names: BTreeSet<&String> = a.functions.keys().chain(b.functions.keys()).collect();
    let of = |program: &Program<'_>, base: &String| program.functions.get(base).cloned();
    names
        .into_iter()
        .map(|base| (base.clone(), of(a, base), of(b, base)))
        .collect()
}

/// Functions that one program calls and the other doesn't.
fn only(program: &Program<'_>, other: &Program<'_>) -> Vec<FunctionTally> {
    let functions = program.functions.iter();
    let mut only: Vec<FunctionTally> = functions
        .filter(|(base, _)| !other.functions.contains_key(*base))
        .map(|(_, tally)| tally.clone())
        .collect();
    only.sort_by_key(|tally| (tally.phase, tally.first));
    only
}

fn different_outcomes(a: &Program<'_>, b: &Program<'_>) -> Vec<OutcomeDifference> {
    let functions = a.functions.iter();
    let mut found: Vec<OutcomeDifference> = functions
        .filter_map(|(base, tally)| Some((tally, b.functions.get(base)?)))
        .filter(|(a, b)| a.codes.is_empty() != b.codes.is_empty())
        .map(|(a, b)| OutcomeDifference {
            a: a.clone(),
            b: b.clone(),
        })
        .collect();
    found.sort_by_key(|difference| difference.a.first);
    found
}
