//! Who called: return addresses as file name and offset.

use std::collections::HashMap;

use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::trace::Trace;

use crate::printable::push_printable;
use crate::quantity::push_hex;

/// Names kept at most; a program that makes code as it runs has any number of call sites.
const MAX_KEPT: usize = 1 << 16;

/// Finds the callers of calls, and remembers those found.
#[derive(Debug, Default)]
pub struct Callers {
    /// By process, address, and the number of load maps read before the call.
    known: HashMap<(ProcessId, u64, usize), String>,
}

impl Callers {
    /// The caller as `libggml-cuda.so+0x1b2c3`, file name and offset in the file; the bare address where no file is known to be mapped.
    pub fn name(&mut self, trace: &Trace, call: &Call) -> &str {
        let maps = trace.process(call.process).map_or(0, |process| {
            process
                .libraries
                .iter()
                .filter(|map| map.since_ns <= call.begin_ns)
                .count()
        });
        if self.known.len() >= MAX_KEPT {
            self.known.clear();
        }
        self.known
            .entry((call.process, call.caller, maps))
            .or_insert_with(|| caller_name(trace, call))
    }
}

fn caller_name(trace: &Trace, call: &Call) -> String {
    let mut name = String::new();
    match trace.module_at(call.process, call.caller, call.begin_ns) {
        Some((library, offset)) => {
            let file = library.path.rsplit('/').next().unwrap_or(&library.path);
            push_printable(&mut name, file);
            name.push('+');
            push_hex(&mut name, offset);
        }
        None => push_hex(&mut name, call.caller),
    }
    name
}
