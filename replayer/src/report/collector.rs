//! Fills a [`TraceReport`] call by call, in memory that does not grow with the trace.

use std::collections::HashMap;

use crate::divergence::Divergence;
use crate::expectations::Expectations;
use crate::not_compared::NotCompared;
use crate::report::{CallVerdicts, FunctionTally, NotComparedTally, SkipTally, TraceReport};
use crate::skip::SkipReason;
use crate::verdict::Verdict;

/// Divergences of one kind (function, verdict, codes, arguments, reason, cause or none) that are listed; more are counted.
const LISTED_OF_A_KIND: u32 = 20;
/// Divergences that are listed in all.
const LISTED: usize = 20_000;
/// Causes whose consequences are counted one by one.
const MAX_CAUSES: usize = 20_000;

/// What makes divergences alike.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    function: u32,
    verdict: Verdict,
    codes: Option<(u32, u32)>,
    arguments: Vec<String>,
    skipped: Option<SkipReason>,
    is_consequence: bool,
}

/// A call of which only the verdict and the times count.
#[derive(Clone, Copy, Debug)]
pub struct PlainCall<'a> {
    /// Its number in the trace.
    pub seq: u64,
    /// The function's exported name.
    pub function: &'a str,
    /// A number for the function, the same for all its calls.
    pub function_number: u32,
    /// How long it took when it was recorded, nanoseconds.
    pub recorded_ns: Option<u64>,
    /// How long it took on the driver under test.
    pub replayed_ns: Option<u64>,
}

/// Fills a report. Calls come in any order; divergences best in the order of their numbers.
#[derive(Debug, Default)]
pub struct Collector {
    report: TraceReport,
    /// Place in the report of each function number.
    places: Vec<Option<u32>>,
    kinds: HashMap<Kind, u32>,
    skips: HashMap<(SkipReason, u32), u64>,
    causes: HashMap<u64, u64>,
    not_compared: HashMap<(NotCompared, u32), u64>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}", self.function, self.verdict)
    }
}

impl Collector {
    /// For one trace; `with_calls` keeps what became of each call.
    pub fn new(report: TraceReport, with_calls: bool) -> Self {
        Self {
            report: TraceReport {
                calls: with_calls.then(CallVerdicts::default),
                ..report
            },
            ..Self::default()
        }
    }

    /// A call that answered as recorded.
    #[inline]
    pub fn same(&mut self, call: &PlainCall<'_>) {
        self.count(call, Verdict::Same, false);
    }

    /// A call that did not.
    pub fn diverged(
        &mut self,
        call: &PlainCall<'_>,
        mut divergence: Divergence,
        expectations: &mut dyn Expectations,
    ) {
        if divergence.cause.is_none() {
            divergence.expected = expectations.reason(&divergence);
        }
        let is_reproach = divergence.is_reproach();
        self.report.reproaches += u64::from(is_reproach);
        self.report.expected += u64::from(divergence.expected.is_some());
        if divergence.verdict == Verdict::Skipped && divergence.expected.is_some() {
            self.report.expected_skips += 1;
        }
        let function = self.count(call, divergence.verdict, is_reproach);
        if let Some(reason) = divergence.skipped {
            *self.skips.entry((reason, function)).or_default() += 1;
        }
        if let Some(cause) = divergence.cause
            && (self.causes.len() < MAX_CAUSES || self.causes.contains_key(&cause))
        {
            *self.causes.entry(cause).or_default() += 1;
        }
        if self.is_to_be_listed(function, &divergence) {
            self.report.divergences.push(divergence);
        } else {
            self.report.omitted += 1;
        }
    }

    fn is_to_be_listed(&mut self, function: u32, divergence: &Divergence) -> bool {
        if self.report.divergences.len() >= LISTED {
            return false;
        }
        let kind = Kind {
            function,
            verdict: divergence.verdict,
            codes: divergence.codes(),
            arguments: divergence.arguments().map(str::to_owned).collect(),
            skipped: divergence.skipped,
            is_consequence: divergence.cause.is_some(),
        };
        let listed = self.kinds.entry(kind).or_default();
        *listed += 1;
        *listed <= LISTED_OF_A_KIND
    }

    /// The place of the call's function in the report.
    #[inline]
    fn count(&mut self, call: &PlainCall<'_>, verdict: Verdict, is_reproach: bool) -> u32 {
        let place = self.place(call);
        let function = &mut self.report.functions[place as usize];
        function.tally.add(verdict);
        function.reproaches += u64::from(is_reproach);
        if let (Some(recorded), Some(replayed)) = (call.recorded_ns, call.replayed_ns) {
            function.recorded_ns = function.recorded_ns.saturating_add(recorded);
            function.replayed_ns = function.replayed_ns.saturating_add(replayed);
        }
        if let Some(calls) = &mut self.report.calls {
            calls.seqs.push(call.seq);
            calls.functions.push(place);
            calls.verdicts.push(verdict);
        }
        place
    }

