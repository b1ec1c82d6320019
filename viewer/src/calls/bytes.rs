//! What was copied for a call: memory behind its pointers, arguments of kernels, the beginning of images and data.

use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{self, push_hex};
use cutape_trace_format::call::Call;
use cutape_trace_format::capture_number::{ARRIVED, CaptureOf, PAYLOAD, is_of_call};
use cutape_trace_format::payload::{PayloadRef, PayloadState};
use cutape_trace_format::record::Captured;
use cutape_trace_format::trace::Trace;

/// Bytes of a part that are kept for showing; the trace has all of them.
const MOST_BYTES: usize = 64 << 10;
/// Bytes of an image, or of copied data, that are shown.
const MOST_OF_PAYLOAD: usize = 4 << 10;
/// Contents up to which their beginning is read: it takes reading all of it.
const MOST_READ: u64 = 32 << 20;

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesOf {
    /// What a parameter points to, after the call if `out`.
    Parameter {
        /// The parameter.
        param: u8,
        /// After the call.
        out: bool,
    },
    /// What a pointer inside the structures of a parameter leads to.
    Region {
        /// The parameter.
        param: u8,
        /// After the call.
        out: bool,
        /// The pointer.
        address: u64,
    },
    /// Arguments of a kernel that a parameter leads to.
    Kernel {
        /// The parameter.
        param: u8,
        /// Which kernel.
        number: usize,
    },
    /// The module image or copied data that a parameter refers to.
    Payload {
        /// The parameter.
        param: u8,
    },
}

/// Bytes that belong to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// What they are.
    pub of: BytesOf,
    /// What they are, for people.
    pub title: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub full: u64,
}

/// Some of a part's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The part, by its place.
    pub part: usize,
    /// The first byte.
    pub start: usize,
    /// How many.
    pub length: usize,
}

impl Span {
    /// The bytes behind the last one.
    pub fn end(&self) -> usize {
        self.start.saturating_add(self.length)
    }
}

/// All that was copied for a call.
pub fn parts(trace: &Trace, call: &Call) -> Vec<Bytes> {
    let mut parts: Vec<Bytes> = call
        .captures()
        // What rules of the recording did is told in words, and so is the stack.
        .filter(|capture| !is_of_call(capture.param))
        .filter_map(|capture| of_capture(trace, call, &capture))
        .collect();
    let params = call.captures().filter_map(|capture| {
        let of = CaptureOf::number(capture.param);
        match of {
            CaptureOf::KernelArguments(param) => Some(param),
            _ => None,
        }
    });
    let mut params: Vec<u8> = params.collect();
    params.dedup();
    for param in params {
        for (number, kernel) in call.kernel_arguments(param).into_iter().enumerate() {
            if !kernel.buffer.is_empty() {
                let title = format!("{}: arguments of the kernel", name_of(trace, call, param));
                parts.push(part(
                    BytesOf::Kernel { param, number },
                    title,
                    &kernel.buffer,
                    None,
                ));
            }
        }
    }
    for (param, payload) in call.payloads() {
        parts.extend(of_payload(
            trace,
            (param, &payload),
            name_of(trace, call, param),
        ));
    }
    parts
}

/// The name of a parameter.
fn name_of(trace: &Trace, call: &Call, number: u8) -> String {
    let function = trace.function(call.function);
    let signature = function.and_then(|function| function.signature.as_ref());
    let param = signature.and_then(|signature| signature.params.get(usize::from(number)));
    let mut name = String::new();
    match param {
        Some(param) => push_printable(&mut name, &param.name),
        None if PAYLOAD | number == ARRIVED => "data that has come".clone_into(&mut name),
        None => name = format!("arg{number}"),
    }
    name
}

fn part(of: BytesOf, title: String, bytes: &[u8], full: Option<u64>) -> Bytes {
    Bytes {
        of,
        title,
        bytes: bytes[..bytes.len().min(MOST_BYTES)].to_vec(),
        full: full.unwrap_or(bytes.len() as u64),
    }
}

fn of_capture(trace: &Trace, call: &Call, capture: &Captured<'_>) -> Option<Bytes> {
    let out = capture.out;
    let when = if out {
        "after the call"
    } else {
        "before the call"
    };
    match CaptureOf::number(capture.param) {
        CaptureOf::Parameter(param) => Some(part(
            BytesOf::Parameter { param, out },
            format!("{} {when}", name_of(trace, call, param)),
            capture.bytes,
            capture.full,
        )),
        CaptureOf::Region(param) => {
            let (address, bytes) = capture.bytes.split_first_chunk::<8>()?;
            let address = u64::from_le_bytes(*address);
            let name = name_of(trace, call, param);
            Some(part(
                BytesOf::Region {
                    param,
                    out,
                    address,
                },
                format!("{name}, at {} {when}", quantity::text(push_hex, address)),
                bytes,
                capture.full.map(|full| full.saturating_sub(8)),
            ))
        }
        CaptureOf::KernelArguments(_) | CaptureOf::Payload(_) => None,
    }
}

/// The beginning of an image or of copied data, where the trace has it.
fn of_payload(trace: &Trace, (param, payload): (u8, &PayloadRef), name: String) -> Option<Bytes> {
    let hash = payload
        .hash
        .filter(|_| payload.state == PayloadState::Stored)?;
    let mut bytes = Vec::new();
    let kind = payload.kind.name();
    let title = if payload.bytes > MOST_READ {
        format!("{name}: {kind}, too long to be shown")
    } else {
        let read = trace.payloads().read_pieces(&hash, &mut |piece| {
            let room = MOST_OF_PAYLOAD - bytes.len();
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        });
        match read {
            Ok(()) => format!("{name}: {kind}"),
            Err(error) => {
                bytes.clear();
                let mut why = String::new();
                push_printable(&mut why, &error.to_string());
                format!("{name}: {kind} that can't be read: {why}")
            }
        }
    };
    Some(part(
        BytesOf::Payload { param },
        title,
        &bytes,
        Some(payload.bytes),
    ))
}
