//! Tests of the objects that a call refers to, by handle, address or name: `ctx#1`, `dptr#7+0x40`, a kernel's own name.

use std::borrow::Cow;

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode_argument;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::Value;

use super::field::Field;
use super::literal::Amount;
use super::plan::Source;
use super::scalar::{Scalar, holds};
use super::syntax::Test;
use super::value_test::address;
use crate::objects::{Kind, ObjectId, ObjectTracker, Reference};

/// Whether a test of objects holds for the call that a tracker observed last.
pub(crate) fn answer(
    test: &Test,
    field: Field,
    source: &Source,
    (schema, call): (&TraceSchema, &Call),
    tracker: &ObjectTracker,
) -> bool {
    let values = match field {
        Field::Kernel => kernels(tracker),
        Field::Stream => {
            let mut values = of_kind(tracker, call, Some(Kind::Stream));
            values.extend(default_streams(source, schema, call));
            values
        }
        Field::Ctx => contexts(tracker, call),
        _ => of_kind(tracker, call, None),
    };
    holds(test, &values)
}

fn of_kind<'a>(tracker: &'a ObjectTracker, call: &Call, kind: Option<Kind>) -> Vec<Scalar<'a>> {
    let references = tracker.references().iter();
    references
        .filter(|reference| kind.is_none_or(|kind| tracker.object(reference.object).kind() == kind))
        .map(|reference| object(tracker, reference, call.seq))
        .collect()
}

fn object<'a>(tracker: &'a ObjectTracker, reference: &Reference, seq: u64) -> Scalar<'a> {
    let label = tracker.object(reference.object).label_at(seq);
    let mut texts = vec![Cow::Owned(label.to_string())];
    if reference.offset > 0 {
        texts.push(Cow::Owned(label.with_offset(reference.offset).to_string()));
    }
    texts.push(Cow::Owned(format!("{:#x}", reference.word)));
    texts.extend(tracker.name(reference.object).map(Cow::Borrowed));
    Scalar {
        number: Some(Amount::Whole(reference.word.into())),
        texts,
        ..Scalar::default()
    }
}

/// Streams that are no objects: the null stream and its two relatives.
fn default_streams(source: &Source, schema: &TraceSchema, call: &Call) -> Vec<Scalar<'static>> {
    let Source::Params(params) = source else {
        return Vec::new();
    };
    let arguments = params
        .iter()
        .filter_map(|&param| decode_argument(schema, call, param));
    arguments
        .filter_map(|argument| match argument.value {
            Value::Handle(word @ 0..=2) => Some(address(word)),
            _ => None,
        })
        .collect()
}

/// Contexts among the arguments; without any, the one that is current to the thread.
fn contexts<'a>(tracker: &'a ObjectTracker, call: &Call) -> Vec<Scalar<'a>> {
    let named = of_kind(tracker, call, Some(Kind::Context));
    if !named.is_empty() {
        return named;
    }
    let current: Option<ObjectId> = tracker.current(call.process, call.thread);
    let scalar = |id: ObjectId| {
        let object = tracker.object(id);
        Scalar {
            texts: vec![
                Cow::Owned(object.label_at(call.seq).to_string()),
                Cow::Owned(format!("{:#x}", object.word())),
            ],
            number: Some(Amount::Whole(object.word().into())),
            ..Scalar::default()
        }
    };
    current.map(scalar).into_iter().collect()
}

/// Names of functions and kernels.
fn kernels(tracker: &ObjectTracker) -> Vec<Scalar<'_>> {
    let is_kernel = |reference: &&Reference| {
        matches!(
            tracker.object(reference.object).kind(),
            Kind::Function | Kind::Kernel
        )
    };
    let references = tracker.references().iter().filter(is_kernel);
    references
        .filter_map(|reference| tracker.name(reference.object))
        .map(Scalar::text)
        .collect()
}
