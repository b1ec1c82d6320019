//! Reading a few calls of a trace by their numbers.

use std::collections::HashMap;

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

/// Calls that are read and passed over rather than looked up: about a block.
const NEAR: u64 = 8192;

/// The calls with these numbers, as far as they can be read. In a folder all calls up to the last one are counted off, once.
pub fn calls_by_number(trace: &Trace, mut numbers: Vec<u64>) -> HashMap<u64, Call> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut found = HashMap::with_capacity(numbers.len());
    let mut numbers = numbers.into_iter().peekable();
    while let Some(&first) = numbers.peek() {
        let mut calls = trace.calls_from(first);
        let mut call = Call::default();
        // Goes on while the next one is near, and in a folder to the end.
        while let Some(&wanted) = numbers.peek() {
            if trace.is_sealed() && wanted > call.seq.max(first) + NEAR {
                break;
            }
            match calls.read_next(&mut call) {
                Ok(true) => {}
                Ok(false) => return found,
                // Calls in a damaged block are not found.
                Err(_) => continue,
            }
            while numbers.next_if(|&number| number < call.seq).is_some() {}
            if numbers.next_if_eq(&call.seq).is_some() {
                found.insert(call.seq, call.clone());
            }
        }
    }
    found
}
