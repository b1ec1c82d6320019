//! From argument words and captured bytes to values, by the schema. The schema comes from the trace, so it is trusted no more than the
//! rest: types may be recursive, overlap, or claim any size.

use std::borrow::Cow;

use cutape_cuda_api::{
    Direction, Extent, Field, Param, Signature, Type, TypeDef, TypeKind, Unit, Validity,
};

use crate::call::Call;
use crate::capture_number::MAX_PARAMS;
use crate::record::Captured;
use crate::schema::TraceSchema;
use crate::value::{Argument, DecodedCall, Value};

/// Types nest less deeply than this in any header.
const MAX_DEPTH: u32 = 24;
/// Values that one argument may consist of; what is beyond is shown as bytes.
const MAX_VALUES: u32 = 1 << 16;
/// Bytes that the parts of one argument are shown as; a type that overlaps itself could ask for any number.
const MAX_BYTES: usize = 1 << 20;
/// A parameter passed by value is at most this long in any header.
const MAX_VALUE_BYTES: usize = 4096;

/// Decodes a call. Never fails: what can't be decoded is shown as words or bytes.
pub fn decode<'a>(schema: &'a TraceSchema, call: &Call) -> DecodedCall<'a> {
    match schema
        .function(call.function)
        .and_then(|function| function.signature.as_ref())
    {
        Some(signature) => decode_by(schema, signature, call),
        None => DecodedCall {
            arguments: raw_words(&call.args, 0),
            returned: call.returned.map(Value::Uint),
        },
    }
}

/// Words that no parameter explains.
fn raw_words<'a>(words: &[u64], first: usize) -> Vec<Argument<'a>> {
    let argument = |(number, &word): (usize, &u64)| Argument {
        name: Cow::Owned(format!("arg{}", first + number)),
        direction: Direction::Value,
        unit: Some(Unit::Hex),
        word,
        value: Value::Uint(word),
        payload: None,
        kernels: Vec::new(),
    };
    words.iter().enumerate().map(argument).collect()
}

/// Decodes one argument of a call, by its place in the prototype; `None` where the function has no such parameter, or no prototype.
pub fn decode_argument<'a>(
    schema: &'a TraceSchema,
    call: &Call,
    number: usize,
) -> Option<Argument<'a>> {
    let signature = schema.function(call.function)?.signature.as_ref()?;
    let param = signature.params.get(number)?;
    let before = &signature.params[..number];
    let first = before.iter().map(|param| words_of(schema, param)).sum();
    Some(argument(schema, (signature, number, param), call, first))
}

fn decode_by<'a>(
    schema: &'a TraceSchema,
    signature: &'a Signature,
    call: &Call,
) -> DecodedCall<'a> {
    let mut arguments = Vec::with_capacity(signature.params.len());
    let mut next = 0;
    for (number, param) in signature.params.iter().enumerate() {
        arguments.push(argument(schema, (signature, number, param), call, next));
        next += words_of(schema, param);
    }
    arguments.extend(raw_words(
        call.args.get(next..).unwrap_or_default(),
        arguments.len(),
    ));
    let returned = match signature.returns {
        Type::Void => call.returned.map(|_| Value::Null),
        _ => call.returned.map(|word| {
            Decoder::new(schema, None).value(&signature.returns, &word.to_le_bytes(), 0)
        }),
    };
    DecodedCall {
        arguments,
        returned,
    }
}

/// Argument words that a parameter takes.
pub fn words_of(schema: &TraceSchema, param: &Param) -> usize {
    match param.direction {
        Direction::Value => size_of_type(schema, &param.ty, 0)
            .clamp(1, MAX_VALUE_BYTES)
            .div_ceil(8),
        _ => 1,
    }
}

/// `first` is the place of the parameter's first word.
fn argument<'a>(
    schema: &'a TraceSchema,
    (signature, number, param): (&'a Signature, usize, &'a Param),
    call: &Call,
    first: usize,
) -> Argument<'a> {
    let words = call.args.get(first..first + words_of(schema, param));
    let param_number = number.min(255) as u8;
    let has_more = call.captures().any(|capture| capture.param >= MAX_PARAMS);
    Argument {
        name: Cow::Borrowed(&param.name),
        direction: param.direction,
        unit: param.unit,
        word: words.map_or(0, |words| words[0]),
        value: words.map_or(Value::NotRecorded, |words| {
            Parameter {
                schema,
                param,
                number: param_number,
                call,
                signature,
            }
            .value(words)
        }),
        payload: has_more.then(|| call.payload(param_number)).flatten(),
        kernels: if has_more {
            call.kernel_arguments(param_number)
        } else {
            Vec::new()
        },
    }
}

