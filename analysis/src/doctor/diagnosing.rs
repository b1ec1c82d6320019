//! A diagnosis in the making: calls are taken in one after the other, and what they show so far can be asked for at any time.

use cutape_cuda_api::Library;
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::trace::Trace;

use super::Diagnosis;
use super::driver_exports::DriverExports;
use super::facts::ProcessFacts;
use super::facts::topic::{self, Topic};
use super::gathering::Gathering;
use super::moment::{Moment, SeenCall};
use super::rule::{CallCheck, Check};
use super::rules::{RULES, look_up};
use crate::benign::BenignJudge;
use crate::objects::CallNames;
use crate::outcome::outcome;

/// What is done with the calls of one function.
struct Row {
    topic: Topic,
    is_quick_question: bool,
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
            gathering: Gathering::default(),
        };
        diagnosing.grow(trace);
        diagnosing
    }

    /// The diagnosis of the calls so far. `look_up` gives the calls of these numbers, which rise, with their names.
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
            checks: checks_of(topic::plain_name(function)),
        }));
        let known = self.processes.len() as u32;
        let all = trace.processes().len() as u32;
        let new = (known..all).map(ProcessId).map(ProcessFacts::new);
        self.processes.extend(new);
        self.judges
            .resize_with(self.processes.len(), BenignJudge::default);
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
            code: outcome(schema, call).code(),
        };
        facts.count(call, function.library == Library::Cuda);
        facts.learn(row.topic, &seen);
        if call.returned.is_some() {
            facts.tallies.add(call, seen.code);
        }
        if row.is_quick_question
            && let Some(duration_ns) = call.duration_ns
        {
            facts.pace.add(call.seq, duration_ns);
        }
        judge.observe(schema, call);
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
            .then(|| look_up::suspicious(&moment))
            .flatten();
        let fired = check(&mut self.gathering, &row.checks, &moment);
        if let Some(look_up) = suspicious {
            facts.suspect(look_up);
        }
        if let Some(code) = failed
            && (fired || judge.probe(schema, call).is_some())
        {
            facts.tallies.explain(call, code);
        }
    }
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