    #[inline]
    fn place(&mut self, call: &PlainCall<'_>) -> u32 {
        let number = call.function_number as usize;
        if let Some(Some(place)) = self.places.get(number) {
            return *place;
        }
        let place = self.report.functions.len() as u32;
        self.report.functions.push(FunctionTally {
            function: call.function.to_owned(),
            ..FunctionTally::default()
        });
        if self.places.len() <= number {
            self.places.resize(number + 1, None);
        }
        self.places[number] = Some(place);
        place
    }

    /// What a call has brought to the host was not compared.
    pub fn not_compared(&mut self, call: &PlainCall<'_>, why: NotCompared) {
        let function = self.place(call);
        *self.not_compared.entry((why, function)).or_default() += 1;
    }

    /// What kept the replay from being complete.
    pub fn trouble(&mut self, what: impl Into<String>) {
        self.report.troubles.push(what.into());
    }

    /// The report, so far as it has come; processes are added here.
    pub fn report_mut(&mut self) -> &mut TraceReport {
        &mut self.report
    }

    /// The report.
    pub fn finish(self) -> TraceReport {
        let mut report = self.report;
        report.divergences.sort_by_key(|one| one.call.seq);
        let name = |place: u32| report.functions[place as usize].function.clone();
        report.skips = self
            .skips
            .into_iter()
            .map(|((reason, function), calls)| SkipTally {
                reason,
                function: name(function),
                calls,
            })
            .collect();
        report.skips.sort_by(|left, right| {
            (left.reason, &left.function).cmp(&(right.reason, &right.function))
        });
        report.not_compared = self
            .not_compared
            .into_iter()
            .map(|((reason, function), calls)| NotComparedTally {
                reason,
                function: name(function),
                calls,
            })
            .collect();
        report.not_compared.sort_by(|left, right| {
            (left.reason, &left.function).cmp(&(right.reason, &right.function))
        });
        report.consequences = self.causes.into_iter().collect();
        report.consequences.sort_unstable();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;
    use crate::divergence::PlayedCall;
    use crate::expectations::NothingExpected;

    fn plain(seq: u64) -> PlainCall<'static> {
        PlainCall {
            seq,
            function: "cuInit",
            function_number: 3,
            recorded_ns: Some(5),
            replayed_ns: Some(7),
        }
    }

    fn divergence(seq: u64, verdict: Verdict, cause: Option<u64>) -> Divergence {
        Divergence {
            call: PlayedCall {
                seq,
                function: "cuInit".to_owned(),
                ..PlayedCall::default()
            },
            verdict,
            recorded: Answer::default(),
            replayed: None,
            differences: Vec::new(),
            skipped: (verdict == Verdict::Skipped).then_some(SkipReason::Consequence),
            detail: None,
            cause,
            expected: None,
        }
    }

    #[test]
    fn many_alike_are_counted_and_a_few_listed() {
        let mut collector = Collector::new(TraceReport::default(), true);
        collector.same(&plain(1));
        for seq in 2..102 {
            let one = divergence(seq, Verdict::Regressed, None);
            collector.diverged(&plain(seq), one, &mut NothingExpected);
        }
        collector.diverged(
            &plain(102),
            divergence(102, Verdict::Skipped, Some(2)),
            &mut NothingExpected,
        );
        let report = collector.finish();
        assert_eq!(report.divergences.len(), LISTED_OF_A_KIND as usize + 1);
        assert_eq!(report.omitted, 100 - u64::from(LISTED_OF_A_KIND));
        assert_eq!(report.reproaches, 100);
        assert_eq!(report.tally().total(), 102);
        assert_eq!(report.consequences_of(2), 1);
        assert_eq!(
            report.calls.as_ref().map(|calls| calls.seqs.len()),
            Some(102)
        );
        assert_eq!(report.functions[0].recorded_ns, 510);
        assert!(!report.conforms());
        assert_eq!(report.skips.len(), 1);
    }

    #[test]
    fn what_is_expected_is_no_reproach() {
        struct All;
        impl Expectations for All {
            fn reason(&mut self, _: &Divergence) -> Option<String> {
                Some("known".to_owned())
            }
        }
        let mut collector = Collector::new(TraceReport::default(), false);
        let one = divergence(1, Verdict::Regressed, None);
        collector.diverged(&plain(1), one, &mut All);
        let report = collector.finish();
        assert!(report.conforms());
        assert_eq!(report.expected, 1);
    }
}
