//! A diagnosis in the making: calls are taken in one after the other, and what they show so far can be asked for at any time.

use std::ops::ControlFlow;

use cutape_cuda_api::{Function, Library, Type};
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, FunctionId, ProcessId};
use cutape_trace_format::trace::Trace;

use super::Diagnosis;
use super::driver_exports::DriverExports;
use super::facts::ProcessFacts;
use super::facts::topic::{self, Topic};
use super::gathering::Gathering;
use super::look_up;
use super::moment::Moment;
use super::rule::{CallCheck, Check};
use super::rules::RULES;
use super::seen_call::SeenCall;
use crate::benign::BenignJudge;
use crate::in_order::{Next, for_each_call};
use crate::objects::CallNames;
use crate::outcome::code_type;
use crate::survey::MAX_DAMAGES;
use crate::word_hash::WordMap;

/// Failures of which is remembered whether they are benign; a trace may have any code.
const MAX_CODES: usize = 1 << 14;

/// What is done with the calls of one function.
struct Row {
    topic: Topic,
    is_quick_question: bool,
    is_cuda: bool,
    /// It returns a code; 0 is success.
    returns_code: bool,
    /// Places of rules, with their checks.
    checks: Vec<(usize, CallCheck)>,
}

/// Gives the calls of some numbers, which rise, with their names.
pub type LookUp<'a> = dyn FnMut(&[u64]) -> Vec<(Call, CallNames)> + 'a;

/// What was seen so far. Memory is bounded by the number of processes and functions, not of calls.
pub struct Diagnosing {
    rows: Vec<Row>,
    pub(super) exports: DriverExports,
    pub(super) processes: Vec<ProcessFacts>,
    judges: Vec<BenignJudge>,
    /// Whether failures of a function with a code are benign, where that does not depend on the call.
    benign: WordMap<(FunctionId, u32), bool>,
    pub(super) gathering: Gathering,
}

impl Diagnosing {
    /// Before the first call of a trace.
    pub fn new(trace: &Trace) -> Self {
        let mut diagnosing = Self {
            rows: Vec::new(),
            exports: DriverExports::of(trace),
            processes: Vec::new(),
            judges: Vec::new(),
            benign: WordMap::default(),
            gathering: Gathering::default(),
        };
        diagnosing.grow(trace);
        diagnosing
    }

    /// The diagnosis of the calls so far.
    pub fn diagnosis(
        &self,
        trace: &Trace,
        allow: &[String],
        look_up: &mut LookUp<'_>,
    ) -> Diagnosis {
        Diagnosis::so_far(self, trace, allow, look_up)
    }

    /// A recording that is going on gets processes and functions.
    fn grow(&mut self, trace: &Trace) {
        let functions = trace.schema().functions().iter().skip(self.rows.len());
        self.rows.extend(functions.map(|function| Row {
            topic: topic::topic(function),
            is_quick_question: topic::is_quick_question(function),
            is_cuda: function.library == Library::Cuda,
            returns_code: returns_code(function),
            checks: checks_of(topic::plain_name(function)),
        }));
        let known = self.processes.len() as u32;
        let all = trace.processes().len() as u32;
        let new = (known..all).map(ProcessId).map(ProcessFacts::new);
        self.processes.extend(new);
        self.judges
            .resize_with(self.processes.len(), BenignJudge::default);
    }

    /// Takes in all calls of a trace; gives what could not be read on the way. `watch` may end the work, and nothing is given then.
    pub(super) fn read(
        &mut self,
        trace: &Trace,
        mut watch: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Option<Vec<Damage>> {
        // Of most calls of a program that works, all that counts is that they were made and what they returned.
        let rows = self.rows.iter();
        let needed: Vec<bool> = rows
            .map(|row| row.topic != Topic::Other || !row.checks.is_empty())
            .collect();
        let needs_arguments = |function: FunctionId| needed.get(function.0 as usize) == Some(&true);
        let mut count = 0u64;
        let mut damages = Vec::new();
        let flow = for_each_call(trace, needs_arguments, |next| {
            match next {
                Next::Call(call) => self.add(trace, call),
                Next::Damage(damage) if damages.len() < MAX_DAMAGES => damages.push(damage),
                Next::Damage(_) => {}
            }
            count += 1;
            if count.is_multiple_of(1 << 16) {
                return watch(count);
            }
            ControlFlow::Continue(())
        });
        flow.is_continue().then_some(damages)
    }

    /// Takes in a call. Those whose process or function the trace doesn't say anything about are passed over.
    pub fn add(&mut self, trace: &Trace, call: &Call) {
        let place = call.process.0 as usize;
        if place >= self.processes.len() || call.function.0 as usize >= self.rows.len() {
            self.grow(trace);
        }
        let schema = trace.schema();
        let (Some(facts), Some(judge), Some(function), Some(row)) = (
            self.processes.get_mut(place),
            self.judges.get_mut(place),
            schema.function(call.function),
            self.rows.get(call.function.0 as usize),
        ) else {
            return;
        };
        let seen = SeenCall {
            trace,
            call,
            function,
            code: call
                .returned
                .filter(|_| row.returns_code)
                .map(|word| word as u32),
        };
        facts.count(call, row.is_cuda);
        facts.learn(row.topic, &seen);
        if call.returned.is_some() {
            facts.tallies.add(call, seen.code);
        }
        if row.is_quick_question
            && let Some(duration_ns) = call.duration_ns
        {
            facts.pace.add(call.seq, duration_ns);
        }
        if row.topic == Topic::LookUp {
            judge.observe(schema, call);
        }
        let failed = seen.code.filter(|&code| code != 0);
        if failed.is_none() && row.checks.is_empty() {
            return;
        }
        let moment = Moment {
            seen,
            facts,
            exports: &self.exports,
        };
        let suspicious = (row.topic == Topic::LookUp)
            .then(|| look_up::suspicious(&moment, moment.exports))
            .flatten();
        let fired = check(&mut self.gathering, &row.checks, &moment);
        if let Some(look_up) = suspicious {
            facts.suspect(look_up);
        }
        let Some(code) = failed else {
            return;
        };
        let probe = || judge.probe(schema, call).is_some();
        let is_known = self.benign.len() < MAX_CODES;
        let is_benign = if row.topic == Topic::ExportTable || !is_known {
            probe()
        } else {
            *self
                .benign
                .entry((call.function, code))
                .or_insert_with(probe)
        };
        if fired || is_benign {
            facts.tallies.explain(call, code);
        }
    }
}

/// Whether a function returns a code.
fn returns_code(function: &Function) -> bool {
    let returns = function
        .signature
        .as_ref()
        .map(|signature| &signature.returns);
    matches!(returns, Some(Type::Named(name)) if name == code_type(function.library))
}

/// Runs the checks of a call; whether one of them fired.
fn check(gathering: &mut Gathering, checks: &[(usize, CallCheck)], moment: &Moment<'_>) -> bool {
    let mut fired = false;
    for (rule, check) in checks {
        if let Some(variant) = (check.fires)(moment) {
            let key = (moment.call.process, moment.call.seq, variant);
            gathering.call(*rule, key, || (check.what)(moment));
            fired = true;
        }
    }
    fired
}

/// The checks that look at each call of a function.
fn checks_of(name: &str) -> Vec<(usize, CallCheck)> {
    let rules = RULES.iter().enumerate();
    rules
        .flat_map(|(place, rule)| rule.checks.iter().map(move |check| (place, check)))
        .filter_map(|(place, check)| match check {
            Check::Call(check) if check.functions.contains(&name) => Some((place, *check)),
            _ => None,
        })
        .collect()
}
