//! The arguments of a call as a tree: structures, unions, arrays and in-out values open and close.

use cutape_analysis::call_stack::push_frame;
use cutape_analysis::objects::{CallNames, ObjectId, Reference};
use cutape_analysis::outcome::{Outcome, code_type, outcome};
use cutape_analysis::printable::push_printable;
use cutape_analysis::text::{Detail, push_answer, push_argument, push_named_value};
use cutape_cuda_api::{Api, Library, Param, write_type};
use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::{Argument, Value};

/// Elements of an array shown each on a line; the rest is counted.
const MOST_ITEMS: usize = 256;
/// Lines of a tree; a hostile trace could ask for any number.
pub(super) const MOST_LINES: usize = 4096;
/// What a line shows of a value.
pub(super) const DETAIL: Detail = Detail {
    text_bytes: 16 << 10,
    data_bytes: 64,
    items: 16,
    hide_reserved: true,
    name_bytes: 48,
};

use crate::naming::Naming;

use super::bytes::{Bytes, Span};
use super::more_parts;
use super::spot::{Spot, Spots};

/// A line of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeLine {
    /// How deep it is; 0 for the function itself.
    pub depth: u8,
    /// Name of the argument, field or element.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its type, where the prototype says one.
    pub type_name: String,
    /// Way to it: `prop.location.id`.
    pub path: String,
    /// Its value as filters write it; `None` for what they can't compare.
    pub literal: Option<String>,
    /// It has parts.
    pub is_branch: bool,
    /// The handle or address that it is, other than NULL.
    pub word: Option<u64>,
    /// The object that it stands for.
    pub object: Option<ObjectId>,
    /// It was written by the driver.
    pub is_out: bool,
    /// It is the answer of a call that failed.
    pub is_failure: bool,
    /// Its bytes, where they were copied.
    pub span: Option<Span>,
}

/// The lines of a call's arguments and answer.
pub fn tree(trace: &Trace, (call, bytes): (&Call, &[Bytes]), naming: &mut Naming) -> Vec<TreeLine> {
    let mut lines = vec![head(trace, call)];
    let schema = trace.schema();
    let names = naming.names(schema, call);
    let references = naming.references(schema, call);
    let known = Known {
        names: &names,
        references: &references,
        spots: Spots {
            schema,
            parts: bytes,
        },
    };
    let signature = schema
        .function(call.function)
        .and_then(|function| function.signature.as_ref());
    for (number, argument) in decode(schema, call).arguments.iter().enumerate() {
        let param = signature.and_then(|signature| signature.params.get(number));
        push_argument_lines(&mut lines, (trace, call, number), (param, &known), argument);
    }
    lines.push(answer(trace, call));
    push_stack(&mut lines, trace, call);
    lines
}

/// The stack that the call was made on, if it was kept.
fn push_stack(lines: &mut Vec<TreeLine>, trace: &Trace, call: &Call) {
    let Some(places) = trace.stack(call) else {
        return;
    };
    lines.push(TreeLine {
        depth: 1,
        name: "stack".to_owned(),
        value: format!("{} places, the innermost first", places.len()),
        path: "stack".to_owned(),
        is_branch: true,
        ..TreeLine::default()
    });
    for (number, place) in places.enumerate() {
        let mut value = String::new();
        push_frame(&mut value, &place);
        lines.push(TreeLine {
            depth: 2,
            name: number.to_string(),
            value,
            path: format!("stack.{number}"),
            ..TreeLine::default()
        });
    }
}

fn head(trace: &Trace, call: &Call) -> TreeLine {
    let mut name = String::new();
    push_printable(&mut name, &trace.function_name(call.function));
    TreeLine {
        name,
        is_branch: true,
        ..TreeLine::default()
    }
}

/// What is known of the objects that a call refers to.
pub(super) struct Known<'a> {
    pub names: &'a CallNames,
    references: &'a [Reference],
    pub spots: Spots<'a>,
}

impl Known<'_> {
    /// The object that a word in, or behind, a parameter stands for.
    pub fn object(&self, param: u8, word: Option<u64>) -> Option<ObjectId> {
        let word = word?;
        let is_it = |reference: &&Reference| reference.param == param && reference.word == word;
        self.references
            .iter()
            .find(is_it)
            .map(|reference| reference.object)
    }
}

