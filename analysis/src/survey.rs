//! One pass over all calls of a trace: what is counted for `info` and for the end of `record`.

use cutape_cuda_api::Type;
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use crate::benign::BenignJudge;
use crate::info::RuleInfo;
use crate::injection::rules_on;
use crate::outcome::code_type;

/// Damage is listed up to here; beyond it only counted.
pub(crate) const MAX_DAMAGES: usize = 1000;

/// Calls of a process, a thread or a whole trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls that began.
    pub calls: u64,
    /// Those that returned a code other than success.
    pub failed: u64,
    /// Those that never returned, or had not yet.
    pub in_flight: u64,
}

impl Count {
    fn add(&mut self, failed: bool, in_flight: bool) {
        self.calls += 1;
        self.failed += u64::from(failed);
        self.in_flight += u64::from(in_flight);
    }
}

/// What a pass over all calls found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// All calls.
    pub total: Count,
    /// By process, in the trace's order.
    pub processes: Vec<Count>,
    /// By thread, in the trace's order.
    pub threads: Vec<Count>,
    /// The first call that failed and is no benign probe.
    pub first_failure: Option<Call>,
    /// Failed calls that are benign probes.
    pub benign: u64,
    /// Rules of the recording that acted on calls.
    pub injected: Vec<RuleInfo>,
    /// When the last call that is on record began or returned, CLOCK_MONOTONIC nanoseconds; 0 without calls.
    pub last_ns: u64,
    /// What could not be read on the way, the first thousand.
    pub damages: Vec<Damage>,
    /// How many things could not be read.
    pub damage_count: u64,
}

impl Survey {
    /// Reads all calls. `progress` is told now and then how many were read.
    pub fn of(trace: &Trace, progress: impl FnMut(u64)) -> Self {
        Self::with(trace, |_| {}, progress)
    }

    /// Reads all calls as [`Self::of`] does, and shows each to someone who wants to know something else of it.
    pub fn with(
        trace: &Trace,
        mut other: impl FnMut(&Call),
        mut progress: impl FnMut(u64),
    ) -> Self {
        let mut survey = Self {
            processes: vec![Count::default(); trace.processes().len()],
            threads: vec![Count::default(); trace.threads().len()],
            ..Self::default()
        };
        let codes = code_functions(trace.schema());
        let mut judges = vec![BenignJudge::default(); trace.processes().len()];
        let mut calls = trace.calls();
        let mut call = Call::default();
        loop {
            match calls.read_next(&mut call) {
                Ok(true) => {
                    survey.add(trace, &call, (&codes, &mut judges));
                    other(&call);
                }
                Ok(false) => break,
                Err(damage) => survey.add_damage(damage),
            }
            if survey.total.calls.is_multiple_of(1 << 16) {
                progress(survey.total.calls);
            }
        }
        survey
    }

    /// `knowledge` is which functions return codes, and a judge for each process.
    fn add(&mut self, trace: &Trace, call: &Call, knowledge: (&[bool], &mut [BenignJudge])) {
        let (codes, judges) = knowledge;
        let returns_code = codes.get(call.function.0 as usize) == Some(&true);
        let failed = returns_code && call.returned.is_some_and(|word| word as u32 != 0);
        let in_flight = call.returned.is_none();
        self.total.add(failed, in_flight);
        let ProcessId(process) = call.process;
        if let Some(count) = self.processes.get_mut(process as usize) {
            count.add(failed, in_flight);
        }
        if let Some(count) = self.threads.get_mut(call.thread.0 as usize) {
            count.add(failed, in_flight);
        }
        let end_ns = call.begin_ns.saturating_add(call.duration_ns.unwrap_or(0));
        self.last_ns = self.last_ns.max(end_ns);
        let mut unknown = BenignJudge::default();
        let judge = judges.get_mut(process as usize).unwrap_or(&mut unknown);
        judge.observe(trace.schema(), call);
        if call.is_injected() {
            self.add_injected(trace, call);
        }
        if failed {
            if judge.probe(trace.schema(), call).is_some() {
                self.benign += 1;
            } else if self.first_failure.is_none() {
                self.first_failure = Some(call.clone());
            }
        }
    }

    fn add_injected(&mut self, trace: &Trace, call: &Call) {
        for rule in rules_on(trace, call) {
            match self.injected.iter_mut().find(|one| one.rule == rule) {
                Some(one) => one.calls += 1,
                None => self.injected.push(RuleInfo {
                    rule,
                    calls: 1,
                    first: Some(call.seq),
                }),
            }
        }
    }

    fn add_damage(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damages.len() < MAX_DAMAGES {
            self.damages.push(damage);
        }
    }
}

/// Which functions return a code, by place in the schema.
pub(crate) fn code_functions(schema: &TraceSchema) -> Vec<bool> {
    let returns_code = |function: &cutape_cuda_api::Function| {
        function.signature.as_ref().is_some_and(|signature| {
            matches!(&signature.returns, Type::Named(name) if name == code_type(function.library))
        })
    };
    schema.functions().iter().map(returns_code).collect()
}
