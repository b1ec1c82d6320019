//! All calls of a trace that a filter means.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use cutape_trace_format::call::Call;
use cutape_trace_format::ordered_blocks::OrderedCalls;
use cutape_trace_format::trace::Trace;

use super::evaluate::evaluate;
use super::field::Field;
use super::matcher::{Evaluator, Matcher, RowFacts, ThreadClocks};
use super::selection::Selection;
use super::{Filter, Level};
use crate::index::{Chunk, Index, Part, Row};
use crate::parallel::workers;

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
        let (mut calls, mut call) = (trace.calls(), Call::default());
        loop {
            match calls.read_next(&mut call) {
                Ok(true) if call.seq <= index.len() => {
                    if matcher.matches(trace, &call) {
                        selection.add(call.seq);
                    }
                    if call.seq.is_multiple_of(PROGRESS_CALLS) && watch(call.seq).is_break() {
                        return None;
                    }
                }
                Ok(_) => return Some(selection.finish()),
                // The index has told of it.
                Err(_) => {}
            }
        }
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
    let mut before = Vec::with_capacity(parts.len());
    for (_, part) in parts {
        before.push(clocks.clone());
        if let Part::Calls(chunk) = part {
            (0..chunk.len()).for_each(|row| {
                clocks.gap_ns(&chunk.row(row));
            });
        }
    }
    before
}

/// Chooses calls on one thread.
struct Selector<'a> {
    evaluator: Evaluator<'a>,
    root: &'a super::syntax::Node,
    trace: &'a Trace,
    /// The block that was read last.
    block: Option<(usize, OrderedCalls<'a>)>,
    call: Call,
    kinds: Vec<u64>,
    begin_ns: Vec<u64>,
    duration_ns: Vec<u64>,
}

impl<'a> Selector<'a> {
    fn new(filter: &'a Filter, trace: &'a Trace) -> Self {
        Self {
            evaluator: Evaluator::new(filter),
            root: &filter.parsed.root,
            trace,
            block: None,
            call: Call::default(),
            kinds: Vec::new(),
            begin_ns: Vec::new(),
            duration_ns: Vec::new(),
        }
    }

    /// A bit for each call of a part.
    fn part(&mut self, first: u64, chunk: &Chunk, clocks: Option<&ThreadClocks>) -> Vec<u64> {
        let kinds = chunk.kinds().iter();
        let known: Vec<_> = kinds
            .map(|kind| self.evaluator.kind(self.trace, kind))
            .collect();
        let decided: Vec<_> = known
            .iter()
            .map(|known| evaluate(self.root, known))
            .collect();
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
            if clocks.is_none()
                && let Some(answer) = decided[kind]
            {
                bits[row / 64] |= u64::from(answer) << (row % 64);
                continue;
            }
            let row_of = &chunk.kinds()[kind];
            let facts = self.facts(first, row, row_of, clocks.as_mut());
            let answer = match self.evaluator.row(self.trace, &known[kind], &facts) {
                Some(answer) => answer,
                None => self.read(facts.seq) && self.evaluator.call(self.trace, &self.call, None),
            };
            bits[row / 64] |= u64::from(answer) << (row % 64);
        }
        self.kinds = kinds;
        bits
    }

    fn facts(
        &self,
        first: u64,
        row: usize,
        kind: &crate::index::CallKind,
        clocks: Option<&mut ThreadClocks>,
    ) -> RowFacts {
        // Not unpacked where only the clocks need it: kinds decide all of this part.
        let time = |times: &[u64]| times.get(row).copied().unwrap_or(0);
        let row_facts = Row {
            process: kind.process,
            thread: kind.thread,
            function: kind.function,
            begin_ns: time(&self.begin_ns),
            duration_ns: kind.returned.map(|_| time(&self.duration_ns)),
            returned: kind.returned,
        };
        RowFacts {
            seq: first + row as u64,
            gap_ns: clocks.and_then(|clocks| clocks.gap_ns(&row_facts)),
            row: row_facts,
        }
    }

    /// Reads a call; false if its block can't be read, which the index has told of.
    fn read(&mut self, seq: u64) -> bool {
        let Some(block) = self.trace.ordered_block_of(seq) else {
            return false;
        };
        if self.block.as_ref().is_none_or(|(read, _)| *read != block) {
            self.block = self
                .trace
                .ordered_calls(block)
                .and_then(Result::ok)
                .map(|calls| (block, calls));
        }
        let Some((_, calls)) = &self.block else {
            return false;
        };
        calls.read((seq - calls.first_seq()) as usize, &mut self.call)
    }
}
