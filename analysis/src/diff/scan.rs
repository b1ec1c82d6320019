//! Reading a trace for a comparison: every call becomes the number of its class, thread by thread.

use std::collections::HashMap;
use std::ops::ControlFlow;

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, ProcessId, ThreadId};
use cutape_trace_format::trace::Trace;

use super::class::{self, Class, ClassWords};
use super::fingerprint::Fingerprint;
use super::normal_form::NormalForm;
use super::plan::{Plans, Returns};
use super::volatile::is_yes_or_no;
use super::watch::{DiffError, Watch};
use super::word_lists::WordLists;
use crate::filter::{Filter, Matcher};
use crate::in_order::{Next, for_each_call};
use crate::objects::{ObjectTracker, Objects};

/// Damage is listed up to here; beyond it only counted.
const MAX_DAMAGES: usize = 1000;

/// The calls of a thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// The process that it is of.
    pub process: ProcessId,
    /// The thread.
    pub thread: ThreadId,
    /// Class of each call, in their order.
    pub classes: Vec<u32>,
    /// Number of each call in the trace.
    pub seqs: Vec<u32>,
}

impl Lane {
    /// No thread.
    pub const EMPTY: Self = Self {
        process: ProcessId::UNKNOWN,
        thread: ThreadId::UNKNOWN,
        classes: Vec::new(),
        seqs: Vec::new(),
    };
}

/// Calls that are missing: behind which call, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Number of the last call before it, 0 at the start.
    pub behind: u64,
    /// How many calls are missing, if that is known.
    pub calls: Option<u64>,
}

/// A trace as a comparison needs it: 8 bytes a call, and some 80 for each call that differs from all others.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Threads in the order of their first calls.
    pub lanes: Vec<Lane>,
    /// Classes by number.
    pub classes: WordLists,
    /// Objects, and what they are called.
    pub objects: Objects,
    /// Where calls are missing.
    pub holes: Vec<Hole>,
    /// What could not be read, the first thousand.
    pub damages: Vec<Damage>,
    /// Calls that were read.
    pub calls: u64,
    /// Calls that the user asked to leave out.
    pub ignored: u64,
    /// Calls that ask whether work is done, and were told yes or no.
    pub readiness: u64,
}

impl Scan {
    /// The class with a number.
    pub fn class(&self, number: u32) -> Class<'_> {
        Class(self.classes.get(number))
    }

    /// Reads a trace.
    ///
    /// # Errors
    /// It was stopped, or the trace is too long. Damage is none: it becomes holes.
    pub fn of(
        trace: &Trace,
        ignore: Option<&Filter>,
        watch: &Watch<'_>,
    ) -> Result<Self, DiffError> {
        let mut scanner = Scanner {
            scan: Self {
                classes: WordLists::hashed_by(class::hash),
                ..Self::default()
            },
            tracker: ObjectTracker::default(),
            ignore: ignore.map(Matcher::new),
            plans: Plans::default(),
            places: HashMap::new(),
            last: ((ProcessId::UNKNOWN, ThreadId::UNKNOWN), usize::MAX),
            words: ClassWords::default(),
            form: NormalForm::default(),
        };
        let (mut failed, mut last) = (None, 0);
        // Whether it broke off early is known from `failed`.
        let _ = for_each_call(
            trace,
            |_| true,
            |next| match next {
                Next::Call(call) => {
                    last = call.seq;
                    let added = scanner.add(trace, call);
                    match added.and_then(|()| watch.read(scanner.scan.calls)) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(error) => {
                            failed = Some(error);
                            ControlFlow::Break(())
                        }
                    }
                }
                Next::Damage(damage) => {
                    scanner.scan.add_damage(damage, last);
                    ControlFlow::Continue(())
                }
            },
        );
        if let Some(error) = failed {
            return Err(error);
        }
        let Scanner {
            mut scan, tracker, ..
        } = scanner;
        scan.objects = tracker.finish();
        Ok(scan)
    }

    fn add_damage(&mut self, damage: Damage, behind: u64) {
        self.holes.push(Hole {
            behind,
            calls: damage.lost_calls,
        });
        if self.damages.len() < MAX_DAMAGES {
            self.damages.push(damage);
        }
    }
}

struct Scanner<'a> {
    scan: Scan,
    tracker: ObjectTracker,
    ignore: Option<Matcher<'a>>,
    plans: Plans,
    places: HashMap<(ProcessId, ThreadId), usize>,
    /// The thread of the call before, and its place among the lanes.
    last: ((ProcessId, ThreadId), usize),
    words: ClassWords,
    form: NormalForm,
}

impl Scanner<'_> {
    fn add(&mut self, trace: &Trace, call: &Call) -> Result<(), DiffError> {
        let seq = u32::try_from(call.seq).map_err(|_| DiffError::TooLong)?;
        self.scan.calls += 1;
        // Also what is left out creates objects.
        self.tracker.observe(trace.schema(), call);
        let ignore = self.ignore.as_mut();
        if ignore.is_some_and(|ignore| ignore.matches(trace, call)) {
            self.scan.ignored += 1;
            return Ok(());
        }
        let plan = self.plans.of(trace.schema(), call.function);
        if let Some(plan) = plan
            && plan.asks_whether_ready
            && plan.returns == Returns::Code
            && call.returned.is_some_and(|word| is_yes_or_no(word as u32))
        {
            self.scan.readiness += 1;
            return Ok(());
        }
        self.words.start(call.function);
        let words = match plan {
            Some(plan) => self.form.write(plan, call, &self.tracker, &mut self.words),
            None => {
                let name = name_print(&trace.function_name(call.function));
                self.words.end_of_taken();
                self.words.end_of_given();
                self.words
                    .finish(name, name, u32::from(call.returned.is_some()))
            }
        };
        let class = self.scan.classes.intern(words)?;
        let lane = self.lane((call.process, call.thread));
        lane.classes.push(class);
        lane.seqs.push(seq);
        Ok(())
    }

    fn lane(&mut self, thread: (ProcessId, ThreadId)) -> &mut Lane {
        if self.last.0 != thread || self.last.1 == usize::MAX {
            let lanes = &mut self.scan.lanes;
            let place = *self.places.entry(thread).or_insert_with(|| {
                lanes.push(Lane {
                    process: thread.0,
                    thread: thread.1,
                    ..Lane::default()
                });
                lanes.len() - 1
            });
            self.last = (thread, place);
        }
        &mut self.scan.lanes[self.last.1]
    }
}

/// Fingerprint of a function's name.
pub(crate) fn name_print(name: &str) -> u64 {
    let mut print = Fingerprint::new(0);
    print.bytes(name.as_bytes());
    print.finish()
}
