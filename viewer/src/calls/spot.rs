//! Where the parts of a value lie among the bytes that were copied. The layout is the trace's own, and trusted no more than the rest of it.

use cutape_cuda_api::{Direction, Extent, Field, Param, Type, TypeKind};
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::Value;

use super::bytes::{Bytes, BytesOf, Span};

/// Names of a type that stand for each other; more are none of a header.
const MOST_ALIASES: usize = 24;

/// A value's bytes, and what they are.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The bytes.
    pub span: Span,
    ty: &'a Type,
    /// They are several values of the type.
    are_items: bool,
}

/// Finds spots among the bytes of a call.
#[derive(Clone, Copy, Debug)]
pub struct Spots<'a> {
    /// The layout.
    pub schema: &'a TraceSchema,
    /// The bytes.
    pub parts: &'a [Bytes],
}

impl<'a> Spots<'a> {
    /// What a parameter points to: after the call where that is known, unless `before` is wanted.
    pub fn behind(&self, number: u8, param: &'a Param, before: bool) -> Option<Spot<'a>> {
        let is_out = match param.direction {
            Direction::In => false,
            Direction::Out => true,
            Direction::InOut => !before,
            Direction::Value | Direction::Opaque => return None,
        };
        let of = BytesOf::Parameter {
            param: number,
            out: is_out,
        };
        let ty = match &param.ty {
            Type::Pointer { to, .. } => to,
            other => other,
        };
        let are_items = matches!(param.extent, Extent::Count(_));
        self.whole(of, ty, are_items)
    }

    /// All bytes of a part.
    pub fn part(&self, of: BytesOf) -> Option<Span> {
        let part = self.parts.iter().position(|part| part.of == of)?;
        let length = self.parts[part].bytes.len();
        let span = Span {
            part,
            start: 0,
            length,
        };
        (length > 0).then_some(span)
    }

    /// A field of a structure or member of a union, by its place or, where not all are shown, by its name.
    pub fn field(&self, of: Spot<'a>, place: (usize, &str), value: &Value<'_>) -> Option<Spot<'a>> {
        let (TypeKind::Struct(fields) | TypeKind::Union(fields)) = self.kind(of.ty)? else {
            return None;
        };
        let (number, name) = place;
        let by_place = fields.get(number).filter(|field| field.name == name);
        let field = by_place.or_else(|| fields.iter().find(|field| field.name == name))?;
        self.array_behind(of, field, value).or_else(|| {
            let size = self.schema.size_of(&field.ty).max(1);
            let start = of.span.start.checked_add(field.offset as usize)?;
            self.inside(of.span, (start, size), &field.ty)
        })
    }

    /// An element of an array.
    pub fn item(&self, of: Spot<'a>, number: usize) -> Option<Spot<'a>> {
        let ty = match (of.are_items, self.resolved(of.ty)?) {
            (true, _) => of.ty,
            (false, Type::Array { of, .. }) => of,
            (false, _) => return None,
        };
        let size = self.schema.size_of(ty);
        let start = number.checked_mul(size)?.checked_add(of.span.start)?;
        self.inside(of.span, (start, size), ty)
    }

    fn whole(&self, of: BytesOf, ty: &'a Type, are_items: bool) -> Option<Spot<'a>> {
        Some(Spot {
            span: self.part(of)?,
            ty,
            are_items,
        })
    }

    /// What a counted pointer leads to, if it is shown as that.
    fn array_behind(&self, of: Spot<'a>, field: &'a Field, value: &Value<'_>) -> Option<Spot<'a>> {
        let (Type::Pointer { to, .. }, Value::Array { .. }) = (&field.ty, value) else {
            return None;
        };
        let part = self.parts.get(of.span.part)?;
        let (BytesOf::Parameter { param, out } | BytesOf::Region { param, out, .. }) = part.of
        else {
            return None;
        };
        let start = of.span.start.checked_add(field.offset as usize)?;
        let word = part.bytes.get(start..start.checked_add(8)?)?;
        let address = u64::from_le_bytes(word.try_into().ok()?);
        let of = BytesOf::Region {
            param,
            out,
            address,
        };
        self.whole(of, to, true)
    }

    fn inside(&self, outer: Span, (start, size): (usize, usize), ty: &'a Type) -> Option<Spot<'a>> {
        let end = start.checked_add(size)?;
        let span = Span {
            part: outer.part,
            start,
            length: size,
        };
        (size > 0 && end <= outer.end()).then_some(Spot {
            span,
            ty,
            are_items: false,
        })
    }

    /// The type that a name stands for in the end.
    fn resolved(&self, ty: &'a Type) -> Option<&'a Type> {
        let mut ty = ty;
        for _ in 0..MOST_ALIASES {
            let Type::Named(name) = ty else {
                return Some(ty);
            };
            match self.schema.type_named(name).map(|known| &known.kind) {
                Some(TypeKind::Alias(of)) => ty = of,
                _ => return Some(ty),
            }
        }
        None
    }

    fn kind(&self, ty: &'a Type) -> Option<&'a TypeKind> {
        match self.resolved(ty)? {
            Type::Named(name) => self.schema.type_named(name).map(|known| &known.kind),
            _ => None,
        }
    }
}
