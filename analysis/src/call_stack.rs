//! The stacks that calls were made on, for people and for programs.

use cutape_trace_format::call::Call;
use cutape_trace_format::code::Place;
use cutape_trace_format::trace::Trace;
use serde::Serialize;

use crate::caller::push_place;
use crate::printable::push_printable;
use crate::quantity::{push_hex, text};

/// Functions of the C library that every thread begins in; they say nothing of the program.
const BEGINNINGS: [&str; 6] = [
    "_start",
    "__libc_start_main",
    "__libc_start_call_main",
    "start_thread",
    "__clone3",
    "clone",
];
/// Places shown of a stack where there is little room.
const SHORT: usize = 6;

/// Adds the stack of a call, a line for each place, as `strace -k` writes it: ` > libc.so.6(exit+0x1c) [0x3b1c]`. Nothing for a call
/// without.
pub fn push_stack(out: &mut String, trace: &Trace, call: &Call) {
    for place in trace.stack(call).into_iter().flatten() {
        out.push_str("\n > ");
        push_frame(out, &place);
    }
}

/// Adds a place of a stack: `libc.so.6(exit+0x1c) [0x3b1c]`.
pub fn push_frame(out: &mut String, place: &Place<'_>) {
    if let Some(file) = place.file_name() {
        push_printable(out, file);
        out.push('(');
        if let Some(symbol) = place.symbol {
            push_printable(out, symbol.name);
            out.push('+');
            push_hex(out, symbol.distance);
        }
        out.push_str(") ");
    }
    out.push('[');
    push_hex(out, place.offset);
    out.push(']');
}

/// A place of a stack, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Path of the file; without one `offset` is the address itself.
    pub module: Option<String>,
    /// Offset in the file, hexadecimal.
    pub offset: String,
    /// The function, where its name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The distance from its first byte, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol_offset: Option<String>,
}

impl From<Place<'_>> for Frame {
    fn from(place: Place<'_>) -> Self {
        Self {
            module: place.path.map(str::to_owned),
            offset: text(push_hex, place.offset),
            symbol: place.symbol.map(|symbol| symbol.name.to_owned()),
            symbol_offset: place.symbol.map(|symbol| text(push_hex, symbol.distance)),
        }
    }
}

/// The stack of a call; nothing for a call without.
pub fn frames(trace: &Trace, call: &Call) -> Vec<Frame> {
    let places = trace.stack(call).into_iter().flatten();
    places.map(Frame::from).collect()
}

/// The places above the call itself that tell most, the innermost first, as callers are written: without those that every thread begins in,
/// and of a long stack the inner ones and the program's own outermost one, with `...` for what is left out. Nothing for a call without a
/// stack.
pub fn short_stack(trace: &Trace, call: &Call) -> Vec<String> {
    let mut places: Vec<Place<'_>> = trace.stack(call).into_iter().flatten().skip(1).collect();
    let says_nothing = |place: &Place<'_>| {
        let name = place.symbol.map(|symbol| symbol.name);
        name.is_some_and(|name| BEGINNINGS.contains(&name))
    };
    while places.last().is_some_and(says_nothing) {
        places.pop();
    }
    let written = |place: &Place<'_>| {
        let mut out = String::new();
        push_place(&mut out, place);
        out
    };
    if places.len() <= SHORT {
        return places.iter().map(written).collect();
    }
    let program = trace
        .process(call.process)
        .map(|entry| entry.process.program.as_str());
    let inner = &places[..SHORT - 2];
    let mut lines: Vec<String> = inner.iter().map(written).collect();
    let outer = places[SHORT - 2..].iter();
    let own = outer.rev().find(|place| place.path == program);
    lines.push("...".to_owned());
    lines.extend(own.map(written));
    lines
}
