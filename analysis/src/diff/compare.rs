//! Comparing two traces: which way, what came out, and what could not be compared.

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::trace::Trace;

use super::budget::Budget;
use super::choice::{Choice, Mode, choose};
use super::profile::Profile;
use super::scan::Scan;
use super::sequence::Sequence;
use super::watch::{DiffError, Report, Watch};
use crate::filter::Filter;
use crate::parallel::both;

/// Steps of aligning that take about a second.
const USUAL_STEPS: u64 = 400_000_000;

/// How to compare.
pub struct Options<'a> {
    /// Which way; nothing for the one that fits.
    pub mode: Option<Mode>,
    /// Which calls are left out.
    pub ignore: Option<&'a Filter>,
    /// Steps that aligning may take; nothing for as many as it needs.
    pub steps: Option<u64>,
    /// Is told how far it is, and may stop it.
    pub report: Report<'a>,
}

impl Options<'_> {
    /// The way that fits, nothing left out, at most about a second of aligning.
    pub fn usual() -> Self {
        Self {
            mode: None,
            ignore: None,
            steps: Some(USUAL_STEPS),
            report: &|_, _| true,
        }
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No difference but time.
    Same,
    /// The runs differ.
    Differ,
    /// What is on record is the same, or differs only by calls that the other recording lost.
    Unknown,
}

impl Verdict {
    /// In one word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differ => "differ",
            Self::Unknown => "unknown",
        }
    }
}

/// What one side's recording has and lacks.
#[derive(Clone, Debug, Default)]
pub struct SideCounts {
    /// Calls that were read.
    pub calls: u64,
    /// Calls left out because the user asked for it.
    pub ignored: u64,
    /// Calls left out because they ask whether work is done, and were answered yes or no.
    pub readiness: u64,
    /// Calls that are known to be missing.
    pub lost: u64,
    /// Of these, how many nobody knows the place of.
    pub lost_somewhere: u64,
    /// What could not be read while comparing, the first thousand. What was met when the trace was opened is in [`Trace::damages`].
    pub damages: Vec<Damage>,
}

/// Two traces compared.
#[derive(Debug)]
pub struct Comparison {
    /// Which way they were compared, and why.
    pub choice: Choice,
    /// Counts of A.
    pub a: SideCounts,
    /// Counts of B.
    pub b: SideCounts,
    /// How the programs ended, if that differs: A's, then B's.
    pub ends: Option<(String, String)>,
    /// What came out, in detail.
    pub outcome: Outcome,
}

/// What came out, in detail.
#[derive(Debug)]
pub enum Outcome {
    /// Call by call.
    Sequence(Box<Sequence>),
    /// What is asked and answered.
    Profile(Box<Profile>),
}

impl Comparison {
    /// Whether the search for the shortest list of differences was cut short.
    pub fn is_approximate(&self) -> bool {
        matches!(&self.outcome, Outcome::Sequence(sequence) if sequence.approximate)
    }

    /// Compares two traces. Reads both at the same time, in two threads.
    ///
    /// # Errors
    /// It was stopped, or a trace is too long.
    pub fn of(a: &Trace, b: &Trace, options: Options<'_>) -> Result<Self, DiffError> {
        let Options {
            mode,
            ignore,
            steps,
            report,
        } = options;
        let watch = Watch::of_comparison(report, a.call_count() + b.call_count());
        let (scan_a, scan_b) = both(
            || Scan::of(a, ignore, &watch),
            || Scan::of(b, ignore, &watch),
        );
        let (scan_a, scan_b) = (scan_a?, scan_b?);
        watch.look()?;
        let counts = (side_counts(a, &scan_a), side_counts(b, &scan_b));
        let choice = choose(mode, (a, &scan_a), (b, &scan_b));
        let outcome = match choice.mode {
            Mode::Sequence => {
                let steps = steps.unwrap_or(u64::MAX);
                let sequence =
                    Sequence::of((a, b), (scan_a, scan_b), Budget::steps(steps, &watch))?;
                Outcome::Sequence(Box::new(sequence))
            }
            Mode::Profile => Outcome::Profile(Box::new(Profile::of((a, &scan_a), (b, &scan_b)))),
        };
        Ok(Self {
            choice,
            a: counts.0,
            b: counts.1,
            ends: ends(a, b),
            outcome,
        })
    }

    /// What came out.
    pub fn verdict(&self) -> Verdict {
        let lossy = self.a.lost > 0 || self.b.lost > 0 || self.is_damaged();
        let differs = match &self.outcome {
            Outcome::Profile(profile) => profile.differs(),
            Outcome::Sequence(sequence) => {
                let counts = &sequence.counts;
                counts.changed > 0
                    || counts.only_a > self.b.lost_somewhere
                    || counts.only_b > self.a.lost_somewhere
            }
        };
        match (differs || self.ends.is_some(), lossy) {
            (true, _) => Verdict::Differ,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Same,
        }
    }

    /// Whether something could not be read while comparing.
    pub fn is_damaged(&self) -> bool {
        !self.a.damages.is_empty() || !self.b.damages.is_empty()
    }
}

fn side_counts(trace: &Trace, scan: &Scan) -> SideCounts {
    let losses = trace.losses();
    let mut somewhere = losses
        .dropped
        .saturating_add(losses.without_ring)
        .saturating_add(losses.damaged);
    if trace
        .damages()
        .iter()
        .any(|damage| damage.lost_calls.is_none())
        && !trace.damages().is_empty()
    {
        // Damage of which nobody knows how many calls it took.
        somewhere = u64::MAX;
    }
    let holes = scan.holes.iter().filter_map(|hole| hole.calls);
    SideCounts {
        calls: scan.calls,
        ignored: scan.ignored,
        readiness: scan.readiness,
        lost: holes.fold(somewhere, u64::saturating_add),
        lost_somewhere: somewhere,
        damages: scan.damages.clone(),
    }
}

/// How the programs ended, if both traces say it and it differs.
fn ends(a: &Trace, b: &Trace) -> Option<(String, String)> {
    let end = |trace: &Trace| {
        let exit = trace.exit()?;
        match (exit.code, exit.signal) {
            (Some(code), _) => Some(format!("exit code {code}")),
            (None, Some(signal)) => Some(format!("killed by signal {signal}")),
            (None, None) => None,
        }
    };
    let ends = (end(a)?, end(b)?);
    (ends.0 != ends.1).then_some(ends)
}
