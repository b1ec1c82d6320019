//! Which bytes of a value count when two runs are compared: numbers and texts do, padding and addresses of the process do not, and words of
//! objects stand for the objects.

use cutape_cuda_api::{Field, Type, TypeKind};
use cutape_trace_format::schema::TraceSchema;

/// Types nest less deeply than this in any header.
const MAX_DEPTH: u32 = 16;
/// Parts of one value; a hostile schema may ask for any number.
const MAX_PIECES: usize = 512;

/// Part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Bytes from the start of the value.
    pub offset: u32,
    /// Length in bytes.
    pub bytes: u32,
    /// What it is.
    pub is: Meaning,
}

/// What part of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It counts as it is.
    Plain,
    /// Text up to its NUL.
    Text,
    /// A handle or an address on the device.
    Object,
    /// An address in the process: only whether it is null counts.
    Address,
}

/// The parts of a type's values that count, by offset.
pub(crate) fn layout(schema: &TraceSchema, ty: &Type) -> Vec<Piece> {
    let mut pieces = Vec::new();
    add(schema, (ty, 0), 0, &mut pieces);
    pieces
}

/// Bytes that a type takes, 0 where that is not known.
pub(crate) fn size_of(schema: &TraceSchema, ty: &Type) -> u32 {
    u32::try_from(schema.size_of(ty)).unwrap_or(u32::MAX)
}

/// Adds the parts of a type at an offset.
fn add(schema: &TraceSchema, at: (&Type, u32), depth: u32, pieces: &mut Vec<Piece>) {
    let (ty, offset) = at;
    if depth > MAX_DEPTH || pieces.len() >= MAX_PIECES {
        return;
    }
    let bytes = size_of(schema, ty);
    match ty {
        Type::Void => {}
        Type::Char | Type::Int { .. } | Type::Float { .. } => {
            push(pieces, offset, bytes, Meaning::Plain);
        }
        Type::Pointer { .. } => push(pieces, offset, bytes, Meaning::Address),
        Type::Array { of, .. } if **of == Type::Char => push(pieces, offset, bytes, Meaning::Text),
        Type::Array { of, len } => {
            let size = size_of(schema, of);
            for number in 0..(*len).min(MAX_PIECES as u32) {
                let next = offset.saturating_add(number.saturating_mul(size));
                add(schema, (of, next), depth + 1, pieces);
            }
        }
        Type::Named(name) => {
            let Some(definition) = schema.type_named(name) else {
                return;
            };
            match &definition.kind {
                TypeKind::Handle | TypeKind::DevicePointer => {
                    push(pieces, offset, bytes, Meaning::Object);
                }
                TypeKind::Callback => push(pieces, offset, bytes, Meaning::Address),
                TypeKind::Enum { .. } => push(pieces, offset, bytes, Meaning::Plain),
                TypeKind::Alias(target) => add(schema, (target, offset), depth + 1, pieces),
                TypeKind::Struct(fields) => {
                    for field in fields.iter().filter(|field| !is_spare(&field.name)) {
                        add_field(schema, field, (offset, depth), pieces);
                    }
                }
                // Nothing says which member holds, and what the others show besides may be left over from before.
                TypeKind::Union(fields) => {
                    if let Some(first) = fields.iter().find(|field| !is_spare(&field.name)) {
                        add_field(schema, first, (offset, depth), pieces);
                    }
                }
                TypeKind::Opaque => {}
            }
        }
    }
}

fn add_field(
    schema: &TraceSchema,
    field: &Field,
    (offset, depth): (u32, u32),
    pieces: &mut Vec<Piece>,
) {
    let at = offset.saturating_add(field.offset);
    add(schema, (&field.ty, at), depth + 1, pieces);
}

/// Room that the header keeps for later.
pub(crate) fn is_spare(name: &str) -> bool {
    name.starts_with("reserved") || name.starts_with("pad")
}

/// Adds a part, joined with the one before it if both count as they are.
fn push(pieces: &mut Vec<Piece>, offset: u32, bytes: u32, is: Meaning) {
    if bytes == 0 {
        return;
    }
    if let Some(last) = pieces.last_mut()
        && (last.is, is) == (Meaning::Plain, Meaning::Plain)
        && last.offset.saturating_add(last.bytes) == offset
    {
        last.bytes = last.bytes.saturating_add(bytes);
        return;
    }
    pieces.push(Piece { offset, bytes, is });
}
