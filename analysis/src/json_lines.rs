//! One JSON object a line: what `cutape print --format jsonl` and `cutape export --to jsonl` write. docs/jsonl.md describes it for users.
//!
//! Written by hand rather than through a JSON tree, because arguments keep the order of the prototype.

use std::fmt::Write;

use cutape_trace_format::call::Call;
use cutape_trace_format::code::Place;
use cutape_trace_format::decode::decode;
use cutape_trace_format::kernel_arguments::KernelArguments;
use cutape_trace_format::payload::PayloadRef;
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::{Argument, Value};

use crate::injection::rules_on;
use crate::objects::CallNames;

/// The `schema` member of the first line.
pub const SCHEMA: &str = "cutape.print";
/// The `version` member of the first line.
pub const VERSION: u32 = 1;

/// Numbers beyond this are strings: a double holds no more exactly, and most JSON readers use doubles.
const EXACT: u64 = 1 << 53;

/// The first line, without line end.
pub fn header(trace: &Trace) -> String {
    let mut line = Object::default();
    line.text("schema", SCHEMA);
    line.uint("version", VERSION.into());
    let recording = trace.recording();
    line.member("cutape", |out| match recording {
        Some(recording) => text(out, &recording.cutape_version),
        None => out.push_str("null"),
    });
    line.member("command", |out| {
        list(
            out,
            recording.map_or(&[][..], |recording| &recording.command),
            |out, word| text(out, word),
        )
    });
    line.optional(
        "host",
        recording.map(|recording| recording.host.as_str()),
        text,
    );
    line.optional("start_realtime_ns", trace.start_realtime_ns(), uint);
    line.uint("start_monotonic_ns", trace.start_ns());
    line.finish()
}

/// The line of a call, without line end.
pub fn call(trace: &Trace, call: &Call) -> String {
    self::line(trace, call).finish()
}

/// The line of a call, without line end, with the part of the API that it is of and the names of the objects that it refers to.
pub fn named_call(trace: &Trace, call: &Call, names: &CallNames) -> String {
    let mut line = self::line(trace, call);
    let function = trace.function(call.function);
    line.optional(
        "family",
        function.map(|function| function.family.as_str()),
        text,
    );
    line.member("objects", |out| objects(out, trace, (call, names)));
    line.finish()
}

fn line(trace: &Trace, call: &Call) -> Object {
    let decoded = decode(trace.schema(), call);
    let thread = trace.thread(call.thread);
    let mut line = Object::default();
    line.uint("seq", call.seq);
    line.optional(
        "pid",
        trace
            .process(call.process)
            .map(|entry| entry.process.pid.into()),
        uint,
    );
    line.optional("tid", thread.map(|thread| thread.tid.into()), uint);
    line.optional("thread", thread.map(|thread| thread.name.as_str()), text);
    line.member("t_ns", |out| {
        int(
            out,
            i128::from(call.begin_ns) - i128::from(trace.start_ns()),
        )
    });
    line.optional("dur_ns", call.duration_ns, uint);
    line.text("api", &trace.function_name(call.function));
    line.member("args", |out| arguments(out, &decoded.arguments));
    payloads(&mut line, &decoded.arguments);
    arrivals(&mut line, call);
    returned(&mut line, decoded.returned.as_ref());
    line.member("caller", |out| caller(out, trace, call));
    line.member("in_flight", |out| {
        out.push_str(if call.returned.is_none() {
            "true"
        } else {
            "false"
        })
    });
    injection(&mut line, trace, call);
    stack(&mut line, trace, call);
    line
}

/// Only on calls on which rules of the recording acted: which they are, and what the driver itself answered.
fn injection(line: &mut Object, trace: &Trace, call: &Call) {
    let Some(injection) = call.injection() else {
        return;
    };
    let truth = |out: &mut String, is_so: bool| out.push_str(if is_so { "true" } else { "false" });
    let made_up = injection.made_up(call.returned);
    let mut object = Object::default();
    object.member("rules", |out| {
        list(out, &rules_on(trace, call), |out, rule| text(out, rule));
    });
    object.member("made_up", |out| truth(out, made_up));
    object.member("delayed", |out| truth(out, injection.delayed));
    object.member("signalled", |out| truth(out, injection.signalled));
    let own = call.as_the_driver_answered();
    object.optional("driver", own.as_ref(), |out, own| {
        let decoded = decode(trace.schema(), own);
        let mut answer = Object::default();
        answer.member("args", |out| arguments(out, &decoded.arguments));
        returned(&mut answer, decoded.returned.as_ref());
        out.push_str(&answer.finish());
    });
    line.member("injected", |out| out.push_str(&object.finish()));
}

