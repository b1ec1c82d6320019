//! Tests of a call's arguments and of who called.

use std::borrow::Cow;
use std::collections::HashMap;

use cutape_cuda_api::Unit;
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::decode::decode_argument;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::Value;

use super::arguments::{self, Leaf};
use super::literal::Amount;
use super::plan::Source;
use super::scalar::{Scalar, holds};
use super::syntax::Test;

/// Callers kept at most; a program that makes code as it runs has any number of call sites.
const MAX_CALLERS: usize = 1 << 16;
/// Bytes of an argument of no known structure that are compared as text.
const MAX_BYTES: usize = 4096;
const NS_OF_MILLISECOND: f64 = 1e6;

/// Whether a test of an argument holds. `path` is the argument's name and the fields in it.
pub(crate) fn argument(
    test: &Test,
    path: &[String],
    source: &Source,
    schema: &TraceSchema,
    call: &Call,
) -> bool {
    match source {
        Source::Word(word) => {
            let word = call.args.get(*word);
            holds(
                test,
                &word
                    .map(|&word| address(word))
                    .into_iter()
                    .collect::<Vec<_>>(),
            )
        }
        Source::Argument(_) => in_prototype(test, path, schema, call).unwrap_or(false),
        _ => false,
    }
}

fn in_prototype(test: &Test, path: &[String], schema: &TraceSchema, call: &Call) -> Option<bool> {
    let signature = schema.function(call.function)?.signature.as_ref()?;
    let place = arguments::find(schema, signature, path)?;
    let argument = decode_argument(schema, call, place.param)?;
    let mut found = Vec::new();
    arguments::values_at(&argument.value, &path[1..], &mut found);
    let names = match place.leaf {
        Leaf::Enum(names) => names,
        _ => &[],
    };
    let step_ns = (argument.unit == Some(Unit::Milliseconds)).then_some(NS_OF_MILLISECOND);
    let scalars: Vec<_> = found
        .into_iter()
        .filter_map(|value| scalar(value, names))
        .map(|scalar| Scalar { step_ns, ..scalar })
        .collect();
    Some(holds(test, &scalars))
}

/// A value as something to compare; `None` where there is none on record.
fn scalar<'a>(value: &'a Value<'a>, names: &'a [(String, i64)]) -> Option<Scalar<'a>> {
    let named = |number: i64, texts: Vec<Cow<'a, str>>| Scalar {
        texts,
        names,
        ..Scalar::number(number)
    };
    Some(match value {
        Value::Int(number) => decimal(i128::from(*number)),
        Value::Uint(number) => decimal(i128::from(*number)),
        Value::Float(number) => Scalar {
            number: Some(Amount::Fraction(*number)),
            texts: vec![Cow::Owned(number.to_string())],
            ..Scalar::default()
        },
        Value::Enum { value, name } => {
            let text = name.map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
            named(*value, vec![text])
        }
        Value::Flags { value, names, .. } => {
            let mut texts = vec![Cow::Owned(names.join("|"))];
            texts.extend(names.iter().map(|&name| Cow::Borrowed(name)));
            // An enumeration's values may be negative, flags are bits.
            named(*value as i64, texts)
        }
        Value::Handle(word) | Value::DevicePointer(word) | Value::Address(word) => address(*word),
        Value::Null => Scalar {
            texts: vec![Cow::Borrowed("NULL")],
            ..Scalar::number(0)
        },
        Value::Text { text, .. } => Scalar::text(text.as_str()),
        Value::Bytes { bytes, .. } => Scalar::text(hex(&bytes[..bytes.len().min(MAX_BYTES)])),
        // They are there, and no more can be said of them as a whole.
        Value::Struct(_) | Value::Union(_) | Value::Array { .. } | Value::InOut { .. } => {
            Scalar::default()
        }
        Value::NotCaptured(_) | Value::NotRecorded => return None,
    })
}

fn decimal<'a>(number: i128) -> Scalar<'a> {
    Scalar {
        texts: vec![Cow::Owned(number.to_string())],
        ..Scalar::number(number)
    }
}

/// A handle or an address, with the text that it is printed as.
pub(crate) fn address<'a>(word: u64) -> Scalar<'a> {
    let text = if word == 0 {
        Cow::Borrowed("NULL")
    } else {
        Cow::Owned(format!("{word:#x}"))
    };
    Scalar {
        texts: vec![text],
        ..Scalar::number(word)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        crate::quantity::push_hex_byte(&mut text, byte);
    }
    text
}

/// Whether a test of the numbers of bytes holds.
pub(crate) fn bytes(test: &Test, source: &Source, schema: &TraceSchema, call: &Call) -> bool {
    let Source::Params(params) = source else {
        return false;
    };
    let arguments = params
        .iter()
        .filter_map(|&param| decode_argument(schema, call, param));
    let amounts: Vec<_> = arguments
        .filter_map(|argument| match argument.value {
            Value::Uint(bytes) => Some(Scalar::number(bytes)),
            Value::Int(bytes) => Some(Scalar::number(bytes)),
            _ => None,
        })
        .collect();
    holds(test, &amounts)
}

/// Who called, and whether that is who was asked for.
#[derive(Debug, Default)]
pub(crate) struct CallerTests {
    /// By process, return address, number of load maps read before the call, and test.
    known: HashMap<(ProcessId, u64, usize, usize), bool>,
}

impl CallerTests {
    /// Whether a test of the caller holds; `place` is the test's.
    pub(crate) fn holds(&mut self, test: &Test, place: usize, trace: &Trace, call: &Call) -> bool {
        let maps = trace.process(call.process).map_or(0, |process| {
            let maps = process.libraries.iter();
            maps.filter(|map| map.since_ns <= call.begin_ns).count()
        });
        if self.known.len() >= MAX_CALLERS {
            self.known.clear();
        }
        *self
            .known
            .entry((call.process, call.caller, maps, place))
            .or_insert_with(|| holds(test, &[caller(trace, call)]))
    }
}

/// `libcudart.so.12+0x1b2c3`, `libcudart.so.12` and the whole path, the function, and the caller as lines show it; the address where no
/// file is known.
fn caller<'a>(trace: &'a Trace, call: &Call) -> Scalar<'a> {
    let place = trace.caller(call);
    let (Some(path), Some(file)) = (place.path, place.file_name()) else {
        return address(call.caller);
    };
    let mut texts = vec![
        Cow::Owned(format!("{file}+{:#x}", place.offset)),
        Cow::Borrowed(file),
        Cow::Borrowed(path),
    ];
    if let Some(symbol) = place.symbol {
        let full = format!("{}+{:#x}", symbol.name, symbol.distance);
        texts.extend([
            Cow::Owned(format!("{file} {full}")),
            Cow::Owned(format!("{file} {}", symbol.name)),
            Cow::Owned(full),
            Cow::Borrowed(symbol.name),
        ]);
    }
    Scalar {
        texts,
        ..Scalar::default()
    }
}