struct Parameter<'a, 'c> {
    schema: &'a TraceSchema,
    signature: &'a Signature,
    param: &'a Param,
    number: u8,
    call: &'c Call,
}

impl<'a> Parameter<'a, '_> {
    fn value(&self, words: &[u64]) -> Value<'a> {
        let address = words[0];
        match self.param.direction {
            Direction::Value => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                Decoder::new(self.schema, None).value(&self.param.ty, &bytes, 0)
            }
            Direction::Opaque if address == 0 => Value::Null,
            Direction::Opaque => Value::Address(address),
            _ if address == 0 => Value::Null,
            Direction::In => self.before(address),
            Direction::Out => self.after(address),
            Direction::InOut => Value::InOut {
                before: Box::new(self.before(address)),
                after: Box::new(self.after(address)),
            },
        }
    }

    fn before(&self, address: u64) -> Value<'a> {
        let capture = self.call.capture(self.number, false);
        capture.map_or(Value::NotCaptured(address), |capture| self.behind(&capture))
    }

    fn after(&self, address: u64) -> Value<'a> {
        let succeeded =
            self.call.returned == Some(0) || !matches!(self.signature.returns, Type::Named(_));
        let valid = self.param.valid == Validity::Always || succeeded;
        let capture = self.call.capture(self.number, true).filter(|_| valid);
        capture.map_or(Value::NotCaptured(address), |capture| self.behind(&capture))
    }

    /// What lies behind the pointer, by its extent.
    fn behind(&self, capture: &Captured<'_>) -> Value<'a> {
        let target = match &self.param.ty {
            Type::Pointer { to, .. } => to,
            other => other,
        };
        let regions = Regions {
            call: self.call,
            param: self.number,
            out: capture.out,
        };
        let mut decoder = Decoder::new(self.schema, Some(regions));
        let size = size_of_type(self.schema, target, 0);
        match &self.param.extent {
            Extent::Text(_) | Extent::PointedText => text(capture.bytes, capture.full),
            Extent::One if capture.full.is_none() && size > 0 && capture.bytes.len() >= size => {
                decoder.value(target, capture.bytes, 0)
            }
            Extent::Count(_) if size > 0 => decoder.array(target, size, capture),
            // A structure whose length the caller gives, as a whole.
            Extent::Bytes(_)
                if size > 0
                    && size == capture.bytes.len()
                    && is_structured(self.schema, target) =>
            {
                decoder.value(target, capture.bytes, 0)
            }
            _ => bytes(capture.bytes, capture.full),
        }
    }
}

fn text<'a>(bytes: &[u8], full: Option<u64>) -> Value<'a> {
    let end = bytes.iter().position(|&byte| byte == 0);
    let text = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned();
    // A capture cut behind the NUL has the whole text.
    Value::Text {
        text,
        full_bytes: full.filter(|_| end.is_none()),
    }
}

fn bytes<'a>(bytes: &[u8], full_bytes: Option<u64>) -> Value<'a> {
    Value::Bytes {
        bytes: bytes.to_vec(),
        full_bytes,
    }
}

fn is_structured(schema: &TraceSchema, ty: &Type) -> bool {
    matches!(ty, Type::Named(name) if schema.type_named(name)
        .is_some_and(|definition| matches!(definition.kind, TypeKind::Struct(_) | TypeKind::Union(_))))
}

impl TraceSchema {
    /// Bytes that a value of the type takes, 0 where that is not known.
    pub fn size_of(&self, ty: &Type) -> usize {
        size_of_type(self, ty, 0)
    }
}

