//! What a recording's own rules did to a call, behind its answer: `(INJECTED; the driver answered free=0, CUDA_ERROR_NOT_INITIALIZED (3))`.

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::injected::Injection;
use cutape_trace_format::schema::TraceSchema;

use super::{Detail, argument, push_answer};
use crate::objects::CallNames;
use crate::printable::push_printable;

/// Adds what rules did to a call, without parentheses; nothing where none acted on it.
pub fn push_injection(
    out: &mut String,
    schema: &TraceSchema,
    (call, names): (&Call, &CallNames),
    detail: &Detail,
) {
    let Some(injection) = call.injection() else {
        return;
    };
    push_doings(out, &injection, call);
    let made_up = injection.made_up(call.returned);
    if let Some(own) = call.as_the_driver_answered().filter(|_| made_up) {
        out.push_str("; the driver answered ");
        push_own(out, schema, ((call, &own), names), detail);
    }
}

/// `INJECTED`, `DELAYED`, `SIGNALLED`.
fn push_doings(out: &mut String, injection: &Injection, call: &Call) {
    let only_touched = injection.delayed || injection.signalled;
    let made_up = injection.made_up(call.returned);
    let words = [
        (made_up || !only_touched, "INJECTED"),
        (injection.delayed, "DELAYED"),
        (injection.signalled, "SIGNALLED"),
    ];
    let words = words.iter().filter(|(is_so, _)| *is_so);
    for (place, (_, word)) in words.enumerate() {
        super::separate(out, place);
        out.push_str(word);
    }
}

/// The arguments that differ, and the driver's own code.
fn push_own(
    out: &mut String,
    schema: &TraceSchema,
    ((call, own), names): ((&Call, &Call), &CallNames),
    detail: &Detail,
) {
    let given = arguments(schema, (call, names), detail);
    for (name, text) in arguments(schema, (own, names), detail) {
        if !given.contains(&(name.clone(), text.clone())) {
            push_printable(out, &name);
            out.push('=');
            out.push_str(&text);
            out.push_str(", ");
        }
    }
    push_answer(out, schema, own, detail);
}

/// Arguments by name, as they stand in a call's text.
fn arguments(
    schema: &TraceSchema,
    (call, names): (&Call, &CallNames),
    detail: &Detail,
) -> Vec<(String, String)> {
    let signature = schema
        .function(call.function)
        .and_then(|function| function.signature.as_ref());
    let Some(signature) = signature else {
        return Vec::new();
    };
    let decoded = decode(schema, call);
    let texts = decoded.arguments.iter().enumerate().map(|(number, shown)| {
        let place = argument::Place {
            schema,
            call,
            number,
            names,
        };
        let mut text = String::new();
        argument::push_argument(
            &mut text,
            &place,
            signature.params.get(number),
            shown,
            detail,
        );
        (shown.name.to_string(), text)
    });
    texts.collect()
}
