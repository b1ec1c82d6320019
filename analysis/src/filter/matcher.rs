//! A filter that goes along with the calls of a trace.

use std::rc::Rc;

use cutape_trace_format::call::{Call, FunctionId, ThreadId};
use cutape_trace_format::trace::Trace;

use super::answers::{KindAnswers, is_column};
use super::evaluate::{Known, evaluate};
use super::field::Field;
use super::number_test::NumberTest;
use super::plan::{FunctionPlan, Source};
use super::syntax::{Subject, Test};
use super::value_test::{self, CallerTests};
use super::word_tests::WordTests;
use super::{Filter, Level, kind_test, object_test};
use crate::index::{CallKind, Row};
use crate::objects::ObjectTracker;
use crate::word_hash::WordMap;

/// Kinds of calls remembered at most; return words may be anything.
const MAX_KINDS: usize = 1 << 14;

/// Until when each thread was inside of the driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThreadClocks(WordMap<ThreadId, u64>);

impl ThreadClocks {
    /// Takes in a call and says how long its thread had been outside of the driver; `None` for a thread's first call.
    pub(crate) fn gap_ns(
        &mut self,
        thread: ThreadId,
        (begin_ns, duration_ns): (u64, Option<u64>),
    ) -> Option<u64> {
        let end_ns = begin_ns.saturating_add(duration_ns.unwrap_or(0));
        match self.0.entry(thread) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(end_ns);
                None
            }
            std::collections::hash_map::Entry::Occupied(mut busy_until) => {
                let gap = begin_ns.saturating_sub(*busy_until.get());
                *busy_until.get_mut() = end_ns.max(*busy_until.get());
                Some(gap)
            }
        }
    }

    /// Takes in what threads did later.
    pub(crate) fn add(&mut self, later: &Self) {
        for (&thread, &end_ns) in &later.0 {
            let busy_until = self.0.entry(thread).or_default();
            *busy_until = end_ns.max(*busy_until);
        }
    }
}

/// What is known of a call before its arguments are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowFacts {
    pub seq: u64,
    pub begin_ns: u64,
    pub duration_ns: Option<u64>,
    /// Only where the filter asks for it.
    pub gap_ns: Option<u64>,
}

/// Answers the tests of a filter and remembers what many calls have in common.
#[derive(Debug)]
pub(crate) struct Evaluator<'f> {
    filter: &'f Filter,
    plans: WordMap<FunctionId, Rc<FunctionPlan>>,
    kinds: WordMap<CallKind, Rc<KindAnswers>>,
    /// Tests of columns, by place.
    columns: Vec<Option<NumberTest>>,
    words: WordTests,
    callers: CallerTests,
    known: Known,
}