fn returned(object: &mut Object, returned: Option<&Value<'_>>) {
    let (code, name) = match returned {
        Some(Value::Enum { value, name }) => (Some(Value::Int(*value)), *name),
        other => (other.cloned(), None),
    };
    object.optional("ret", code.as_ref(), value);
    object.optional("ret_name", name, text);
}

/// An object under construction.
#[derive(Default)]
struct Object(String);

impl Object {
    fn member(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        text(&mut self.0, name);
        self.0.push(':');
        write(&mut self.0);
    }

    fn text(&mut self, name: &str, content: &str) {
        self.member(name, |out| text(out, content));
    }

    fn uint(&mut self, name: &str, number: u64) {
        self.member(name, |out| uint(out, number));
    }

    /// `null` where there is nothing.
    fn optional<T>(&mut self, name: &str, content: Option<T>, write: impl FnOnce(&mut String, T)) {
        self.member(name, |out| match content {
            Some(content) => write(out, content),
            None => out.push_str("null"),
        });
    }

    fn finish(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

fn text(out: &mut String, content: &str) {
    out.push('"');
    for character in content.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => number(out, format_args!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Writing to a string can't fail.
fn number(out: &mut String, number: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(number);
}

fn uint(out: &mut String, value: u64) {
    int(out, value.into());
}

fn int(out: &mut String, value: i128) {
    if value.unsigned_abs() > EXACT.into() {
        number(out, format_args!("\"{value}\""));
    } else {
        number(out, format_args!("{value}"));
    }
}

fn hex(out: &mut String, value: u64) {
    number(out, format_args!("\"{value:#x}\""));
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn arguments(out: &mut String, arguments: &[Argument<'_>]) {
    let mut object = Object::default();
    for (place, argument) in arguments.iter().enumerate() {
        if argument.name.is_empty() {
            object.member(&format!("arg{place}"), |out| value(out, &argument.value));
        } else {
            object.member(&argument.name, |out| value(out, &argument.value));
        }
    }
    out.push_str(&object.finish());
}

/// The names of the objects that a call refers to, by argument; where an argument has several, with spaces between them.
fn objects(out: &mut String, trace: &Trace, (call, names): (&Call, &CallNames)) {
    let mut object = Object::default();
    for (name, labels) in names.by_argument(trace.schema(), call) {
        object.text(&name, &labels);
    }
    out.push_str(&object.finish());
}

/// Adds members for module images, copied data and kernel arguments, of calls that have them.
fn payloads(line: &mut Object, arguments: &[Argument<'_>]) {
    if arguments.iter().any(|argument| argument.payload.is_some()) {
        line.member("payloads", |out| {
            let mut object = Object::default();
            for argument in arguments {
                if let Some(reference) = &argument.payload {
                    object.member(&argument.name, |out| payload(out, reference));
                }
            }
            out.push_str(&object.finish());
        });
    }
    if arguments
        .iter()
        .any(|argument| !argument.kernels.is_empty())
    {
        line.member("kernel_args", |out| {
            let mut object = Object::default();
            for argument in arguments
                .iter()
                .filter(|argument| !argument.kernels.is_empty())
            {
                object.member(&argument.name, |out| list(out, &argument.kernels, kernel));
            }
            out.push_str(&object.finish());
        });
    }
}

/// Only on calls with which the program has waited for data: what copies have brought.
fn arrivals(line: &mut Object, call: &Call) {
    let arrivals: Vec<PayloadRef> = call.arrivals().collect();
    if !arrivals.is_empty() {
        line.member("arrived", |out| list(out, &arrivals, payload));
    }
}

fn payload(out: &mut String, reference: &PayloadRef) {
    let mut object = Object::default();
    object.text("kind", reference.kind.name());
    object.uint("bytes", reference.bytes);
    object.optional("blake3", reference.hash, |out, hash| {
        text(out, &hash.to_string());
    });
    object.text("state", reference.state.reason());
    if reference.copy != 0 {
        object.uint("copy", reference.copy);
    }
    out.push_str(&object.finish());
}

fn kernel(out: &mut String, kernel: &KernelArguments) {
    let mut object = Object::default();
    object.text("layout", kernel.origin.name());
    object.member("params", |out| {
        list(out, &kernel.params, |out, param| {
            let mut object = Object::default();
            object.uint("offset", param.offset.into());
            object.uint("size", param.size.into());
            object.optional("bytes", param.bytes.as_deref(), hex_bytes);
            out.push_str(&object.finish());
        });
    });
    // Without a layout the buffer is all that there is.
    if kernel.params.is_empty() && !kernel.buffer.is_empty() {
        object.member("buffer", |out| hex_bytes(out, &kernel.buffer));
    }
    out.push_str(&object.finish());
}

fn caller(out: &mut String, trace: &Trace, call: &Call) {
    let place = trace.caller(call);
    let mut object = Object::default();
    object.member("address", |out| hex(out, call.caller));
    object.optional("module", place.path, text);
    object.optional("offset", place.path.map(|_| place.offset), hex);
    symbol(&mut object, &place);
    out.push_str(&object.finish());
}

/// Only where the function's name is known.
fn symbol(object: &mut Object, place: &Place<'_>) {
    if let Some(symbol) = place.symbol {
        object.text("symbol", symbol.name);
        object.member("symbol_offset", |out| hex(out, symbol.distance));
    }
}

/// Only on calls that have one: the places on the call's stack, the innermost first.
fn stack(line: &mut Object, trace: &Trace, call: &Call) {
    let Some(places) = trace.stack(call) else {
        return;
    };
    let places: Vec<Place<'_>> = places.collect();
    line.member("stack", |out| {
        list(out, &places, |out, place| {
            let mut object = Object::default();
            object.optional("module", place.path, text);
            object.member("offset", |out| hex(out, place.offset));
            symbol(&mut object, place);
            out.push_str(&object.finish());
        });
    });
}

fn value(out: &mut String, content: &Value<'_>) {
    match content {
        Value::Int(value) => int(out, (*value).into()),
        Value::Uint(value) => uint(out, *value),
        Value::Float(value) => float(out, *value),
        Value::Enum {
            name: Some(name), ..
        } => text(out, name),
        Value::Enum { value, name: None } => int(out, (*value).into()),
        Value::Flags { value, names, rest } => flags(out, *value, names, *rest),
        Value::Handle(word) | Value::DevicePointer(word) | Value::Address(word) => hex(out, *word),
        Value::Text {
            text: content,
            full_bytes: None,
        } => text(out, content),
        Value::Text {
            text: content,
            full_bytes: Some(full),
        } => {
            cut(
                out,
                "text",
                |out| text(out, content),
                ("full_bytes", Some(*full)),
            );
        }
        Value::Bytes { bytes, full_bytes } => cut(
            out,
            "bytes",
            |out| hex_bytes(out, bytes),
            ("full_bytes", *full_bytes),
        ),
        Value::Struct(fields) | Value::Union(fields) => structure(out, fields),
        Value::Array {
            items,
            full_items: None,
        } => list(out, items, value),
        Value::Array { items, full_items } => {
            cut(
                out,
                "items",
                |out| list(out, items, value),
                ("full_items", *full_items),
            );
        }
        Value::InOut { before, after } => {
            let mut object = Object::default();
            object.member("before", |out| value(out, before));
            object.member("after", |out| value(out, after));
            out.push_str(&object.finish());
        }
        Value::Null => out.push_str("null"),
        Value::NotCaptured(address) => {
            let mut object = Object::default();
            object.member("not_captured", |out| hex(out, *address));
            out.push_str(&object.finish());
        }
        Value::NotRecorded => out.push_str("{\"not_recorded\":true}"),
    }
}

/// An object of the content and, where it was cut, how much there was.
fn cut(out: &mut String, name: &str, write: impl FnOnce(&mut String), full: (&str, Option<u64>)) {
    let mut object = Object::default();
    object.member(name, write);
    if let Some(count) = full.1 {
        object.uint(full.0, count);
    }
    out.push_str(&object.finish());
}

fn float(out: &mut String, value: f64) {
    if value.is_finite() {
        // Debug keeps the shortest digits that read back as the same number, and the point or exponent that makes it a float.
        number(out, format_args!("{value:?}"));
    } else {
        number(out, format_args!("\"{value}\""));
    }
}

fn flags(out: &mut String, value: u64, names: &[&str], rest: u64) {
    if names.is_empty() {
        return uint(out, value);
    }
    let mut joined = names.join("|");
    if rest != 0 {
        number(&mut joined, format_args!("|{rest:#x}"));
    }
    text(out, &joined);
}

fn hex_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    bytes
        .iter()
        .for_each(|byte| number(out, format_args!("{byte:02x}")));
    out.push('"');
}

fn structure(out: &mut String, fields: &[(&str, Value<'_>)]) {
    let mut object = Object::default();
    for (place, (name, content)) in fields.iter().enumerate() {
        if name.is_empty() {
            object.member(&format!("_{place}"), |out| value(out, content));
        } else {
            object.member(name, |out| value(out, content));
        }
    }
    out.push_str(&object.finish());
}
