//! Questions about types: sizes, what an alias stands for, what a number is called.

use crate::api::Api;
use cutape_api_model::{Type, TypeDef, TypeKind};

impl Api {
    /// Bytes that a value of the type takes; `None` for void and for types of which only the name is known.
    pub fn size_of(&self, ty: &Type) -> Option<u32> {
        match ty {
            Type::Void => None,
            Type::Int { bytes, .. } | Type::Float { bytes } => Some(u32::from(*bytes)),
            Type::Char => Some(1),
            Type::Pointer { .. } => Some(8),
            Type::Array { of, len } => self.size_of(of)?.checked_mul(*len),
            Type::Named(name) => self.defined(name).map(|type_def| type_def.size),
        }
    }

    /// Alignment of a value of the type in bytes; `None` where there is no size.
    pub fn align_of(&self, ty: &Type) -> Option<u32> {
        match ty {
            Type::Array { of, .. } => self.align_of(of),
            Type::Named(name) => self.defined(name).map(|type_def| type_def.align),
            other => self.size_of(other),
        }
    }

    fn defined(&self, name: &str) -> Option<&TypeDef> {
        self.type_def(name).filter(|type_def| type_def.size != 0)
    }

    /// The type with the aliases at its top followed: `CUdevice` becomes `i32`; `*CUdevice` stays.
    pub fn without_aliases<'a>(&'a self, ty: &'a Type) -> &'a Type {
        let mut ty = ty;
        while let Type::Named(name) = ty
            && let Some(TypeDef {
                kind: TypeKind::Alias(target),
                ..
            }) = self.type_def(name)
        {
            ty = target;
        }
        ty
    }

    /// The definition that a named type ends at once aliases are followed; `None` for builtin types and pointers.
    pub fn definition<'a>(&'a self, ty: &'a Type) -> Option<&'a TypeDef> {
        match self.without_aliases(ty) {
            Type::Named(name) => self.type_def(name),
            _ => None,
        }
    }

    /// The name of an enumeration's value: the first one in the header's order. Only the enumeration's own bits of `value` are
    /// looked at, so that -1 and 0xffffffff are the same 4-byte value. For flags, see [`Api::flag_names`].
    pub fn enum_name(&self, enumeration: &str, value: i64) -> Option<&str> {
        let (values, mask) = self.enum_values(enumeration)?;
        values
            .iter()
            .find(|(_, known)| known & mask == value & mask)
            .map(|(name, _)| name.as_str())
    }

    /// The flags set in a value, in the header's order, and the bits that no flag names. A value that has a name as a whole (0, or a
    /// combination with a name of its own) is that one name.
    pub fn flag_names(&self, enumeration: &str, value: i64) -> Option<(Vec<&str>, u64)> {
        let (values, mask) = self.enum_values(enumeration)?;
        if let Some(whole) = self.enum_name(enumeration, value) {
            return Some((vec![whole], 0));
        }
        let mut left = (value & mask).cast_unsigned();
        let mut names = Vec::new();
        for (name, flag) in values {
            let bit = (flag & mask).cast_unsigned();
            if bit.is_power_of_two() && left & bit != 0 {
                left &= !bit;
                names.push(name.as_str());
            }
        }
        Some((names, left))
    }

    fn enum_values(&self, enumeration: &str) -> Option<(&[(String, i64)], i64)> {
        let type_def = self.definition_of_name(enumeration)?;
        match &type_def.kind {
            TypeKind::Enum { values, .. } if type_def.size == 8 => Some((values, -1)),
            TypeKind::Enum { values, .. } => Some((values, i64::from(u32::MAX))),
            _ => None,
        }
    }

    fn definition_of_name(&self, name: &str) -> Option<&TypeDef> {
        let type_def = self.type_def(name)?;
        match &type_def.kind {
            TypeKind::Alias(target) => self.definition(target),
            _ => Some(type_def),
        }
    }
}