impl<'f> Evaluator<'f> {
    pub(crate) fn new(filter: &'f Filter) -> Self {
        let column = |test: &Test| {
            let is_time = test.subject != Subject::Field(Field::Seq);
            is_column(test).then(|| NumberTest::of(test, is_time))
        };
        Self {
            filter,
            plans: WordMap::default(),
            kinds: WordMap::default(),
            columns: filter.parsed.tests.iter().map(column).collect(),
            words: WordTests::default(),
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
    pub(crate) fn kind(&mut self, trace: &Trace, kind: &CallKind) -> Rc<KindAnswers> {
        if let Some(answers) = self.kinds.get(kind) {
            return Rc::clone(answers);
        }
        let plan = self.plan(trace, kind.function);
        let parsed = &self.filter.parsed;
        let tests = parsed.tests.iter().enumerate();
        let known = tests.map(|(place, test)| kind_test::answer(test, place, kind, trace, &plan));
        let known = known.collect::<Known>();
        let answers = Rc::new(KindAnswers::new(&parsed.root, &parsed.tests, known));
        if self.kinds.len() >= MAX_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(*kind, Rc::clone(&answers));
        answers
    }

    /// The answer by kind, number and times; `None` if arguments are needed, too.
    #[inline]
    pub(crate) fn row(
        &mut self,
        trace: &Trace,
        of_kind: &KindAnswers,
        facts: &RowFacts,
    ) -> Option<bool> {
        let mut answers = 0;
        for (bit, &test) in of_kind.open.iter().enumerate() {
            answers |= usize::from(self.column(trace, test, facts)) << bit;
        }
        if let Some(&answer) = of_kind.table.get(answers)
            && answer.is_some()
        {
            return answer;
        }
        self.known.clone_from(&of_kind.known);
        for (bit, &test) in of_kind.open.iter().enumerate() {
            self.known[test] = Some(answers >> bit & 1 != 0);
        }
        if of_kind.table.is_empty() {
            return evaluate(&self.filter.parsed.root, &self.known);
        }
        None
    }

    fn column(&self, trace: &Trace, place: usize, facts: &RowFacts) -> bool {
        let Some(test) = &self.columns[place] else {
            return false;
        };
        let number = match self.filter.parsed.tests[place].subject {
            Subject::Field(Field::Seq) => Some(i128::from(facts.seq)),
            Subject::Field(Field::T) => {
                Some(i128::from(facts.begin_ns) - i128::from(trace.start_ns()))
            }
            Subject::Field(Field::Dur) => facts.duration_ns.map(i128::from),
            _ => facts.gap_ns.map(i128::from),
        };
        test.holds(number)
    }

    /// The answer of a call that [`Self::row`] had none for just before, by argument words, which `word` knows by their places; `None` if
    /// the whole call is needed.
    pub(crate) fn words(
        &mut self,
        trace: &Trace,
        function: FunctionId,
        word: impl Fn(usize) -> Option<u64>,
    ) -> Option<bool> {
        let plan = self.plan(trace, function);
        for place in 0..self.known.len() {
            if self.known[place].is_none()
                && let Source::Argument(Some(at)) = plan.source(place)
                && let Some(word) = word(*at)
            {
                self.known[place] = self.words.known((function, place, word));
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
            Subject::Argument(path) => {
                let holds = || value_test::argument(test, path, source, schema, call);
                let word = match source {
                    Source::Argument(Some(at)) => call.args.get(*at),
                    _ => None,
                };
                match word {
                    Some(&word) => self.words.holds((call.function, place, word), holds),
                    None => holds(),
                }
            }
            Subject::Field(Field::Bytes) => value_test::bytes(test, source, schema, call),
            Subject::Field(Field::Injected) => kind_test::truth(test, Some(call.is_injected())),
            Subject::Field(Field::Caller) => self.callers.holds(test, place, trace, call),
            Subject::Field(field) => tracker.is_some_and(|tracker| {
                object_test::answer(test, *field, source, (schema, call), tracker)
            }),
        }
    }
}

/// Says of one call after the other whether it is meant. Calls come in the order of their begin: what a filter says about objects, kernels
/// and gaps depends on the calls before.
#[derive(Debug)]
pub struct Matcher<'f> {
    evaluator: Evaluator<'f>,
    tracker: Option<ObjectTracker>,
    clocks: Option<ThreadClocks>,
}

/// What a matcher remembers of the calls that it has seen.
#[derive(Debug, Default)]
pub struct Seen {
    tracker: Option<ObjectTracker>,
    clocks: Option<ThreadClocks>,
}

impl<'f> Matcher<'f> {
    /// A matcher that has seen no call.
    pub fn new(filter: &'f Filter) -> Self {
        let seen = Seen {
            tracker: (filter.level() == Level::Objects).then(ObjectTracker::default),
            clocks: filter.asks_for(Field::Gap).then(ThreadClocks::default),
        };
        Self::go_on(filter, seen)
    }

    /// Goes on where another matcher of the same filter stopped.
    pub fn go_on(filter: &'f Filter, seen: Seen) -> Self {
        Self {
            tracker: seen.tracker,
            clocks: seen.clocks,
            evaluator: Evaluator::new(filter),
        }
    }

    /// What it remembers, for one that goes on with the calls that follow.
    pub fn into_seen(self) -> Seen {
        Seen {
            tracker: self.tracker,
            clocks: self.clocks,
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
        let clocks = self.clocks.as_mut();
        let times = (row.begin_ns, row.duration_ns);
        let gap_ns = clocks.and_then(|clocks| clocks.gap_ns(row.thread, times));
        let of_kind = self.evaluator.kind(trace, &row.kind());
        let facts = RowFacts {
            seq: call.seq,
            begin_ns: row.begin_ns,
            duration_ns: row.duration_ns,
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
