//! What a replay found: data, that the parts of this module write as text, JSON and JUnit.

pub mod collector;
mod github;
pub mod group;
mod json;
mod junit;
#[cfg(test)]
pub mod sample;
mod text;
mod xml;

pub use github::github_summary;
pub use json::{JSON_SCHEMA, JSON_VERSION, json};
pub use junit::{JunitBy, junit};
pub use text::{Look, text};

use std::path::PathBuf;

use crate::divergence::Divergence;
use crate::not_compared::NotCompared;
use crate::skip::SkipReason;
use crate::verdict::{Tally, Verdict};

/// What was found in a suite of traces.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The driver under test as the user named it.
    pub driver: String,
    /// One for each trace, in the order given.
    pub traces: Vec<TraceReport>,
    /// Entries of the policy that applied to nothing, as text for people: line and what it says.
    pub unused_policy: Vec<String>,
}

impl Report {
    /// Calls by verdict, all traces together.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.traces
            .iter()
            .for_each(|trace| all.add_all(&trace.tally()));
        all
    }

    /// Whether the driver answered all that was recorded as well as the recorded one, or better, apart from what a policy expects.
    pub fn conforms(&self) -> bool {
        self.traces.iter().all(TraceReport::conforms)
    }

    /// Whether something kept the replay from being complete.
    pub fn has_trouble(&self) -> bool {
        self.traces.iter().any(|trace| !trace.troubles.is_empty())
    }
}

/// What was found in one trace.
#[derive(Clone, Debug, Default)]
pub struct TraceReport {
    /// The trace.
    pub trace: PathBuf,
    /// Its processes, in the order of the trace.
    pub processes: Vec<ProcessReport>,
    /// Calls by function, in the order of each one's first call.
    pub functions: Vec<FunctionTally>,
    /// Divergences in the order of call numbers. Of many that are alike, the first few; [`Self::omitted`] counts the others.
    pub divergences: Vec<Divergence>,
    /// Divergences that are counted and not listed.
    pub omitted: u64,
    /// Divergences that count against the driver: see [`Divergence::is_reproach`].
    pub reproaches: u64,
    /// Divergences that the policy expects.
    pub expected: u64,
    /// Of these, calls that were not played.
    pub expected_skips: u64,
    /// Calls that were not played, by reason and function.
    pub skips: Vec<SkipTally>,
    /// Copies whose data was not compared, by reason and function.
    pub not_compared: Vec<NotComparedTally>,
    /// How many calls follow from each cause: call number of the cause, and number of consequences; by call number.
    pub consequences: Vec<(u64, u64)>,
    /// What became of each call, if asked for.
    pub calls: Option<CallVerdicts>,
    /// What kept the replay from being complete: damage in the trace, a process that could not be started.
    pub troubles: Vec<String>,
    /// How long it took, nanoseconds.
    pub wall_ns: u64,
}

impl TraceReport {
    /// Calls by verdict.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.functions
            .iter()
            .for_each(|function| all.add_all(&function.tally));
        all
    }

    /// See [`Report::conforms`].
    pub fn conforms(&self) -> bool {
        self.reproaches == 0
    }

    /// How many calls follow from the divergence of that call.
    pub fn consequences_of(&self, seq: u64) -> u64 {
        self.consequences
            .binary_search_by_key(&seq, |&(cause, _)| cause)
            .map_or(0, |place| self.consequences[place].1)
    }

    /// The first divergence that counts against the driver; where there is none, the first one that is not a consequence.
    pub fn first(&self) -> Option<&Divergence> {
        let reproach = self.divergences.iter().find(|one| one.is_reproach());
        reproach.or_else(|| {
            self.divergences
                .iter()
                .find(|one| one.cause.is_none() && one.verdict != Verdict::Skipped)
        })
    }
}

/// How a process of a trace was played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessReport {
    /// Process id when it was recorded.
    pub pid: u32,
    /// Calls of it in the trace.
    pub calls: u64,
    /// Times that the driver ended the process that played it, or had to be stopped.
    pub deaths: u32,
    /// Times that the driver called a function of the program back; a stand-in was there.
    pub called_back: u64,
    /// What the driver printed to standard output and error, cut after some kilobytes.
    pub printed: String,
    /// What the processes that played it have used.
    pub player: PlayerUsage,
}

/// What playing processes have used, as far as the system told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayerUsage {
    /// Processor time, nanoseconds.
    pub cpu_ns: u64,
    /// Largest resident memory of one, bytes; what it shares with the judge included.
    pub resident_bytes: u64,
}

impl PlayerUsage {
    /// One more process.
    pub fn add(&mut self, other: Self) {
        self.cpu_ns = self.cpu_ns.saturating_add(other.cpu_ns);
        self.resident_bytes = self.resident_bytes.max(other.resident_bytes);
    }
}

/// The calls of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionTally {
    /// The function's exported name.
    pub function: String,
    /// Its calls by verdict.
    pub tally: Tally,
    /// How many of them count against the driver.
    pub reproaches: u64,
    /// How long its calls that were timed in both took when they were recorded, nanoseconds.
    pub recorded_ns: u64,
    /// How long they took on the driver under test.
    pub replayed_ns: u64,
}

/// Calls of one function that were not played for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipTally {
    /// Why.
    pub reason: SkipReason,
    /// The function's exported name.
    pub function: String,
    /// How many.
    pub calls: u64,
}

/// Copies by one function whose data was not compared for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotComparedTally {
    /// Why.
    pub reason: NotCompared,
    /// The function's exported name.
    pub function: String,
    /// How many.
    pub calls: u64,
}

/// What became of each call: some bytes a call.
#[derive(Clone, Debug, Default)]
pub struct CallVerdicts {
    /// Numbers of the calls, rising.
    pub seqs: Vec<u64>,
    /// The function of each, a place in [`TraceReport::functions`].
    pub functions: Vec<u32>,
    /// The verdict of each.
    pub verdicts: Vec<Verdict>,
}
