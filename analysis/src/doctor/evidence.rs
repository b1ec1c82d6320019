//! From numbers of calls to the calls, as `print` shows them.

use std::collections::HashMap;

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use super::finding::{Evidence, Finding};
use crate::caller::Callers;
use crate::text::{Detail, push_call};

/// Reads the calls that findings name once more and gives each finding its evidence.
pub fn attach(trace: &Trace, findings: &mut [Finding]) {
    let mut numbers: Vec<u64> = findings
        .iter()
        .flat_map(|finding| finding.calls.iter().copied())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let evidence = read(trace, &numbers);
    for finding in findings {
        let known = finding.calls.iter().filter_map(|seq| evidence.get(seq));
        finding.evidence = known.cloned().collect();
    }
}

fn read(trace: &Trace, numbers: &[u64]) -> HashMap<u64, Evidence> {
    let mut callers = Callers::default();
    let mut found = HashMap::new();
    let mut keep = |call: &Call| {
        found.insert(call.seq, evidence(trace, &mut callers, call));
    };
    if trace.is_sealed() {
        // Damage on the way was reported when the trace was read.
        let calls = numbers.iter().filter_map(|&seq| trace.call(seq).ok()?);
        calls.for_each(|call| keep(&call));
    } else if let Some(&last) = numbers.last() {
        // In a folder calls are counted off from the start, so one pass serves all.
        let mut reader = trace.calls();
        let mut call = Call::default();
        loop {
            match reader.read_next(&mut call) {
                Ok(true) if call.seq <= last => {
                    if numbers.binary_search(&call.seq).is_ok() {
                        keep(&call);
                    }
                }
                Ok(_) => break,
                Err(_) => {}
            }
        }
    }
    found
}

fn evidence(trace: &Trace, callers: &mut Callers, call: &Call) -> Evidence {
    let mut text = String::new();
    push_call(&mut text, trace.schema(), call, &Detail::LINE);
    Evidence {
        seq: call.seq,
        pid: trace.process(call.process).map(|entry| entry.process.pid),
        tid: trace.thread(call.thread).map(|thread| thread.tid),
        t_ns: call.begin_ns.saturating_sub(trace.start_ns()),
        caller: callers.name(trace, call).to_owned(),
        text,
    }
}
