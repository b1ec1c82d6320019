//! One argument as text: its value, or what is better known about it than its value.

use cutape_cuda_api::{Direction, Param, Type};
use cutape_trace_format::call::Call;
use cutape_trace_format::kernel_arguments::{KernelArguments, LayoutOrigin};
use cutape_trace_format::payload::PayloadState;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::{Argument, Value};

use super::Detail;
use super::payload::{push_kernels, push_payload};
use super::value::{Manner, push_value};
use crate::objects::{CallNames, Kind};
use crate::printable::push_printable;
use crate::quantity::{push_hex, push_hex_byte};

/// The type whose 16 bytes name export tables and devices.
const UUID_TYPE: &str = "CUuuid";

/// Which argument of which call.
pub(super) struct Place<'a> {
    pub schema: &'a TraceSchema,
    pub call: &'a Call,
    pub number: usize,
    pub names: &'a CallNames,
}

/// Adds an argument's value.
pub(super) fn push_argument(
    out: &mut String,
    place: &Place<'_>,
    param: Option<&Param>,
    shown: &Argument<'_>,
    detail: &Detail,
) {
    let uuid = param
        .filter(|param| points_to_uuid(place.schema, param))
        .and_then(|param| uuid_of(place, param.direction));
    let manner = Manner {
        unit: shown.unit,
        names: place.names,
        param: u8::try_from(place.number).unwrap_or(u8::MAX),
        detail,
    };
    // What is behind an address that is not followed says more than the address.
    let is_address = matches!(shown.value, Value::Address(_));
    match (uuid, &shown.payload) {
        (Some(uuid), _) => push_uuid(out, place.schema, &uuid),
        (None, Some(payload)) if is_address && payload.state == PayloadState::Stored => {
            return push_payload(out, payload);
        }
        (None, _) if is_address && is_known(&shown.kernels) => {
            return push_kernels(out, &shown.kernels, manner);
        }
        (None, _) => push_argument_value(out, place, (param, &shown.value), manner),
    }
    if let Some(payload) = &shown.payload {
        out.push(' ');
        push_payload(out, payload);
    }
    if is_known(&shown.kernels) {
        out.push_str(" args ");
        push_kernels(out, &shown.kernels, manner);
    }
}

/// Adds the value, or the name of the constant that a handle may be: the legacy stream is no object.
fn push_argument_value(
    out: &mut String,
    place: &Place<'_>,
    (param, value): (Option<&Param>, &Value<'_>),
    manner: Manner<'_>,
) {
    let constant = match (value, param.map(|param| &param.ty)) {
        (Value::Handle(word), Some(Type::Named(name))) if !place.names.is_none() => {
            Kind::of_type(name).and_then(|kind| Some((*word, kind.constant(*word)?)))
        }
        _ => None,
    };
    match constant {
        Some((word, name)) => {
            out.push_str(name);
            out.push_str(" (");
            push_hex(out, word);
            out.push(')');
        }
        None => push_value(out, value, manner),
    }
}

/// Whether more is known than that there are arguments.
fn is_known(kernels: &[KernelArguments]) -> bool {
    kernels
        .iter()
        .any(|kernel| kernel.origin != LayoutOrigin::Unknown || !kernel.buffer.is_empty())
}

fn points_to_uuid(schema: &TraceSchema, param: &Param) -> bool {
    let Type::Pointer { to, .. } = &param.ty else {
        return false;
    };
    matches!(&**to, Type::Named(name) if name == UUID_TYPE
        && schema.type_named(name).is_some_and(|definition| definition.size == 16))
}

/// The captured bytes, where the answer makes them valid.
fn uuid_of(place: &Place<'_>, direction: Direction) -> Option<[u8; 16]> {
    let out = direction == Direction::Out;
    if out && place.call.returned != Some(0) {
        return None;
    }
    let capture = place.call.capture(place.number.try_into().ok()?, out)?;
    capture.bytes.try_into().ok()
}

/// Adds `NAME 6bd5fb6c-5bf4-e74a-8987-d93912fd9df9`, in the order of memory; without a name where none is known.
fn push_uuid(out: &mut String, schema: &TraceSchema, uuid: &[u8; 16]) {
    let tables = schema.export_tables();
    if let Some(table) = tables.iter().find(|table| table.guid == *uuid) {
        push_printable(out, &table.name);
        out.push(' ');
    }
    for (place, &byte) in uuid.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        push_hex_byte(out, byte);
    }
}