/// Bytes that a type takes, 0 where that is not known.
fn size_of_type(schema: &TraceSchema, ty: &Type, depth: u32) -> usize {
    match ty {
        Type::Void => 0,
        Type::Char => 1,
        Type::Int { bytes, .. } | Type::Float { bytes } => usize::from(*bytes),
        Type::Pointer { .. } => 8,
        Type::Array { of, len } if depth < MAX_DEPTH => {
            size_of_type(schema, of, depth + 1).saturating_mul(*len as usize)
        }
        Type::Array { .. } => 0,
        Type::Named(name) => schema
            .type_named(name)
            .map_or(0, |definition| definition.size as usize),
    }
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().clamp(1, 8);
    (unsigned(bytes) as i64) << unused >> unused
}

/// Decodes the bytes of one argument.
struct Decoder<'a, 'c> {
    schema: &'a TraceSchema,
    regions: Option<Regions<'c>>,
    values_left: u32,
    bytes_left: usize,
}

/// What pointers inside the structures behind one parameter lead to.
#[derive(Clone, Copy)]
struct Regions<'c> {
    call: &'c Call,
    param: u8,
    out: bool,
}

impl<'a, 'c> Decoder<'a, 'c> {
    fn new(schema: &'a TraceSchema, regions: Option<Regions<'c>>) -> Self {
        Self {
            schema,
            regions,
            values_left: MAX_VALUES,
            bytes_left: MAX_BYTES,
        }
    }

