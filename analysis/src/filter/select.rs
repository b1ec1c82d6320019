//! All calls of a trace that a filter means.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use cutape_trace_format::call::{Call, FunctionId};
use cutape_trace_format::ordered_blocks::OrderedCalls;
use cutape_trace_format::trace::Trace;

use super::answers::KindAnswers;
use super::field::Field;
use super::matcher::{Evaluator, Matcher, RowFacts, ThreadClocks};
use super::plan::{FunctionPlan, Source};
use super::selection::Selection;
use super::syntax::Test;
use super::{Filter, Level};
use crate::in_order::{Next, for_each_call};
use crate::index::{CallKind, Chunk, Index, Part};
use crate::objects::ObjectTracker;
use crate::parallel::{map_all, workers};

/// Calls after which progress is told where they are read one after the other.
const PROGRESS_CALLS: u64 = 1 << 15;

impl Filter {
    /// The calls of an index that the filter means. What columns decide takes nanoseconds a call, arguments a microsecond, and objects and
    /// kernels need all calls read in order. `watch` is told how many calls are done, and ends the work with [`ControlFlow::Break`]; there is
    /// no selection then.
    pub fn select(
        &self,
        trace: &Trace,
        index: &Index,
        watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Option<Selection> {
        let in_order = match self.level() {
            Level::Kind | Level::Row => false,
            Level::Call => trace.ordered_blocks().is_none(),
            Level::Objects => true,
        };
        if in_order {
            self.select_in_order(trace, index, watch)
        } else {
            self.select_by_columns(trace, &index.packed(), watch)
        }
    }

    fn select_in_order(
        &self,
        trace: &Trace,
        index: &Index,
        watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Option<Selection> {
        let mut selection = Selection::none_of(index.len());
        let mut matcher = Matcher::new(self);
        let mut stopped = false;
        let needed = self.needed_arguments(trace);
        let needs_arguments =
            |function: FunctionId| needed.get(function.0 as usize) != Some(&false);
        // Whether it broke off early is known from `stopped`.
        let _ = for_each_call(trace, needs_arguments, |next| {
            // The index has told of damage.
            let Next::Call(call) = next else {
                return ControlFlow::Continue(());
            };
            if call.seq > index.len() {
                return ControlFlow::Break(());
            }
            if matcher.matches(trace, call) {
                selection.add(call.seq);
            }
            if call.seq.is_multiple_of(PROGRESS_CALLS) && watch(call.seq).is_break() {
                stopped = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        (!stopped).then(|| selection.finish())
    }

    /// By function, whether arguments of its calls matter: to the filter, or because they make objects what they are.
    fn needed_arguments(&self, trace: &Trace) -> Vec<bool> {
        let schema = trace.schema();
        let mut tracker = ObjectTracker::default();
        let functions = (0..schema.functions().len() as u32).map(FunctionId);
        functions
            .map(|function| {
                let plan = FunctionPlan::new(self, schema, function);
                let mut tests = self.parsed.tests.iter().enumerate();
                let looks = |(place, test): (usize, &Test)| {
                    test.level() == Level::Call && *plan.source(place) != Source::Nowhere
                };
                tracker.is_about_objects(schema, function) || tests.any(looks)
            })
            .collect()
    }

    fn select_by_columns(
        &self,
        trace: &Trace,
        index: &Index,
        watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Option<Selection> {
        let parts = index.parts();
        let clocks = if self.asks_for(Field::Gap) {
            clocks_before(&parts)
        } else {
            Vec::new()
        };
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..workers(parts.len()) {
                let (next, parts, clocks, sender) = (&next, &parts, &clocks, sender.clone());
                scope.spawn(move || {
                    let mut selector = Selector::new(self, trace);
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(&(first, part)) = parts.get(place) else {
                            return;
                        };
                        let bits = match part {
                            Part::Calls(chunk) => selector.part(first, chunk, clocks.get(place)),
                            Part::Hole(_) => Vec::new(),
                        };
                        // Nobody receives any more: the work was broken off.
                        if sender.send((first, part.len(), bits)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut selection = Selection::none_of(index.len());
            let mut done = 0;
            for (first, calls, bits) in receiver {
                selection.add_bits(first, &bits);
                done += calls;
                if watch(done).is_break() {
                    return None;
                }
            }
            Some(selection.finish())
        })
    }
}

/// What threads did before each part.
fn clocks_before(parts: &[(u64, &Part)]) -> Vec<ThreadClocks> {
    let mut clocks = ThreadClocks::default();
    let in_parts = map_all(parts, |(_, part)| match part {
        Part::Calls(chunk) => clocks_in(chunk),
        Part::Hole(_) => ThreadClocks::default(),
    });
    let before = in_parts.into_iter().map(|in_part| {
        let before = clocks.clone();
        clocks.add(&in_part);
        before
    });
    before.collect()
}

/// Until when threads were inside of the driver in the calls of a part.
fn clocks_in(chunk: &Chunk) -> ThreadClocks {
    let (mut kinds, mut begin_ns, mut duration_ns) = (Vec::new(), Vec::new(), Vec::new());
    chunk.unpack_kinds(&mut kinds);
    chunk.unpack_times(&mut begin_ns, &mut duration_ns);
    // By kind first: there are few, and each is of one thread.
    let mut busy_until = vec![0u64; chunk.kinds().len()];
    for ((&kind, &begin_ns), &duration_ns) in kinds.iter().zip(&begin_ns).zip(&duration_ns) {
        let end_ns = begin_ns.saturating_add(duration_ns);
        let busy_until = &mut busy_until[kind as usize];
        *busy_until = end_ns.max(*busy_until);
    }
    let mut clocks = ThreadClocks::default();
    for (kind, busy_until) in chunk.kinds().iter().zip(busy_until) {
        clocks.gap_ns(kind.thread, (busy_until, None));
    }
    clocks
}

/// Chooses calls on one thread.
struct Selector<'a> {
    evaluator: Evaluator<'a>,
    trace: &'a Trace,
    /// The block that was read last.
    block: Option<OrderedCalls<'a>>,
    /// The block that could not be read last.
    unreadable: Option<usize>,
    call: Call,
    kinds: Vec<u64>,
    begin_ns: Vec<u64>,
    duration_ns: Vec<u64>,
}

impl<'a> Selector<'a> {
    fn new(filter: &'a Filter, trace: &'a Trace) -> Self {
        Self {
            evaluator: Evaluator::new(filter),
            trace,
            block: None,
            unreadable: None,
            call: Call::default(),
            kinds: Vec::new(),
            begin_ns: Vec::new(),
            duration_ns: Vec::new(),
        }
    }

    /// A bit for each call of a part.
    fn part(&mut self, first: u64, chunk: &Chunk, clocks: Option<&ThreadClocks>) -> Vec<u64> {
        let kinds = chunk.kinds().iter();
        let answers: Vec<_> = kinds
            .map(|kind| self.evaluator.kind(self.trace, kind))
            .collect();
        let decided: Vec<_> = answers.iter().map(|answers| answers.decided()).collect();
        let mut bits = vec![0u64; chunk.len().div_ceil(64)];
        if decided.iter().all(|&answer| answer == Some(false)) {
            return bits;
        }
        let mut kinds = std::mem::take(&mut self.kinds);
        chunk.unpack_kinds(&mut kinds);
        if decided.iter().any(Option::is_none) {
            chunk.unpack_times(&mut self.begin_ns, &mut self.duration_ns);
        }
        let mut clocks = clocks.cloned();
        for (row, &kind) in kinds.iter().enumerate() {
            let kind = kind as usize;
            let known = decided[kind];
            let answer = match known.filter(|_| clocks.is_none()) {
                Some(answer) => answer,
                None => {
                    let of_kind = &chunk.kinds()[kind];
                    let facts = self.facts((first, row), of_kind, clocks.as_mut());
                    known.unwrap_or_else(|| self.answer(&answers[kind], of_kind, &facts))
                }
            };
            bits[row / 64] |= u64::from(answer) << (row % 64);
        }
        self.kinds = kinds;
        bits
    }

    /// The answer of a call that its kind does not decide.
    fn answer(&mut self, answers: &KindAnswers, kind: &CallKind, facts: &RowFacts) -> bool {
        if let Some(answer) = self.evaluator.row(self.trace, answers, facts) {
            return answer;
        }
        let Some(row) = self.find(facts.seq) else {
            return false;
        };
        let Some(calls) = &self.block else {
            return false;
        };
        let word = |place: usize| calls.argument(row, place);
        if let Some(answer) = self.evaluator.words(self.trace, kind.function, word) {
            return answer;
        }
        calls.read(row, &mut self.call) && self.evaluator.call(self.trace, &self.call, None)
    }

    fn facts(
        &self,
        (first, row): (u64, usize),
        kind: &CallKind,
        clocks: Option<&mut ThreadClocks>,
    ) -> RowFacts {
        // Not unpacked where only the clocks need it: kinds decide all of this part.
        let time = |times: &[u64]| times.get(row).copied().unwrap_or(0);
        let begin_ns = time(&self.begin_ns);
        let duration_ns = kind.returned.map(|_| time(&self.duration_ns));
        RowFacts {
            seq: first + row as u64,
            begin_ns,
            duration_ns,
            gap_ns: clocks.and_then(|clocks| clocks.gap_ns(kind.thread, (begin_ns, duration_ns))),
        }
    }

    /// Reads the block of a call, and says which of its rows the call is; nothing if the block can't be read, which the index has told of.
    fn find(&mut self, seq: u64) -> Option<usize> {
        let known = self.block.as_ref().and_then(|calls| {
            let row = usize::try_from(seq.checked_sub(calls.first_seq())?).ok()?;
            (row < calls.len()).then_some(row)
        });
        if known.is_some() {
            return known;
        }
        let block = self.trace.ordered_block_of(seq)?;
        if self.unreadable == Some(block) {
            return None;
        }
        let calls = self.trace.ordered_calls(block).and_then(Result::ok);
        self.unreadable = calls.is_none().then_some(block);
        self.block = calls;
        let calls = self.block.as_ref()?;
        usize::try_from(seq.checked_sub(calls.first_seq())?).ok()
    }
}
