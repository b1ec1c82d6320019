//! Tests that many calls answer together: by function, thread, process and return word.

use std::borrow::Cow;

use cutape_cuda_api::TypeKind;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use super::check::CODE_TYPES;
use super::field::Field;
use super::plan::{FunctionPlan, Source};
use super::scalar::{Scalar, holds};
use super::syntax::{Op, Subject, Test, Wanted};
use crate::index::CallKind;
use crate::injection::has_rules;
use crate::outcome::{Outcome, code_type, outcome_of};

/// The answer of a test for all calls of a kind; `None` if calls of the kind differ in it.
pub(crate) fn answer(
    test: &Test,
    place: usize,
    kind: &CallKind,
    trace: &Trace,
    plan: &FunctionPlan,
) -> Option<bool> {
    let field = match &test.subject {
        Subject::Field(field) => *field,
        Subject::Argument(_) => {
            return (*plan.source(place) == Source::Nowhere).then_some(false);
        }
    };
    match field {
        Field::Ok => Some(truth(test, ok(kind, trace))),
        Field::Injected if has_rules(trace) => None,
        Field::Injected => Some(truth(test, Some(false))),
        // Whether a call returned is known; how long it took is not.
        Field::Dur if kind.returned.is_none() => Some(false),
        Field::Dur if test.op == Op::Holds => Some(true),
        Field::Seq | Field::T if test.op == Op::Holds => Some(true),
        Field::Seq | Field::T | Field::Dur | Field::Gap => None,
        Field::Bytes if matches!(plan.source(place), Source::Params(params) if params.is_empty()) => {
            Some(false)
        }
        Field::Bytes | Field::Stream | Field::Obj | Field::Kernel
            if *plan.source(place) == Source::Nowhere =>
        {
            Some(false)
        }
        Field::Bytes | Field::Caller => None,
        Field::Ctx | Field::Stream | Field::Obj | Field::Kernel => None,
        Field::Api | Field::Family | Field::Pid | Field::Tid | Field::Comm | Field::Ret => {
            let values = values_of(field, kind, trace);
            Some(holds(test, &values.into_iter().collect::<Vec<_>>()))
        }
    }
}

fn values_of<'a>(field: Field, kind: &CallKind, trace: &'a Trace) -> Option<Scalar<'a>> {
    let thread = trace.thread(kind.thread);
    match field {
        Field::Api => Some(Scalar {
            texts: names_of_function(trace, kind),
            ..Scalar::default()
        }),
        Field::Family => {
            let family = &trace.function(kind.function)?.family;
            (!family.is_empty()).then(|| Scalar::text(family.as_str()))
        }
        Field::Pid => Some(Scalar::number(trace.process(kind.process)?.process.pid)),
        Field::Tid => Some(Scalar::number(thread?.tid)),
        Field::Comm => Some(Scalar::text(thread?.name.as_str())),
        Field::Ret => returned(kind, trace),
        _ => None,
    }
}

/// The symbol, and the name without version and stream suffix.
fn names_of_function<'a>(trace: &'a Trace, kind: &CallKind) -> Vec<Cow<'a, str>> {
    let mut names = vec![trace.function_name(kind.function)];
    if let Some(function) = trace.function(kind.function)
        && function.base != function.name
    {
        names.push(Cow::Borrowed(&function.base));
    }
    names
}

fn outcome_in<'a>(kind: &CallKind, trace: &'a Trace) -> Outcome<'a> {
    outcome_of(trace.schema(), kind.function, kind.returned)
}

/// Whether the call returned and did not fail; `None` if it did not return.
fn ok(kind: &CallKind, trace: &Trace) -> Option<bool> {
    match outcome_in(kind, trace) {
        Outcome::InFlight => None,
        outcome => Some(!outcome.is_failure()),
    }
}

/// Whether a test of something that is so, or is not, holds; `None` where it is neither.
pub(crate) fn truth(test: &Test, value: Option<bool>) -> bool {
    let wanted = match test.values.first() {
        Some(Wanted::Literal(literal)) => literal.text == "true",
        _ => true,
    };
    value.is_some_and(|value| (value == wanted) == (test.op != Op::Differs))
}

fn returned<'a>(kind: &CallKind, trace: &'a Trace) -> Option<Scalar<'a>> {
    match outcome_in(kind, trace) {
        Outcome::InFlight | Outcome::Void => None,
        Outcome::Other(word) | Outcome::Unknown(word) => Some(Scalar::number(word)),
        Outcome::Code { name, code } => {
            let text = name.map_or_else(|| Cow::Owned(code.to_string()), Cow::Borrowed);
            Some(Scalar {
                texts: vec![text],
                names: code_names(trace.schema(), kind),
                ..Scalar::number(code)
            })
        }
    }
}

/// Names of the codes that a function returns.
fn code_names<'a>(schema: &'a TraceSchema, kind: &CallKind) -> &'a [(String, i64)] {
    let library = schema
        .function(kind.function)
        .map(|function| function.library);
    let name = library.map_or(CODE_TYPES[0], code_type);
    match schema.type_named(name).map(|definition| &definition.kind) {
        Some(TypeKind::Enum { values, .. }) => values,
        _ => &[],
    }
}
