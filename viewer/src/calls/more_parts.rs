//! Parts of an argument that its value doesn't have: arguments of the kernel that it leads to, the image or data that it refers to.

use cutape_analysis::quantity::{self, push_bytes};
use cutape_analysis::text::push_named_value;
use cutape_trace_format::kernel_arguments::{KernelArgument, KernelArguments, LayoutOrigin};
use cutape_trace_format::payload::{PayloadRef, PayloadState};
use cutape_trace_format::value::{Argument, Value};

use super::bytes::{BytesOf, Span};
use super::spot::Spots;
use super::tree::{DETAIL, Known, MOST_LINES, TreeLine};

/// Whether an argument has any.
pub(super) fn has(argument: &Argument<'_>) -> bool {
    argument.payload.is_some() || argument.kernels.iter().any(is_known)
}

fn is_known(kernel: &KernelArguments) -> bool {
    !kernel.params.is_empty() || !kernel.buffer.is_empty()
}

/// The bytes of an argument that has nothing else behind it.
pub(super) fn span(param: u8, argument: &Argument<'_>, spots: &Spots<'_>) -> Option<Span> {
    let payload = argument
        .payload
        .as_ref()
        .map(|_| BytesOf::Payload { param });
    let kernel = BytesOf::Kernel { param, number: 0 };
    payload
        .and_then(|of| spots.part(of))
        .or_else(|| spots.part(kernel))
}

/// Adds them.
pub(super) fn push(
    lines: &mut Vec<TreeLine>,
    argument: &Argument<'_>,
    path: &str,
    (param, known): (u8, &Known<'_>),
) {
    let several = argument.kernels.len() > 1;
    for (number, kernel) in argument.kernels.iter().enumerate() {
        if !is_known(kernel) {
            continue;
        }
        let (mut depth, mut path) = (2, path.to_owned());
        if several {
            path = format!("{path}.kernel {number}");
            lines.push(TreeLine {
                depth,
                name: format!("kernel {number}"),
                path: path.clone(),
                is_branch: true,
                ..TreeLine::default()
            });
            depth += 1;
        }
        push_kernel(lines, (kernel, number), (depth, &path), (param, known));
    }
    if let Some(payload) = &argument.payload {
        push_payload(
            lines,
            payload,
            path,
            known.spots.part(BytesOf::Payload { param }),
        );
    }
}

fn push_kernel(
    lines: &mut Vec<TreeLine>,
    (kernel, number): (&KernelArguments, usize),
    (depth, path): (u8, &str),
    (param, known): (u8, &Known<'_>),
) {
    let buffer = known.spots.part(BytesOf::Kernel { param, number });
    let origin = match kernel.origin {
        LayoutOrigin::Unknown => "nobody says how they lie",
        LayoutOrigin::Driver => "laid out as the driver says",
        LayoutOrigin::Image => "laid out as the module's image says",
    };
    lines.push(TreeLine {
        depth,
        name: "all".to_owned(),
        value: format!("{} bytes", kernel.buffer.len()),
        type_name: origin.to_owned(),
        path: format!("{path}.all"),
        span: buffer,
        ..TreeLine::default()
    });
    for (place, argument) in kernel.params.iter().enumerate() {
        if lines.len() >= MOST_LINES {
            return;
        }
        lines.push(kernel_argument(
            (place, argument),
            (depth, path),
            (param, known),
            buffer,
        ));
    }
}

/// What an argument's type is, nobody says: a word that looks like an address is shown as one.
fn kernel_argument(
    (place, argument): (usize, &KernelArgument),
    (depth, path): (u8, &str),
    (param, known): (u8, &Known<'_>),
    buffer: Option<Span>,
) -> TreeLine {
    let word = argument.bytes.as_deref().filter(|bytes| bytes.len() <= 8);
    let word = word.map(|bytes| {
        let add = |word, &byte: &u8| word << 8 | u64::from(byte);
        bytes.iter().rev().fold(0, add)
    });
    let is_address = word.is_some_and(|word| word > u64::from(u32::MAX));
    let value = match (word, &argument.bytes) {
        (Some(word), _) if is_address => Value::DevicePointer(word),
        (Some(word), _) => Value::Uint(word),
        (None, Some(bytes)) => Value::Bytes {
            bytes: bytes.clone(),
            full_bytes: None,
        },
        (None, None) => Value::NotRecorded,
    };
    let start = argument.offset as usize;
    let length = argument.size as usize;
    let unit = if length == 1 { "byte" } else { "bytes" };
    let mut line = TreeLine {
        depth,
        name: place.to_string(),
        path: format!("{path}.{place}"),
        type_name: format!("{length} {unit} at {start:#x}"),
        word: word.filter(|_| is_address),
        object: known.object(param, word.filter(|_| is_address)),
        span: buffer
            .filter(|buffer| length > 0 && start.saturating_add(length) <= buffer.length)
            .map(|buffer| Span {
                start,
                length,
                ..buffer
            }),
        ..TreeLine::default()
    };
    push_named_value(&mut line.value, &value, (known.names, param), &DETAIL);
    line
}

fn push_payload(lines: &mut Vec<TreeLine>, payload: &PayloadRef, path: &str, span: Option<Span>) {
    let mut push = |name: &str, value: String| {
        lines.push(TreeLine {
            depth: 2,
            name: name.to_owned(),
            value,
            path: format!("{path}.{name}"),
            span,
            ..TreeLine::default()
        });
    };
    push("content", payload.kind.name().to_owned());
    if payload.bytes > 0 {
        push("size", quantity::text(push_bytes, payload.bytes));
    }
    match (payload.state, payload.hash) {
        (PayloadState::Stored, Some(hash)) => push("blake3", hash.to_string()),
        (state, _) => push("kept", format!("no: {}", state.reason())),
    }
}
