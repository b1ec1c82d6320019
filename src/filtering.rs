//! Which calls a command is about: all, or those that `-e` chooses.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use cutape_analysis::filter::{Filter, Matcher, Selection};
use cutape_analysis::index::Index;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::progress::Progress;

/// Reads the value of `-e`.
///
/// # Errors
/// The message, with the place of the mistake.
pub fn parse(text: &str) -> Result<Filter, String> {
    Filter::parse(text).map_err(|error| format!("-e: {error}"))
}

/// The calls of a trace that a filter means, found on all processors.
pub fn select(filter: &Filter, trace: &Trace) -> Selection {
    let all = trace.call_count();
    let mut progress = Progress::new("reading");
    let index = Index::build(trace, &mut |index| {
        progress.show(index.len(), all);
        ControlFlow::Continue(())
    });
    let mut progress = Progress::new("filtering");
    let selection = filter.select(trace, &index, &mut |done| {
        progress.show(done, all);
        ControlFlow::Continue(())
    });
    // There is none only where the work was broken off, and nobody did.
    selection.unwrap_or_default()
}

/// Chooses calls one after the other.
pub struct Choice<'f> {
    chosen: Chosen<'f>,
    /// Those that may still be chosen.
    left: u64,
}

enum Chosen<'f> {
    Numbers(Range<u64>),
    Selection(Selection, u64),
    Matching(Matcher<'f>),
}

impl<'f> Choice<'f> {
    /// Calls with these numbers.
    pub fn numbers(numbers: Range<u64>) -> Self {
        Self {
            chosen: Chosen::Numbers(numbers),
            left: u64::MAX,
        }
    }

    /// Calls of a selection.
    pub fn selection(selection: Selection) -> Self {
        Self {
            left: selection.count(),
            chosen: Chosen::Selection(selection, 1),
        }
    }

    /// Calls that a filter means.
    pub fn matching(filter: &'f Filter) -> Self {
        Self {
            chosen: Chosen::Matching(Matcher::new(filter)),
            left: u64::MAX,
        }
    }

    /// The first `calls` of them.
    pub fn first(self, calls: u64) -> Self {
        Self {
            left: self.left.min(calls),
            ..self
        }
    }

    /// The last `calls` of a selection.
    pub fn last(self, calls: u64) -> Self {
        match self.chosen {
            Chosen::Selection(selection, _) => {
                let before = selection.count().saturating_sub(calls);
                let first = selection.nth(before).unwrap_or(u64::MAX);
                Self {
                    left: selection.count() - before,
                    chosen: Chosen::Selection(selection, first),
                }
            }
            chosen => Self { chosen, ..self },
        }
    }

    /// No call with a lower number is chosen, nor has to be seen.
    pub fn first_seq(&self) -> u64 {
        match &self.chosen {
            Chosen::Numbers(numbers) => numbers.start,
            Chosen::Selection(selection, first) => {
                selection.iter_from(*first).next().unwrap_or(u64::MAX)
            }
            Chosen::Matching(_) => 1,
        }
    }

    /// Whether no call behind that number is chosen.
    pub fn is_over(&self, seq: u64) -> bool {
        match &self.chosen {
            Chosen::Numbers(numbers) => seq.saturating_add(1) >= numbers.end,
            Chosen::Selection(..) | Chosen::Matching(_) => self.left == 0,
        }
    }

    /// Whether the next call is chosen.
    pub fn takes(&mut self, trace: &Trace, call: &Call) -> bool {
        let taken = match &mut self.chosen {
            Chosen::Numbers(numbers) => numbers.contains(&call.seq),
            Chosen::Selection(selection, first) => {
                call.seq >= *first && selection.contains(call.seq)
            }
            Chosen::Matching(matcher) => matcher.matches(trace, call),
        };
        self.left -= u64::from(taken);
        taken
    }
}

/// Which of the last calls of a recording a filter means, when the recording has become another trace meanwhile.
pub fn matches_in(trace: &Trace, calls: &[Call], matcher: &mut Matcher<'_>) -> Vec<bool> {
    matcher.restart();
    if !matcher.needs_all_calls() {
        return calls.iter().map(|call| matcher.matches(trace, call)).collect();
    }
    // What the filter says of them depends on calls before, whose objects have other numbers in this trace.
    let places: HashMap<_, _> = (0..)
        .zip(calls)
        .map(|(place, call)| ((call.thread, call.begin_ns, call.function), place))
        .collect();
    let mut matches = vec![false; calls.len()];
    for call in trace.calls().flatten() {
        let matching = matcher.matches(trace, &call);
        let key = (call.thread, call.begin_ns, call.function);
        if let Some(&place) = places.get(&key) {
            let place: usize = place;
            matches[place] = matching;
        }
    }
    matches
}
