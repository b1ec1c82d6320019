//! What a parameter's C type alone says about its role. The overlay corrects what it gets wrong: lengths, in-out structures, flags.
//!
//! | C type | role |
//! | --- | --- |
//! | number, enumeration, handle, device pointer, structure by value | value |
//! | `const char *` | in, text |
//! | `char *` | opaque: nothing says how long the buffer is |
//! | `void *`, `const void *`, a pointer to a type that only the driver knows | opaque |
//! | function pointer | opaque |
//! | `const T *` | in, one |
//! | `T *` where T is a structure whose first member is `version` | in-out, one: the caller says which layout it passes |
//! | `T *`, `T **` | out, one |

use crate::model::{Direction, Extent, Param, Type, TypeDef, TypeKind};

/// Sets every parameter's role from its type. `types` is sorted by name.
pub fn set_default_roles(params: &mut [Param], types: &[TypeDef]) {
    for param in params {
        (param.direction, param.extent) = default_role(&param.ty, types);
    }
}

fn default_role(ty: &Type, types: &[TypeDef]) -> (Direction, Extent) {
    match ty {
        Type::Pointer { to, constant } => match (follow_aliases(to, types), constant) {
            (Target::Unknown, _) | (Target::Char, false) => (Direction::Opaque, Extent::One),
            (Target::Char, true) => (Direction::In, Extent::Text(None)),
            (Target::Value | Target::Versioned, true) => (Direction::In, Extent::One),
            (Target::Versioned, false) => (Direction::InOut, Extent::One),
            (Target::Value, false) => (Direction::Out, Extent::One),
        },
        Type::Named(_) if is_callback(ty, types) => (Direction::Opaque, Extent::One),
        _ => (Direction::Value, Extent::One),
    }
}

/// What a pointer points to, as far as its role goes.
enum Target {
    Value,
    /// A structure that begins with its own version and size, as NVML's do.
    Versioned,
    Char,
    Unknown,
}

fn follow_aliases(ty: &Type, types: &[TypeDef]) -> Target {
    match ty {
        Type::Void => Target::Unknown,
        Type::Char => Target::Char,
        Type::Named(name) => match find_type(name, types).map(|type_def| &type_def.kind) {
            Some(TypeKind::Alias(target)) => follow_aliases(target, types),
            Some(TypeKind::Opaque) | None => Target::Unknown,
            Some(TypeKind::Struct(fields))
                if fields.first().is_some_and(|first| first.name == "version") =>
            {
                Target::Versioned
            }
            Some(_) => Target::Value,
        },
        _ => Target::Value,
    }
}

fn is_callback(ty: &Type, types: &[TypeDef]) -> bool {
    match ty {
        Type::Named(name) => match find_type(name, types).map(|type_def| &type_def.kind) {
            Some(TypeKind::Alias(target)) => is_callback(target, types),
            Some(TypeKind::Callback) => true,
            _ => false,
        },
        _ => false,
    }
}

/// The type of that name in a list sorted by name.
pub fn find_type<'a>(name: &str, types: &'a [TypeDef]) -> Option<&'a TypeDef> {
    types
        .binary_search_by(|type_def| type_def.name.as_str().cmp(name))
        .ok()
        .map(|place| &types[place])
}
