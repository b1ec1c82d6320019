//! Compares what the sources implement with the table, parameter by parameter.

use cutape_cuda_api::{Api, Type, TypeDef, TypeKind};

use crate::implementations::Implementation;

/// Stops the build with everything that differs.
pub fn check(api: &Api, implemented: &[Implementation]) {
    let differences: Vec<String> = implemented
        .iter()
        .filter_map(|one| difference(api, one))
        .collect();
    assert!(
        differences.is_empty(),
        "implementations differ from the API table:\n{}",
        differences.join("\n")
    );
}

fn difference(api: &Api, implementation: &Implementation) -> Option<String> {
    let Implementation {
        name,
        place,
        params,
        ..
    } = implementation;
    let Some(id) = api.function(name) else {
        return Some(format!("{place}: the table has no function {name}"));
    };
    let Some(signature) = &api.at(id).signature else {
        return Some(format!("{place}: no header declares {name}"));
    };
    if signature.params.len() != params.len() {
        return Some(format!(
            "{place}: {name} takes {} parameters, the table says {}",
            params.len(),
            signature.params.len()
        ));
    }
    params
        .iter()
        .zip(&signature.params)
        .find_map(|((param, rust), known)| {
            let same_name = *param == known.name;
            let same_type = matches(api, rust, &known.ty);
            (!same_name || !same_type).then(|| {
                format!(
                    "{place}: {name} takes `{param}: {rust}`, the table says `{}: {:?}`",
                    known.name, known.ty
                )
            })
        })
}

/// Whether a Rust type is what the C type is on the wire.
fn matches(api: &Api, rust: &str, ty: &Type) -> bool {
    if names(api, ty).any(|name| name == rust.trim_start_matches("abi::")) {
        return true;
    }
    let inner = |wrapper: &str| {
        rust.strip_prefix(wrapper)
            .and_then(|rest| rest.strip_suffix('>'))
    };
    match api.without_aliases(ty) {
        Type::Pointer { to, constant } => {
            let pointee = |rust: &str| is_bytes(api, rust, to) || matches(api, rust, to);
            match (inner("Out<"), inner("In<")) {
                (Some(rust), _) => !constant && pointee(rust),
                (_, Some(rust)) => pointee(rust),
                _ => match rust.split_once(' ') {
                    Some(("*mut", rust)) => {
                        !constant && (rust == "c_void" && is_bytes(api, "u8", to) || pointee(rust))
                    }
                    Some(("*const", rust)) => {
                        *constant && (rust == "c_void" && is_bytes(api, "u8", to) || pointee(rust))
                    }
                    _ => rust == "Text" && *constant && matches!(**to, Type::Char),
                },
            }
        }
        Type::Int { bytes: 1, .. } | Type::Char => matches!(rust, "u8" | "i8" | "c_char"),
        Type::Int { bytes: 2, signed } => rust == if *signed { "i16" } else { "u16" },
        Type::Int { bytes: 4, signed } => rust == if *signed { "i32" } else { "u32" },
        Type::Int { bytes: 8, signed } => {
            matches!((rust, signed), ("u64" | "usize", false) | ("i64", true))
        }
        Type::Float { bytes } => rust == if *bytes == 4 { "f32" } else { "f64" },
        Type::Named(name) => {
            let bytes = match api.type_def(name) {
                Some(TypeDef {
                    kind: TypeKind::Enum { .. },
                    size,
                    ..
                }) => *size,
                _ => 0,
            };
            matches!((rust, bytes), ("u32" | "i32", 4) | ("u64" | "i64", 8))
        }
        _ => false,
    }
}

/// Whether what is pointed to is bytes without a type, and the source takes it as such.
fn is_bytes(api: &Api, rust: &str, to: &Type) -> bool {
    matches!(api.without_aliases(to), Type::Void) && matches!(rust, "u8" | "c_void")
}

/// The names that a type goes by, along its aliases.
fn names<'a>(api: &'a Api, ty: &'a Type) -> impl Iterator<Item = &'a str> {
    let mut next = Some(ty);
    std::iter::from_fn(move || {
        let Some(Type::Named(name)) = next else {
            return None;
        };
        next = match api.type_def(name).map(|definition| &definition.kind) {
            Some(TypeKind::Alias(target)) => Some(target),
            _ => None,
        };
        Some(name.as_str())
    })
}

/// The definition that a name ends at once aliases are followed.
pub fn definition<'a>(api: &'a Api, name: &str) -> Option<&'a TypeDef> {
    let found = api.type_def(name)?;
    match &found.kind {
        TypeKind::Alias(target) => api.definition(target),
        _ => Some(found),
    }
}
