//! Who called: return addresses as file, function and offset.

use std::collections::HashMap;

use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::code::Place;
use cutape_trace_format::trace::Trace;

use crate::printable::push_printable;
use crate::quantity::push_hex;

/// Names kept at most; a program that makes code as it runs has any number of call sites.
const MAX_KEPT: usize = 1 << 16;

/// Finds the callers of calls, and remembers those found.
#[derive(Debug, Default)]
pub struct Callers {
    /// Without functions.
    raw: bool,
    /// By process, address, and the number of load maps read before the call.
    known: HashMap<(ProcessId, u64, usize), Caller>,
}

/// Who called, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// `libggml-cuda.so ggml_backend_cuda_reg+0x2c`; without a function's name `libggml-cuda.so+0x1b2c3`, the offset in the file; the bare
    /// address where no file is known to be mapped.
    pub text: String,
    /// How much of the text names the file.
    pub file_bytes: usize,
}

impl Caller {
    /// The file's name; empty where none is known.
    pub fn file(&self) -> &str {
        &self.text[..self.file_bytes]
    }
}

impl Callers {
    /// Callers by file and offset only.
    pub fn raw() -> Self {
        Self {
            raw: true,
            ..Self::default()
        }
    }

    /// The caller as text.
    pub fn name(&mut self, trace: &Trace, call: &Call) -> &str {
        &self.find(trace, call).text
    }

    /// The caller.
    pub fn find(&mut self, trace: &Trace, call: &Call) -> &Caller {
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
        let raw = self.raw;
        self.known
            .entry((call.process, call.caller, maps))
            .or_insert_with(|| caller(trace, call, raw))
    }
}

fn caller(trace: &Trace, call: &Call, raw: bool) -> Caller {
    let mut place = trace.caller(call);
    if raw {
        place.symbol = None;
    }
    let mut text = String::new();
    let file_bytes = push_place(&mut text, &place);
    Caller { text, file_bytes }
}

/// Adds a place, see [`Caller::text`]. Returns how many bytes name the file.
pub(crate) fn push_place(out: &mut String, place: &Place<'_>) -> usize {
    let Some(file) = place.file_name() else {
        push_hex(out, place.offset);
        return 0;
    };
    let start = out.len();
    push_printable(out, file);
    let file_bytes = out.len() - start;
    match place.symbol {
        Some(symbol) => {
            out.push(' ');
            push_printable(out, symbol.name);
            out.push('+');
            push_hex(out, symbol.distance);
        }
        None => {
            out.push('+');
            push_hex(out, place.offset);
        }
    }
    file_bytes
}
