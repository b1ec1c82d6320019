//! Compares prototypes by what crosses the call, not by what the types are called.

use cutape_api_model::{Signature, Type, TypeDef, TypeKind};
use std::collections::BTreeMap;

/// Whether two prototypes of one header take and return the same types once aliases are followed.
pub fn same_interface(
    left: &Signature,
    right: &Signature,
    types: &BTreeMap<String, TypeDef>,
) -> bool {
    same_types(
        &canonical_signature(left, types),
        &canonical_signature(right, types),
    )
}

/// Whether two prototypes take and return the same types; parameter names don't matter.
pub fn same_types(left: &Signature, right: &Signature) -> bool {
    left.returns == right.returns
        && left
            .params
            .iter()
            .map(|param| &param.ty)
            .eq(right.params.iter().map(|param| &param.ty))
}

/// A prototype with the aliases in it followed.
pub fn canonical_signature(signature: &Signature, types: &BTreeMap<String, TypeDef>) -> Signature {
    let mut signature = signature.clone();
    signature.returns = canonical_type(&signature.returns, types);
    for param in &mut signature.params {
        param.ty = canonical_type(&param.ty, types);
    }
    signature
}

/// A type with aliases followed. `CUuuid_v1` renamed to `CUuuid` stays a difference of names only where an alias says so.
fn canonical_type(ty: &Type, types: &BTreeMap<String, TypeDef>) -> Type {
    match ty {
        // What a pointer points to may be const in one header only: the same register, the same bytes.
        Type::Pointer { to, .. } => Type::Pointer {
            to: Box::new(canonical_type(to, types)),
            constant: false,
        },
        Type::Array { of, len } => Type::Array {
            of: Box::new(canonical_type(of, types)),
            len: *len,
        },
        Type::Named(name) => match types.get(name) {
            Some(TypeDef {
                kind: TypeKind::Alias(target),
                ..
            }) => canonical_type(target, types),
            _ => ty.clone(),
        },
        other => other.clone(),
    }
}