    /// Bytes as such, as many as may still be shown.
    fn raw(&mut self, from: &[u8]) -> Value<'a> {
        let shown = &from[..from.len().min(self.bytes_left)];
        self.bytes_left -= shown.len();
        bytes(
            shown,
            (shown.len() < from.len()).then_some(from.len() as u64),
        )
    }

    /// The value of a type at the start of `from`, which may be longer than it.
    fn value(&mut self, ty: &'a Type, from: &[u8], depth: u32) -> Value<'a> {
        let size = size_of_type(self.schema, ty, depth);
        let Some(own) = from
            .get(..size)
            .filter(|_| depth < MAX_DEPTH && self.values_left > 0)
        else {
            return self.raw(from);
        };
        self.values_left -= 1;
        match ty {
            Type::Void => self.raw(from),
            Type::Int { signed: true, .. } | Type::Char => Value::Int(signed(own)),
            Type::Int { signed: false, .. } => Value::Uint(unsigned(own)),
            Type::Float { bytes: 4 } => Value::Float(f32::from_bits(unsigned(own) as u32).into()),
            Type::Float { .. } => Value::Float(f64::from_bits(unsigned(own))),
            Type::Pointer { .. } => address(unsigned(own)),
            Type::Array { of, .. } => self.fixed_array(of, own, depth),
            Type::Named(name) => match self.schema.type_named(name) {
                Some(definition) => self.named(definition, own, depth),
                None => self.raw(from),
            },
        }
    }

    fn named(&mut self, definition: &'a TypeDef, own: &[u8], depth: u32) -> Value<'a> {
        match &definition.kind {
            TypeKind::Handle => Value::Handle(unsigned(own)),
            TypeKind::DevicePointer => Value::DevicePointer(unsigned(own)),
            TypeKind::Alias(ty) => self.value(ty, own, depth + 1),
            TypeKind::Callback => address(unsigned(own)),
            TypeKind::Enum {
                values,
                flags: false,
            } => {
                let value = signed(own);
                let name = values
                    .iter()
                    .find(|&&(_, known)| known == value)
                    .map(|(name, _)| name.as_str());
                Value::Enum { value, name }
            }
            TypeKind::Enum {
                values,
                flags: true,
            } => flags(values, unsigned(own)),
            TypeKind::Struct(fields) => Value::Struct(self.fields(fields, own, depth)),
            TypeKind::Union(fields) => Value::Union(self.fields(fields, own, depth)),
            TypeKind::Opaque => self.raw(own),
        }
    }

    fn fields(&mut self, fields: &'a [Field], own: &[u8], depth: u32) -> Vec<(&'a str, Value<'a>)> {
        let mut values = Vec::new();
        for field in fields {
            if self.values_left == 0 {
                break;
            }
            let from = own.get(field.offset as usize..).unwrap_or_default();
            let value = match field.bits {
                Some((first, count)) => {
                    let mask = 1u64
                        .checked_shl(count.into())
                        .map_or(u64::MAX, |bit| bit - 1);
                    Value::Uint(unsigned(from).checked_shr(first.into()).unwrap_or(0) & mask)
                }
                None => self
                    .array_behind(field, from, depth)
                    .or_else(|| self.selected(fields, field, own, depth))
                    .unwrap_or_else(|| self.value(&field.ty, from, depth + 1)),
            };
            values.push((field.name.as_str(), value));
        }
        values
    }

    /// What a counted pointer leads to, if that was captured.
    fn array_behind(&mut self, field: &'a Field, from: &[u8], depth: u32) -> Option<Value<'a>> {
        let (regions, Type::Pointer { to, .. }) = (self.regions?, &field.ty) else {
            return None;
        };
        field.count?;
        let address = unsigned(from.get(..8)?);
        let region = regions.call.region(regions.param, regions.out, address)?;
        let size = size_of_type(self.schema, to, depth);
        if size == 0 || depth >= MAX_DEPTH || self.values_left == 0 {
            return None;
        }
        let items = self.items(to, size, region.bytes, depth);
        Some(Value::Array {
            items,
            full_items: region.full.map(|full| full / size as u64),
        })
    }

    /// The one member of a union that another field chooses.
    fn selected(
        &mut self,
        fields: &'a [Field],
        field: &'a Field,
        own: &[u8],
        depth: u32,
    ) -> Option<Value<'a>> {
        let selector = fields.get(usize::from(field.selector?))?;
        let bytes = size_of_type(self.schema, &selector.ty, depth).clamp(1, 8);
        let at = selector.offset as usize;
        let value = signed(own.get(at..at.checked_add(bytes)?)?);
        let Type::Named(name) = &field.ty else {
            return None;
        };
        let TypeKind::Union(members) = &self.schema.type_named(name)?.kind else {
            return None;
        };
        let place = members
            .iter()
            .position(|member| member.selected_by == Some(value))?;
        let from = own.get(field.offset as usize..)?;
        let size = size_of_type(self.schema, &field.ty, depth).min(from.len());
        if depth >= MAX_DEPTH {
            return None;
        }
        Some(Value::Union(self.fields(
            &members[place..=place],
            &from[..size],
            depth + 1,
        )))
    }

    fn fixed_array(&mut self, of: &'a Type, own: &[u8], depth: u32) -> Value<'a> {
        let size = size_of_type(self.schema, of, depth + 1);
        match of {
            Type::Char => text(own, None),
            Type::Int { bytes: 1, .. } | Type::Void => self.raw(own),
            _ if size == 0 => self.raw(own),
            _ => {
                let items = self.items(of, size, own, depth);
                Value::Array {
                    items,
                    full_items: None,
                }
            }
        }
    }

    fn array(&mut self, of: &'a Type, size: usize, capture: &Captured<'_>) -> Value<'a> {
        if matches!(of, Type::Char | Type::Int { bytes: 1, .. }) {
            return bytes(capture.bytes, capture.full);
        }
        let items = self.items(of, size, capture.bytes, 0);
        Value::Array {
            items,
            full_items: capture.full.map(|full| full / size as u64),
        }
    }

    fn items(&mut self, of: &'a Type, size: usize, own: &[u8], depth: u32) -> Vec<Value<'a>> {
        let mut items = Vec::new();
        for item in own.chunks_exact(size) {
            if self.values_left == 0 {
                break;
            }
            items.push(self.value(of, item, depth + 1));
        }
        items
    }
}

fn address<'a>(word: u64) -> Value<'a> {
    if word == 0 {
        Value::Null
    } else {
        Value::Address(word)
    }
}

fn flags(values: &[(String, i64)], value: u64) -> Value<'_> {
    if let Some((name, _)) = values.iter().find(|&&(_, bits)| bits as u64 == value) {
        return Value::Flags {
            value,
            names: vec![name],
            rest: 0,
        };
    }
    let mut rest = value;
    let mut names = Vec::new();
    for (name, bits) in values {
        let bits = *bits as u64;
        if bits != 0 && rest & bits == bits {
            names.push(name.as_str());
            rest &= !bits;
        }
    }
    Value::Flags { value, names, rest }
}
