//! A call that did not answer as recorded.

use std::fmt::Write as _;

use crate::answer::{Answer, Difference, Part};
use crate::skip::SkipReason;
use crate::verdict::Verdict;

/// Which call of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayedCall {
    /// Its number in the trace.
    pub seq: u64,
    /// Process id when it was recorded.
    pub pid: u32,
    /// Kernel thread id when it was recorded.
    pub tid: u32,
    /// The function's exported name.
    pub function: String,
    /// The call with its recorded answer, as `cutape print` shows it.
    pub text: String,
}

/// A call whose verdict is other than [`Verdict::Same`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Which call.
    pub call: PlayedCall,
    /// What became of it.
    pub verdict: Verdict,
    /// What it answered when it was recorded.
    pub recorded: Answer,
    /// What the driver under test answered; `None` if the call was not played or did not return.
    pub replayed: Option<Answer>,
    /// The parts of the answer that differ; what is returned comes first.
    pub differences: Vec<Difference>,
    /// Why it was not played.
    pub skipped: Option<SkipReason>,
    /// More about it for people: which signal, which handle, what to do.
    pub detail: Option<String>,
    /// The call whose divergence this one follows from: never itself a consequence.
    pub cause: Option<u64>,
    /// The reason that a policy gives for expecting it.
    pub expected: Option<String>,
}

impl Divergence {
    /// Whether it makes the driver one that does not conform: it is neither expected nor a consequence of something that is reported by
    /// itself.
    pub fn is_reproach(&self) -> bool {
        let by_itself =
            self.verdict.is_reproach() || self.skipped.is_some_and(SkipReason::is_reproach);
        by_itself && self.expected.is_none() && self.cause.is_none()
    }

    /// The recorded and the replayed code, where they differ.
    pub fn codes(&self) -> Option<(u32, u32)> {
        let recorded = self.recorded.code_number()?;
        let replayed = self.replayed.as_ref()?.code_number()?;
        (recorded != replayed).then_some((recorded, replayed))
    }

    /// Names of the arguments whose values differ.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.differences
            .iter()
            .filter_map(|difference| difference.part.argument())
    }

    /// One line: `fixed: #41 cuMemGetInfo_v2 3 -> 0, free 0 -> 78 GiB`.
    pub fn headline(&self) -> String {
        let mut line = format!(
            "{}: #{} {}",
            self.verdict.name(),
            self.call.seq,
            self.call.function
        );
        let mut separator = " ";
        for difference in &self.differences {
            // Writing to a string can't fail.
            let _ = match &difference.part {
                Part::Returned => write!(line, "{separator}{}", difference.brief),
                Part::Argument(name) => write!(line, "{separator}{name} {}", difference.brief),
            };
            separator = ", ";
        }
        if let Some(detail) = &self.detail {
            let _ = write!(line, ": {detail}");
        } else if let Some(reason) = self.skipped {
            let _ = write!(line, ": {}", reason.why());
        }
        line
    }
}
