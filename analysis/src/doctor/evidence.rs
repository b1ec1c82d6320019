//! From numbers of calls to the calls, as `print` shows them.

use std::collections::HashMap;

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use super::diagnosing::LookUp;
use super::finding::{Evidence, Finding};
use crate::call_stack::{frames, short_stack};
use crate::caller::Callers;
use crate::injection::rules_on;
use crate::objects::{CallNames, names_in};
use crate::text::{Detail, push_named_call};

/// Gives each finding the calls that it names as evidence. `look_up` gives the calls of these numbers, which rise, with their names.
pub fn attach(trace: &Trace, findings: &mut [Finding], look_up: &mut LookUp<'_>) {
    let mut numbers: Vec<u64> = findings
        .iter()
        .flat_map(|finding| finding.calls.iter().copied())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut callers = Callers::default();
    let calls = look_up(&numbers);
    let evidence: HashMap<u64, Evidence> = calls
        .iter()
        .map(|(call, names)| (call.seq, evidence(trace, &mut callers, (call, names))))
        .collect();
    for finding in findings {
        let known = finding.calls.iter().filter_map(|seq| evidence.get(seq));
        finding.evidence = known.cloned().collect();
    }
}

/// Calls up to which handles and addresses are shown by their names, as `print` does: names need all calls before.
const MAX_NAMED: u64 = 1 << 20;

/// The calls of those numbers, which rise, with their names, read from the trace.
pub fn read(trace: &Trace, numbers: &[u64]) -> Vec<(Call, CallNames)> {
    let calls = calls(trace, numbers);
    let names = if trace.call_count() <= MAX_NAMED {
        names_in(trace, &calls)
    } else {
        vec![CallNames::default(); calls.len()]
    };
    calls.into_iter().zip(names).collect()
}

/// The calls of those numbers, which rise.
fn calls(trace: &Trace, numbers: &[u64]) -> Vec<Call> {
    if trace.is_sealed() {
        // Damage on the way was reported when the trace was read.
        let calls = numbers.iter().filter_map(|&seq| trace.call(seq).ok()?);
        return calls.collect();
    }
    // In a folder calls are counted off from the start, so one pass serves all.
    let mut found = Vec::new();
    let mut reader = trace.calls();
    let mut call = Call::default();
    while found.len() < numbers.len() {
        match reader.read_next(&mut call) {
            Ok(true) if numbers.binary_search(&call.seq).is_ok() => found.push(call.clone()),
            Ok(true) | Err(_) => {}
            Ok(false) => break,
        }
    }
    found
}

fn evidence(trace: &Trace, callers: &mut Callers, (call, names): (&Call, &CallNames)) -> Evidence {
    let mut text = String::new();
    push_named_call(&mut text, trace.schema(), (call, names), &Detail::LINE);
    Evidence {
        seq: call.seq,
        pid: trace.process(call.process).map(|entry| entry.process.pid),
        tid: trace.thread(call.thread).map(|thread| thread.tid),
        t_ns: call.begin_ns.saturating_sub(trace.start_ns()),
        caller: callers.name(trace, call).to_owned(),
        stack: frames(trace, call),
        short_stack: short_stack(trace, call),
        text,
        injected: rules_on(trace, call),
    }
}
