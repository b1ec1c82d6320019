//! A filter that goes along with the calls of a trace.

use std::collections::HashMap;
use std::rc::Rc;

use cutape_trace_format::call::{Call, FunctionId, ThreadId};
use cutape_trace_format::trace::Trace;

use super::evaluate::{Known, evaluate};
use super::field::Field;
use super::plan::FunctionPlan;
use super::scalar::{Scalar, holds};
use super::syntax::{Subject, Test};
use super::value_test::{self, CallerTests};
use super::{Filter, Level, kind_test, object_test};
use crate::index::{CallKind, Row};
use crate::objects::ObjectTracker;

/// Kinds of calls remembered at most; return words may be anything.
const MAX_KINDS: usize = 1 << 14;

/// Until when each thread was inside of the driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThreadClocks(HashMap<ThreadId, u64>);

impl ThreadClocks {
    /// Takes in a call and says how long its thread had been outside of the driver; `None` for a thread's first call.
    pub(crate) fn gap_ns(&mut self, row: &Row) -> Option<u64> {
        let end_ns = row.begin_ns.saturating_add(row.duration_ns.unwrap_or(0));
        match self.0.entry(row.thread) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(end_ns);
                None
            }
            std::collections::hash_map::Entry::Occupied(mut busy_until) => {
                let gap = row.begin_ns.saturating_sub(*busy_until.get());
                *busy_until.get_mut() = end_ns.max(*busy_until.get());
                Some(gap)
            }
        }
    }
}

/// What is known of a call before its arguments are looked at.
pub(crate) struct RowFacts {
    pub seq: u64,
    pub row: Row,
    /// Only where the filter asks for it.
    pub gap_ns: Option<u64>,
}

/// Answers the tests of a filter and remembers what many calls have in common.
#[derive(Debug)]
pub(crate) struct Evaluator<'f> {
    filter: &'f Filter,
    plans: HashMap<FunctionId, Rc<FunctionPlan>>,
    kinds: HashMap<CallKind, Rc<Known>>,
    callers: CallerTests,
    known: Known,
}

impl<'f> Evaluator<'f> {
    pub(crate) fn new(filter: &'f Filter) -> Self {
        Self {
            filter,
            plans: HashMap::new(),
            kinds: HashMap::new(),
            callers: CallerTests::default(),
            known: Vec::new(),
        }
    }

    fn plan(&mut self, trace: &Trace, function: FunctionId) -> Rc<FunctionPlan> {
        let filter = self.filter;
        let plan = || Rc::new(FunctionPlan::new(filter, trace.schema(), function));
        Rc::clone(self.plans.entry(function).or_insert_with(plan))
    }

    /// What all calls of a kind answer.
    pub(crate) fn kind(&mut self, trace: &Trace, kind: &CallKind) -> Rc<Known> {
        if let Some(known) = self.kinds.get(kind) {
            return Rc::clone(known);
        }
        let plan = self.plan(trace, kind.function);
        let tests = self.filter.parsed.tests.iter().enumerate();
        let answers = tests.map(|(place, test)| kind_test::answer(test, place, kind, trace, &plan));
        let known = Rc::new(answers.collect::<Known>());
        if self.kinds.len() >= MAX_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(*kind, Rc::clone(&known));
        known
    }

    /// The answer by kind, number and times; `None` if arguments are needed, too.
    pub(crate) fn row(&mut self, trace: &Trace, of_kind: &Known, facts: &RowFacts) -> Option<bool> {
        if let Some(answer) = evaluate(&self.filter.parsed.root, of_kind) {
            return Some(answer);
        }
        self.known.clone_from(of_kind);
        let tests = self.filter.parsed.tests.iter();
        for (test, known) in tests.zip(&mut self.known) {
            if known.is_none() {
                *known = row_test(test, trace, facts);
            }
        }
        evaluate(&self.filter.parsed.root, &self.known)
    }