fn push_argument_lines(
    lines: &mut Vec<TreeLine>,
    place: (&Trace, &Call, usize),
    (param, known): (Option<&Param>, &Known<'_>),
    argument: &Argument<'_>,
) {
    let (trace, call, number) = place;
    let place = u8::try_from(number).unwrap_or(u8::MAX);
    let spot = param.and_then(|param| known.spots.behind(place, param, false));
    let mut line = TreeLine {
        depth: 1,
        is_branch: parts(&argument.value) || more_parts::has(argument),
        span: spot
            .map(|spot| spot.span)
            .or_else(|| more_parts::span(place, argument, &known.spots)),
        word: word_of(&argument.value),
        object: known.object(place, word_of(&argument.value)),
        literal: literal(&argument.value),
        is_out: argument.direction == cutape_cuda_api::Direction::Out,
        ..TreeLine::default()
    };
    push_printable(&mut line.name, &argument.name);
    line.path.clone_from(&line.name);
    push_argument(
        &mut line.value,
        (trace.schema(), (call, known.names), number),
        argument,
        &DETAIL,
    );
    if let Some(param) = param {
        push_printable(&mut line.type_name, &write_type(&param.ty));
    }
    let path = line.path.clone();
    lines.push(line);
    if let (Value::InOut { before, after }, Some(param)) = (&argument.value, param)
        && parts(&argument.value)
    {
        let spot = |before| known.spots.behind(place, param, before);
        push_part(
            lines,
            ("before", before, spot(true)),
            (2, &path),
            (place, known),
        );
        push_part(
            lines,
            ("after", after, spot(false)),
            (2, &path),
            (place, known),
        );
    } else {
        push_parts(lines, (&argument.value, spot), (2, &path), (place, known));
    }
    more_parts::push(lines, argument, &path, (place, known));
}

/// `place` is depth and the way to what these are parts of; `known` the parameter and what is known.
fn push_parts(
    lines: &mut Vec<TreeLine>,
    (value, spot): (&Value<'_>, Option<Spot<'_>>),
    place: (u8, &str),
    known: (u8, &Known<'_>),
) {
    let spots = known.1.spots;
    match value {
        Value::Struct(fields) | Value::Union(fields) => {
            for (number, (name, value)) in fields.iter().enumerate() {
                let spot = spot.and_then(|spot| spots.field(spot, (number, name), value));
                let name = match *name {
                    "" => format!("({})", number + 1),
                    name => name.to_owned(),
                };
                push_part(lines, (&name, value, spot), place, known);
            }
        }
        Value::Array { items, .. } if parts(value) => {
            for (number, item) in items.iter().take(MOST_ITEMS).enumerate() {
                let spot = spot.and_then(|spot| spots.item(spot, number));
                push_part(lines, (&number.to_string(), item, spot), place, known);
            }
        }
        _ => {}
    }
}

fn push_part(
    lines: &mut Vec<TreeLine>,
    (name, value, spot): (&str, &Value<'_>, Option<Spot<'_>>),
    (depth, way): (u8, &str),
    (param, known): (u8, &Known<'_>),
) {
    if lines.len() >= MOST_LINES {
        return;
    }
    let mut line = TreeLine {
        depth,
        is_branch: parts(value),
        word: word_of(value),
        object: known.object(param, word_of(value)),
        literal: literal(value),
        span: spot.map(|spot| spot.span),
        ..TreeLine::default()
    };
    push_printable(&mut line.name, name);
    line.path = format!("{way}.{}", line.name);
    push_named_value(&mut line.value, value, (known.names, param), &DETAIL);
    let path = line.path.clone();
    lines.push(line);
    push_parts(
        lines,
        (value, spot),
        (depth.saturating_add(1), &path),
        (param, known),
    );
}

/// Whether a value has parts that are worth a line each.
fn parts(value: &Value<'_>) -> bool {
    match value {
        Value::Struct(fields) | Value::Union(fields) => !fields.is_empty(),
        Value::Array { items, .. } => items.len() > 1 || items.iter().any(parts),
        Value::InOut { before, after } => parts(before) || parts(after),
        _ => false,
    }
}

/// A value as filters write it.
fn literal(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Uint(number) => Some(number.to_string()),
        Value::Enum {
            name: Some(name), ..
        } => Some((*name).to_owned()),
        Value::Enum { value, name: None } => Some(value.to_string()),
        Value::Flags { value, .. } => Some(value.to_string()),
        Value::Handle(word) | Value::DevicePointer(word) | Value::Address(word) => {
            Some(format!("{word:#x}"))
        }
        Value::Null => Some("0".to_owned()),
        Value::Text {
            text,
            full_bytes: None,
        } => Some(format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        )),
        Value::InOut { after, .. } => literal(after),
        _ => None,
    }
}

fn word_of(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Handle(word) | Value::DevicePointer(word) | Value::Address(word) => {
            Some(*word).filter(|&word| word != 0)
        }
        Value::InOut { after, .. } => word_of(after),
        _ => None,
    }
}

/// What the call answered, with what the code means.
fn answer(trace: &Trace, call: &Call) -> TreeLine {
    let mut line = TreeLine {
        depth: 1,
        name: "answer".to_owned(),
        path: "ret".to_owned(),
        ..TreeLine::default()
    };
    push_answer(&mut line.value, trace.schema(), call, &DETAIL);
    let found = outcome(trace.schema(), call);
    line.literal = match found {
        Outcome::Code {
            name: Some(name), ..
        } => Some(name.to_owned()),
        Outcome::Code { code, .. } => Some(code.to_string()),
        _ => None,
    };
    line.is_failure = found.is_failure();
    let library = trace
        .function(call.function)
        .map_or(Library::Cuda, |function| function.library);
    if let Outcome::Code { code, .. } = found {
        code_type(library).clone_into(&mut line.type_name);
        let text = i32::try_from(code)
            .ok()
            .and_then(|code| Api::get().error_text(library, code));
        if let Some(text) = text.filter(|_| line.is_failure) {
            line.value.push_str(": ");
            line.value.push_str(text);
        }
    }
    line
}
