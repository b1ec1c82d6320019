//! One expected difference.

use chrono::NaiveDate;
use cutape_call_choice::pattern::fits;

use crate::answer::Part;
use crate::divergence::Divergence;
use crate::skip::SkipReason;
use crate::verdict::Verdict;

/// What an entry without a verdict expects. Crashes, hangs, missing functions and calls that were not played must be named: nobody means
/// them when they write that an answer may differ.
const UNLESS_NAMED: [Verdict; 3] = [Verdict::Changed, Verdict::Regressed, Verdict::Slower];

/// One expected difference.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Where it stands in the file.
    pub line: usize,
    /// Exported names, or patterns with `*`.
    pub functions: Vec<String>,
    /// Verdicts, if they are named.
    pub verdicts: Vec<Verdict>,
    /// Why a call was not played, if that is named.
    pub skipped: Vec<SkipReason>,
    /// The recorded code.
    pub recorded: Option<u32>,
    /// The code that the driver under test answers.
    pub replayed: Option<u32>,
    /// Arguments that may differ; nothing else then may, apart from the codes that are named.
    pub arguments: Option<Vec<String>>,
    /// Why this is all right.
    pub reason: String,
    /// The last day on which it applies.
    pub until: Option<NaiveDate>,
    /// Divergences that it matched.
    pub matched: u64,
}

impl Entry {
    /// Whether it speaks of this divergence.
    pub fn matches(&self, divergence: &Divergence) -> bool {
        let function = &divergence.call.function;
        self.functions.iter().any(|pattern| fits(pattern, function))
            && self.expects_verdict(divergence.verdict)
            && (self.skipped.is_empty()
                || divergence
                    .skipped
                    .is_some_and(|reason| self.skipped.contains(&reason)))
            && self.expects_codes(divergence)
            && self.expects_arguments(divergence)
    }

    fn expects_verdict(&self, verdict: Verdict) -> bool {
        if self.verdicts.is_empty() && self.skipped.is_empty() {
            UNLESS_NAMED.contains(&verdict)
        } else if self.verdicts.is_empty() {
            verdict == Verdict::Skipped
        } else {
            self.verdicts.contains(&verdict)
        }
    }

    fn names_codes(&self) -> bool {
        self.recorded.is_some() || self.replayed.is_some()
    }

    fn expects_codes(&self, divergence: &Divergence) -> bool {
        let is = |wanted: Option<u32>, code: Option<u32>| wanted.is_none() || wanted == code;
        let replayed = divergence.replayed.as_ref();
        is(self.recorded, divergence.recorded.code_number())
            && is(
                self.replayed,
                replayed.and_then(|answer| answer.code_number()),
            )
    }

    fn expects_arguments(&self, divergence: &Divergence) -> bool {
        let Some(arguments) = &self.arguments else {
            return true;
        };
        divergence
            .differences
            .iter()
            .all(|difference| match &difference.part {
                Part::Returned => self.names_codes(),
                Part::Argument(name) => arguments.iter().any(|pattern| fits(pattern, name)),
            })
    }

    /// Whether its date has passed.
    pub fn is_expired(&self, today: NaiveDate) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    /// What is to be said of it after a run: that it applied to nothing, or is past its date.
    pub fn unused(&self, today: NaiveDate) -> Option<String> {
        let functions = self.functions.join(", ");
        let (line, reason) = (self.line, &self.reason);
        match self.until.filter(|_| self.is_expired(today)) {
            Some(until) => {
                let calls = match self.matched {
                    1 => "1 call".to_owned(),
                    number => format!("{number} calls"),
                };
                Some(format!(
                    "{line}: {functions}: expired after {until} and would apply to {calls}: {reason:?}"
                ))
            }
            None => (self.matched == 0).then(|| format!("{line}: {functions}: {reason:?}")),
        }
    }
}