    /// The answer of a call that [`Self::row`] had none for just before. `tracker`, where the filter asks for objects, observed it last.
    pub(crate) fn call(
        &mut self,
        trace: &Trace,
        call: &Call,
        tracker: Option<&ObjectTracker>,
    ) -> bool {
        let plan = self.plan(trace, call.function);
        let filter = self.filter;
        for (place, test) in filter.parsed.tests.iter().enumerate() {
            if self.known[place].is_some() {
                continue;
            }
            self.known[place] = Some(self.call_test((test, place), &plan, (trace, call), tracker));
            // Most filters are decided before the last test.
            if let Some(answer) = evaluate(&filter.parsed.root, &self.known) {
                return answer;
            }
        }
        false
    }

    fn call_test(
        &mut self,
        (test, place): (&Test, usize),
        plan: &FunctionPlan,
        (trace, call): (&Trace, &Call),
        tracker: Option<&ObjectTracker>,
    ) -> bool {
        let (source, schema) = (plan.source(place), trace.schema());
        match &test.subject {
            Subject::Argument(path) => value_test::argument(test, path, source, schema, call),
            Subject::Field(Field::Bytes) => value_test::bytes(test, source, schema, call),
            Subject::Field(Field::Injected) => kind_test::truth(test, Some(call.is_injected())),
            Subject::Field(Field::Caller) => self.callers.holds(test, place, trace, call),
            Subject::Field(field) => tracker.is_some_and(|tracker| {
                object_test::answer(test, *field, source, (schema, call), tracker)
            }),
        }
    }
}

fn row_test(test: &Test, trace: &Trace, facts: &RowFacts) -> Option<bool> {
    let Subject::Field(field) = test.subject else {
        return None;
    };
    let number = match field {
        Field::Seq => Some(i128::from(facts.seq)),
        Field::T => Some(i128::from(facts.row.begin_ns) - i128::from(trace.start_ns())),
        Field::Dur => facts.row.duration_ns.map(i128::from),
        Field::Gap => facts.gap_ns.map(i128::from),
        _ => return None,
    };
    // A value of 12us has the dimension of time; the number counts nanoseconds.
    let step_ns = (field != Field::Seq).then_some(1.0);
    let scalar = number.map(|number| Scalar {
        step_ns,
        ..Scalar::number(number)
    });
    Some(holds(test, scalar.as_slice()))
}

/// Says of one call after the other whether it is meant. Calls come in the order of their begin: what a filter says about objects, kernels
/// and gaps depends on the calls before.
#[derive(Debug)]
pub struct Matcher<'f> {
    evaluator: Evaluator<'f>,
    tracker: Option<ObjectTracker>,
    clocks: Option<ThreadClocks>,
}

impl<'f> Matcher<'f> {
    /// A matcher that has seen no call.
    pub fn new(filter: &'f Filter) -> Self {
        Self {
            tracker: (filter.level() == Level::Objects).then(ObjectTracker::default),
            clocks: filter.asks_for(Field::Gap).then(ThreadClocks::default),
            evaluator: Evaluator::new(filter),
        }
    }

    /// Whether it must see all calls from the first one on to be right about a later one.
    pub fn needs_all_calls(&self) -> bool {
        self.tracker.is_some() || self.clocks.is_some()
    }

    /// Takes in the next call and says whether the filter means it.
    pub fn matches(&mut self, trace: &Trace, call: &Call) -> bool {
        if let Some(tracker) = &mut self.tracker {
            tracker.observe(trace.schema(), call);
        }
        let row = Row::from(call);
        let gap_ns = self.clocks.as_mut().and_then(|clocks| clocks.gap_ns(&row));
        let of_kind = self.evaluator.kind(trace, &row.kind());
        let facts = RowFacts {
            seq: call.seq,
            row,
            gap_ns,
        };
        match self.evaluator.row(trace, &of_kind, &facts) {
            Some(answer) => answer,
            None => self.evaluator.call(trace, call, self.tracker.as_ref()),
        }
    }

    /// Forgets all calls: those that come now are of another trace.
    pub fn restart(&mut self) {
        *self = Self::new(self.evaluator.filter);
    }
}
