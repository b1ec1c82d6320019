//! Module images, copied data and kernel arguments as text.

use cutape_trace_format::call::Call;
use cutape_trace_format::kernel_arguments::{KernelArgument, KernelArguments};
use cutape_trace_format::payload::{PayloadRef, PayloadState};
use cutape_trace_format::value::Value;

use super::value::{Manner, push_value, push_word};
use crate::quantity::{push_bytes, push_decimal};

/// Adds `<fatbin 1.2 MiB blake3:12ab34cd>`, or why the content is not in the trace.
pub(super) fn push_payload(out: &mut String, payload: &PayloadRef) {
    out.push('<');
    out.push_str(payload.kind.name());
    if payload.bytes > 0 || payload.state == PayloadState::Stored {
        out.push(' ');
        push_bytes(out, payload.bytes);
    }
    if payload.copy != 0 {
        out.push_str(" of copy ");
        push_decimal(out, payload.copy);
    }
    if payload.state != PayloadState::Stored {
        out.push_str(", not captured: ");
        out.push_str(payload.state.reason());
    } else if let Some(hash) = &payload.hash {
        out.push_str(" blake3:");
        out.push_str(&hash.short());
    }
    out.push('>');
}

/// Adds what asynchronous copies have brought: ` brought <data 64 bytes of copy 3 blake3:12ab34cd>`.
pub(super) fn push_arrivals(out: &mut String, call: &Call) {
    for (number, arrival) in call.arrivals().enumerate() {
        out.push_str(if number == 0 { " brought " } else { ", " });
        push_payload(out, &arrival);
    }
}

/// Adds the arguments of kernels: `[0x7f2a00000000, 1024, 0.5]`, one list a kernel.
pub(super) fn push_kernels(out: &mut String, kernels: &[KernelArguments], manner: Manner<'_>) {
    for (number, kernel) in kernels.iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        push_kernel(out, kernel, manner);
    }
}

fn push_kernel(out: &mut String, kernel: &KernelArguments, manner: Manner<'_>) {
    if kernel.params.is_empty() && !kernel.buffer.is_empty() {
        push_raw(out, &kernel.buffer, manner);
        out.push_str(" /* layout unknown */");
        return;
    }
    out.push('[');
    for (number, param) in kernel.params.iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        push_param(out, param, manner);
    }
    out.push(']');
}

/// What a parameter's type is, nobody says: words that look like addresses are shown as such, by name
/// where they lie in known memory; other words are numbers.
fn push_param(out: &mut String, param: &KernelArgument, manner: Manner<'_>) {
    let Some(bytes) = &param.bytes else {
        out.push('?');
        return;
    };
    match bytes.len() {
        1 | 2 | 4 | 8 => {
            let word = bytes
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte));
            if word > u64::from(u32::MAX) {
                push_word(out, word, manner);
            } else {
                push_decimal(out, word);
            }
        }
        _ => push_raw(out, bytes, manner),
    }
}

fn push_raw(out: &mut String, bytes: &[u8], manner: Manner<'_>) {
    let value = Value::Bytes {
        bytes: bytes.to_vec(),
        full_bytes: None,
    };
    push_value(out, &value, manner);
}
