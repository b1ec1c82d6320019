//! Which calls failed, which of those are harmless, and which are slow.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use cutape_analysis::benign::{BENIGN_PROBES, BenignJudge, Condition};
use cutape_analysis::histogram::Histogram;
use cutape_analysis::index::{CallKind, Row};
use cutape_analysis::outcome::outcome_of;
use cutape_trace_format::call::ProcessId;
use cutape_trace_format::schema::TraceSchema;

use crate::opened::Reading;

/// Look-ups read of each process to learn the version of its runtime, which asks for its own version first.
const MAX_LOOK_UPS: usize = 2048;
/// Failures looked at one by one; those beyond it count as failures.
const MAX_CLOSE_LOOKS: usize = 1 << 16;

/// What became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It did what it was asked, as far as its answer says.
    #[default]
    Fine,
    /// It failed, and that is no harm.
    Benign,
    /// It never returned, or has not yet.
    InFlight,
    /// It failed.
    Failed,
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

/// Judges calls, one after the other.
#[derive(Debug, Default)]
pub struct Judging {
    verdicts: Verdicts,
    times: Histogram,
    /// Failures that have to be looked at closely.
    failures: Vec<u64>,
    look_ups: HashMap<ProcessId, Vec<u64>>,
}

impl Judging {
    /// Judges the next call.
    pub fn add(&mut self, schema: &TraceSchema, seq: u64, row: &Row) {
        let kind = row.kind();
        let verdicts = &mut self.verdicts;
        let judged = verdicts.by_kind.entry(kind);
        match *judged.or_insert_with(|| by_answer(schema, &kind)) {
            Verdict::Fine => {}
            Verdict::InFlight => verdicts.in_flight += 1,
            Verdict::Benign => {
                verdicts.failed += 1;
                verdicts.benign_count += 1;
            }
            Verdict::Failed => {
                verdicts.failed += 1;
                let asks_table = base_is(schema, &kind, "cuGetExportTable");
                if asks_table && self.failures.len() < MAX_CLOSE_LOOKS {
                    self.failures.push(seq);
                }
            }
        }
        if base_is(schema, &kind, "cuGetProcAddress") {
            let of_process = self.look_ups.entry(row.process).or_default();
            if of_process.len() < MAX_LOOK_UPS {
                of_process.push(seq);
            }
        }
        row.duration_ns
            .into_iter()
            .for_each(|ns| self.times.add(ns));
    }

    /// What became of the calls so far.
    pub fn verdicts(&mut self, reading: &Reading<'_>) -> Verdicts {
        self.look_closely(reading);
        self.verdicts.slow_ns = self.times.percentile_ns(99);
        self.verdicts.clone()
    }

    fn look_closely(&mut self, reading: &Reading<'_>) {
        if self.failures.is_empty() {
            return;
        }
        let schema = reading.trace().schema();
        let failures: HashSet<u64> = self.failures.drain(..).collect();
        let mut numbers: Vec<u64> = self.look_ups.values().flatten().copied().collect();
        numbers.extend(&failures);
        numbers.sort_unstable();
        let mut judges: HashMap<ProcessId, BenignJudge> = HashMap::new();
        let verdicts = &mut self.verdicts;
        reading.calls(numbers, |call| {
            let judge = judges.entry(call.process).or_default();
            judge.observe(schema, call);
            if failures.contains(&call.seq)
                && judge.probe(schema, call).is_some()
                && verdicts.benign.insert(call.seq)
            {
                verdicts.benign_count += 1;
            }
            ControlFlow::Continue(())
        });
    }
}

impl Verdicts {
    /// The verdict on a call that was judged; of others, nothing bad is known.
    pub fn known(&self, seq: u64, row: &Row) -> Verdict {
        if self.benign.contains(&seq) {
            return Verdict::Benign;
        }
        self.by_kind.get(&row.kind()).copied().unwrap_or_default()
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
