//! Which calls failed, which of those are harmless, and which are slow.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use cutape_analysis::benign::{BENIGN_PROBES, BenignJudge, Condition};
use cutape_analysis::histogram::Histogram;
use cutape_analysis::index::{CallKind, Index, Row};
use cutape_analysis::outcome::outcome_of;
use cutape_trace_format::call::ProcessId;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use crate::opened::read_calls;

/// Look-ups read of each process to learn the version of its runtime, which asks for its own version first.
const MAX_LOOK_UPS: usize = 2048;
/// Failures looked at one by one; those beyond it count as failures.
const MAX_CLOSE_LOOKS: usize = 1 << 16;

/// What became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it was asked, as far as its answer says.
    #[default]
    Fine,
    /// It failed.
    Failed,
    /// It failed, and that is no harm.
    Benign,
    /// It never returned, or has not yet.
    InFlight,
}

/// What became of all calls.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    by_kind: HashMap<CallKind, Verdict>,
    /// Failed calls that are benign for what they were given.
    benign: HashSet<u64>,
    /// Calls that failed, the benign ones included.
    pub failed: u64,
    /// Benign ones among them.
    pub benign_count: u64,
    /// Calls that never returned.
    pub in_flight: u64,
    /// Time that 99 of 100 calls do not exceed, nanoseconds.
    pub slow_ns: Option<u64>,
}

/// Calls that have to be read before they can be judged.
#[derive(Default)]
struct CloseLooks {
    failures: Vec<u64>,
    look_ups: HashMap<ProcessId, Vec<u64>>,
}

impl Verdicts {
    /// Judges all calls of an index; `None` when `stop` says so.
    pub fn of(trace: &Trace, index: &Index, stop: &dyn Fn() -> bool) -> Option<Self> {
        let mut verdicts = Self::default();
        let mut looks = CloseLooks::default();
        let mut times = Histogram::default();
        for (seq, row) in index.rows_from(1) {
            if seq.is_multiple_of(1 << 16) && stop() {
                return None;
            }
            verdicts.add(trace.schema(), (seq, &row), &mut looks);
            row.duration_ns.into_iter().for_each(|ns| times.add(ns));
        }
        verdicts.slow_ns = times.percentile_ns(99);
        verdicts.look_closely(trace, looks);
        Some(verdicts)
    }

    /// The verdict on a call.
    pub fn on(&self, schema: &TraceSchema, seq: u64, row: &Row) -> Verdict {
        if self.benign.contains(&seq) {
            return Verdict::Benign;
        }
        match self.by_kind.get(&row.kind()) {
            Some(&verdict) => verdict,
            None => by_answer(schema, &row.kind()),
        }
    }

    fn add(&mut self, schema: &TraceSchema, call: (u64, &Row), looks: &mut CloseLooks) {
        let (seq, row) = call;
        let kind = row.kind();
        let verdict = *self
            .by_kind
            .entry(kind)
            .or_insert_with(|| by_answer(schema, &kind));
        match verdict {
            Verdict::Fine => {}
            Verdict::InFlight => self.in_flight += 1,
            Verdict::Benign => {
                self.failed += 1;
                self.benign_count += 1;
            }
            Verdict::Failed => {
                self.failed += 1;
                if base_is(schema, &kind, "cuGetExportTable")
                    && looks.failures.len() < MAX_CLOSE_LOOKS
                {
                    looks.failures.push(seq);
                }
            }
        }
        if base_is(schema, &kind, "cuGetProcAddress") {
            let of_process = looks.look_ups.entry(row.process).or_default();
            if of_process.len() < MAX_LOOK_UPS {
                of_process.push(seq);
            }
        }
    }

    fn look_closely(&mut self, trace: &Trace, looks: CloseLooks) {
        if looks.failures.is_empty() {
            return;
        }
        let failures: HashSet<u64> = looks.failures.iter().copied().collect();
        let mut numbers = looks.failures;
        numbers.extend(looks.look_ups.into_values().flatten());
        numbers.sort_unstable();
        let mut judges: HashMap<ProcessId, BenignJudge> = HashMap::new();
        read_calls(trace, numbers, |call| {
            let judge = judges.entry(call.process).or_default();
            judge.observe(trace.schema(), call);
            if failures.contains(&call.seq) && judge.probe(trace.schema(), call).is_some() {
                self.benign.insert(call.seq);
                self.benign_count += 1;
            }
            ControlFlow::Continue(())
        });
    }
}

fn base_is(schema: &TraceSchema, kind: &CallKind, base: &str) -> bool {
    let function = schema.function(kind.function);
    function.is_some_and(|function| function.base == base)
}

/// What the answer alone says.
fn by_answer(schema: &TraceSchema, kind: &CallKind) -> Verdict {
    let Some(code) = outcome_of(schema, kind.function, kind.returned).code() else {
        return match kind.returned {
            None => Verdict::InFlight,
            Some(_) => Verdict::Fine,
        };
    };
    let benign = BENIGN_PROBES.iter().any(|probe| {
        probe.condition == Condition::Always
            && probe.code.is_none_or(|known| known == code)
            && base_is(schema, kind, probe.base)
    });
    match code {
        0 => Verdict::Fine,
        _ if benign => Verdict::Benign,
        _ => Verdict::Failed,
    }
}
