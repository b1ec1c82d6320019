//! One call as text, the way strace writes it: `cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)`.
//! docs/reading.md has the grammar.

mod argument;
mod detail;
mod injected;
mod payload;
mod value;

pub use detail::Detail;
pub use injected::push_injection;

use cutape_cuda_api::Unit;
use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::{Argument, Value};

use self::value::Manner;
use crate::objects::CallNames;
use crate::outcome::{Outcome, outcome};
use crate::printable::push_printable;
use crate::quantity::{push_decimal, push_hex};

/// Adds one call: function, arguments, answer. Returns where the answer starts in `out`, so that it can be given a colour.
/// Handles and addresses are shown as they are.
pub fn push_call(out: &mut String, schema: &TraceSchema, call: &Call, detail: &Detail) -> usize {
    push_named_call(out, schema, (call, CallNames::NONE), detail)
}

/// Adds one call as [`push_call`] does, with handles and addresses by their names.
pub fn push_named_call(
    out: &mut String,
    schema: &TraceSchema,
    (call, names): (&Call, &CallNames),
    detail: &Detail,
) -> usize {
    push_printable(out, &schema.function_name(call.function));
    out.push('(');
    push_named_arguments(out, schema, (call, names), detail);
    out.push_str(") = ");
    let answer = out.len();
    push_answer(out, schema, call, detail);
    payload::push_arrivals(out, call);
    if call.is_injected() {
        out.push_str(" (");
        push_injection(out, schema, (call, names), detail);
        out.push(')');
    }
    answer
}

/// Adds the arguments as [`push_call`] does, without the parentheses.
pub fn push_arguments(out: &mut String, schema: &TraceSchema, call: &Call, detail: &Detail) {
    push_named_arguments(out, schema, (call, CallNames::NONE), detail);
}

/// Adds the arguments as [`push_named_call`] does, without the parentheses.
pub fn push_named_arguments(
    out: &mut String,
    schema: &TraceSchema,
    (call, names): (&Call, &CallNames),
    detail: &Detail,
) {
    let signature = schema
        .function(call.function)
        .and_then(|function| function.signature.as_ref());
    let Some(signature) = signature else {
        for (number, &word) in call.args.iter().enumerate() {
            separate(out, number);
            push_hex(out, word);
        }
        out.push_str(if call.args.is_empty() {
            "/* prototype unknown */"
        } else {
            " /* prototype unknown */"
        });
        return;
    };
    let decoded = decode(schema, call);
    for (number, shown) in decoded.arguments.iter().enumerate() {
        separate(out, number);
        push_printable(out, &shown.name);
        out.push('=');
        let param = signature.params.get(number);
        let place = argument::Place {
            schema,
            call,
            number,
            names,
        };
        argument::push_argument(out, &place, param, shown, detail);
    }
}

/// Adds what the call answered: a code with its name, another value, or that it never did.
pub fn push_answer(out: &mut String, schema: &TraceSchema, call: &Call, detail: &Detail) {
    match outcome(schema, call) {
        Outcome::InFlight => out.push_str("? <in flight>"),
        Outcome::Void => out.push_str("void"),
        Outcome::Code { name, code } => {
            match name {
                Some(name) => {
                    push_printable(out, name);
                    out.push_str(" (");
                    push_decimal(out, code.into());
                    out.push(')');
                }
                None => push_decimal(out, code.into()),
            };
        }
        Outcome::Unknown(word) => {
            push_hex(out, word);
            out.push_str(" /* type unknown */");
        }
        Outcome::Other(_) => match decode(schema, call).returned {
            Some(returned) => value::push_value(out, &returned, Manner::plain(detail)),
            None => out.push_str("? <in flight>"),
        },
    }
}

/// Adds the value of a decoded call's argument, by its place in the list, as it stands in [`push_named_arguments`].
pub fn push_argument(
    out: &mut String,
    place: (&TraceSchema, (&Call, &CallNames), usize),
    shown: &Argument<'_>,
    detail: &Detail,
) {
    let (schema, (call, names), number) = place;
    let signature = schema
        .function(call.function)
        .and_then(|function| function.signature.as_ref());
    let param = signature.and_then(|signature| signature.params.get(number));
    let place = argument::Place {
        schema,
        call,
        number,
        names,
    };
    argument::push_argument(out, &place, param, shown, detail);
}

/// Adds a value by itself.
pub fn push_value(out: &mut String, value: &Value<'_>, detail: &Detail) {
    value::push_value(out, value, Manner::plain(detail));
}

/// Adds a value that stands in, or behind, that parameter of a call: its handles and addresses by their names.
pub fn push_named_value(
    out: &mut String,
    value: &Value<'_>,
    (names, param): (&CallNames, u8),
    detail: &Detail,
) {
    let manner = Manner {
        names,
        param,
        ..Manner::plain(detail)
    };
    value::push_value(out, value, manner);
}

/// Adds a value whose numbers count something: bytes with a binary multiple, versions with their point.
pub fn push_measured(out: &mut String, value: &Value<'_>, unit: Option<Unit>, detail: &Detail) {
    let manner = Manner {
        unit,
        ..Manner::plain(detail)
    };
    value::push_value(out, value, manner);
}

fn separate(out: &mut String, number: usize) {
    if number > 0 {
        out.push_str(", ");
    }
}
