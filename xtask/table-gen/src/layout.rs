//! Sizes, alignments and offsets by the rules of the x86-64 System V ABI. A test compiles them against the headers.

use cutape_api_model::{Field, Type, TypeDef, TypeKind};
use std::collections::BTreeMap;

/// Size and alignment in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes.
    pub size: u32,
    /// Bytes.
    pub align: u32,
}

/// Size and alignment of a type; `None` for void and for types without a definition.
pub fn size_and_align(ty: &Type, types: &BTreeMap<String, TypeDef>) -> Option<Layout> {
    match ty {
        Type::Void => None,
        Type::Int { bytes, .. } | Type::Float { bytes } => Some(Layout {
            size: u32::from(*bytes),
            align: u32::from(*bytes),
        }),
        Type::Char => Some(Layout { size: 1, align: 1 }),
        Type::Pointer { .. } => Some(Layout { size: 8, align: 8 }),
        Type::Array { of, len } => {
            let element = size_and_align(of, types)?;
            Some(Layout {
                size: element.size.checked_mul(*len)?,
                align: element.align,
            })
        }
        Type::Named(name) => {
            let type_def = types
                .get(name)
                .filter(|type_def| type_def.kind != TypeKind::Opaque)?;
            Some(Layout {
                size: type_def.size,
                align: type_def.align,
            })
        }
    }
}

/// Places the fields of one structure or union, in order.
pub struct StructLayout {
    is_union: bool,
    fields: Vec<Field>,
    /// Bits used so far; of a union, bits of the largest member.
    bits_used: u32,
    align: u32,
}

impl StructLayout {
    /// An empty structure or union.
    pub fn new(is_union: bool) -> Self {
        Self {
            is_union,
            fields: Vec::new(),
            bits_used: 0,
            align: 1,
        }
    }

    /// Appends a field that isn't a bit field; its offset is set here.
    pub fn add(&mut self, mut field: Field, layout: Layout) {
        self.align = self.align.max(layout.align);
        if self.is_union {
            self.bits_used = self.bits_used.max(layout.size * 8);
        } else {
            field.offset = self.bits_used.div_ceil(8).next_multiple_of(layout.align);
            self.bits_used = (field.offset + layout.size) * 8;
        }
        self.fields.push(field);
    }

    /// Appends a bit field of `width` bits in units of its declared type. Width 0 closes the unit.
    pub fn add_bits(&mut self, name: String, ty: Type, unit: Layout, width: u8) {
        let unit_bits = unit.size * 8;
        let mut first = if self.is_union { 0 } else { self.bits_used };
        if width == 0 {
            self.bits_used = first.next_multiple_of(unit_bits);
            return;
        }
        if first / unit_bits != (first + u32::from(width) - 1) / unit_bits {
            first = first.next_multiple_of(unit_bits);
        }
        self.bits_used = self.bits_used.max(first + u32::from(width));
        // Unnamed bit fields are padding and don't align the whole.
        if !name.is_empty() {
            self.align = self.align.max(unit.align);
            let offset = first / unit_bits * unit.size;
            let first_bit = u8::try_from(first % unit_bits).unwrap_or(0);
            self.fields.push(Field {
                name,
                offset,
                ty,
                bits: Some((first_bit, width)),
                count: None,
                selector: None,
                selected_by: None,
            });
        }
    }

    /// The fields with their offsets, and the layout of the whole.
    pub fn finish(self) -> (Vec<Field>, Layout) {
        let size = self.bits_used.div_ceil(8).next_multiple_of(self.align);
        (
            self.fields,
            Layout {
                size,
                align: self.align,
            },
        )
    }
}
