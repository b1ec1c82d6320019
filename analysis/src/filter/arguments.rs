//! Arguments by name: which functions have one of that name, what type it is of, and its value in a call.

use std::collections::BTreeSet;

use cutape_cuda_api::{
    Api, Direction, Extent, Field, Function, Param, Signature, Type, TypeDef, TypeKind,
};
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::Value;

/// Structures nest less deeply than this in any header.
const MAX_DEPTH: usize = 12;
/// Values that are looked at in one argument: an array may be any length.
const MAX_VALUES: usize = 1 << 16;
/// Argument words that are shown of a function without a prototype.
const RAW_WORDS: usize = 6;

/// Where types are looked up: the table, or a trace's schema.
pub(crate) trait Types {
    /// The definition of a type.
    fn named(&self, name: &str) -> Option<&TypeDef>;
}

impl Types for Api {
    fn named(&self, name: &str) -> Option<&TypeDef> {
        self.type_def(name)
    }
}

impl Types for TraceSchema {
    fn named(&self, name: &str) -> Option<&TypeDef> {
        self.type_named(name)
    }
}

/// What stands at the end of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf<'a> {
    /// A number that has names.
    Enum(&'a [(String, i64)]),
    /// Text.
    Text,
    /// A number without names.
    Number,
    /// A handle or an address.
    Handle,
    /// A structure, or bytes.
    Other,
}

/// A parameter and the type at the end of a path in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Place of the parameter.
    pub param: usize,
    pub leaf: Leaf<'a>,
}

/// Whether a path is `arg0` to `arg5`: words of a function whose prototype is not known.
pub(crate) fn is_raw(path: &[String]) -> bool {
    path.len() == 1 && raw_word(&path[0]).is_some()
}

/// The number of `arg3`.
pub(crate) fn raw_word(name: &str) -> Option<usize> {
    let number = name.strip_prefix("arg")?.parse().ok()?;
    (number < RAW_WORDS).then_some(number)
}

/// What a path leads to in a function's prototype; `None` if it has no such argument.
pub(crate) fn find<'a>(
    types: &'a dyn Types,
    signature: &'a Signature,
    path: &[String],
) -> Option<Place<'a>> {
    let (name, fields) = path.split_first()?;
    let param = signature
        .params
        .iter()
        .position(|param| param.name == *name)?;
    let leaf = leaf_of(types, &signature.params[param], fields)?;
    Some(Place { param, leaf })
}

fn leaf_of<'a>(types: &'a dyn Types, param: &'a Param, fields: &[String]) -> Option<Leaf<'a>> {
    if fields.is_empty() && matches!(param.extent, Extent::Text(_) | Extent::PointedText) {
        return Some(Leaf::Text);
    }
    let fields = match fields.first().map(String::as_str) {
        Some("before" | "after") if param.direction == Direction::InOut => &fields[1..],
        _ => fields,
    };
    let mut ty = pointed_to(param);
    for field in fields {
        // An element by its number, or a field of all elements.
        if field.parse::<usize>().is_ok() {
            if let Type::Array { of, .. } = without_aliases(types, ty) {
                ty = of;
            } else if !matches!(param.extent, Extent::Count(_)) {
                return None;
            }
            continue;
        }
        let mut inner = without_aliases(types, ty);
        while let Type::Array { of, .. } = inner {
            inner = without_aliases(types, of);
        }
        let Type::Named(name) = inner else {
            return None;
        };
        ty = field_type(types, types.named(name)?, field, 0)?;
    }
    Some(classify(types, ty))
}

/// What lies behind a parameter that is a pointer to follow, the parameter itself otherwise.
fn pointed_to(param: &Param) -> &Type {
    match (&param.ty, param.direction) {
        (ty, Direction::Value | Direction::Opaque) => ty,
        (Type::Pointer { to, .. }, _) => to,
        (ty, _) => ty,
    }
}

fn without_aliases<'a>(types: &'a dyn Types, ty: &'a Type) -> &'a Type {
    let mut ty = ty;
    // A trace's aliases may go round in a circle.
    for _ in 0..MAX_DEPTH {
        match ty {
            Type::Named(name) => match types.named(name).map(|definition| &definition.kind) {
                Some(TypeKind::Alias(target)) => ty = target,
                _ => break,
            },
            _ => break,
        }
    }
    ty
}

fn fields_of(definition: &TypeDef) -> &[Field] {
    match &definition.kind {
        TypeKind::Struct(fields) | TypeKind::Union(fields) => fields,
        _ => &[],
    }
}

/// The type of a field; fields of anonymous members count as the structure's own.
fn field_type<'a>(
    types: &'a dyn Types,
    definition: &'a TypeDef,
    name: &str,
    depth: usize,
) -> Option<&'a Type> {
    let fields = fields_of(definition);
    if let Some(field) = fields.iter().find(|field| field.name == name) {
        return Some(&field.ty);
    }
    let anonymous = fields
        .iter()
        .filter(|field| field.name.is_empty() && depth < MAX_DEPTH);
    anonymous
        .filter_map(|field| match without_aliases(types, &field.ty) {
            Type::Named(inner) => field_type(types, types.named(inner)?, name, depth + 1),
            _ => None,
        })
        .next()
}

fn classify<'a>(types: &'a dyn Types, ty: &'a Type) -> Leaf<'a> {
    match without_aliases(types, ty) {
        Type::Void => Leaf::Other,
        Type::Char => Leaf::Text,
        Type::Int { .. } | Type::Float { .. } => Leaf::Number,
        Type::Pointer { .. } => Leaf::Handle,
        Type::Array { of, .. } => classify(types, of),
        Type::Named(name) => match types.named(name).map(|definition| &definition.kind) {
            Some(TypeKind::Enum { values, .. }) => Leaf::Enum(values),
            Some(TypeKind::Handle | TypeKind::DevicePointer | TypeKind::Callback) => Leaf::Handle,
            _ => Leaf::Other,
        },
    }
}

fn signatures(api: &Api) -> impl Iterator<Item = &Signature> {
    let functions: &[Function] = api.functions();
    functions
        .iter()
        .filter_map(|function| function.signature.as_ref())
}

/// What a path leads to in all functions that have it.
pub(crate) fn leaves<'a>(api: &'a Api, path: &[String]) -> Vec<Leaf<'a>> {
    signatures(api)
        .filter_map(|signature| find(api, signature, path))
        .map(|place| place.leaf)
        .collect()
}

/// Names of arguments, or of the fields below a path, in all functions.
pub(crate) fn names_below<'a>(api: &'a Api, path: &[String]) -> Vec<&'a str> {
    let mut names = BTreeSet::new();
    for signature in signatures(api) {
        let Some((first, fields)) = path.split_first() else {
            names.extend(signature.params.iter().map(|param| param.name.as_str()));
            continue;
        };
        let params = signature.params.iter().filter(|param| param.name == *first);
        for param in params {
            if let Some(definition) = definition_at(api, param, fields) {
                add_fields(api, definition, 0, &mut names);
            }
        }
    }
    names.remove("");
    names.into_iter().collect()
}

fn definition_at<'a>(api: &'a Api, param: &'a Param, fields: &[String]) -> Option<&'a TypeDef> {
    let mut ty = pointed_to(param);
    for field in fields {
        ty = field_type(api, definition_of(api, ty)?, field, 0)?;
    }
    definition_of(api, ty)
}

fn definition_of<'a>(api: &'a Api, ty: &'a Type) -> Option<&'a TypeDef> {
    match without_aliases(api, ty) {
        Type::Named(name) => api.type_def(name),
        Type::Array { of, .. } => definition_of(api, of),
        _ => None,
    }
}

fn add_fields<'a>(
    api: &'a Api,
    definition: &'a TypeDef,
    depth: usize,
    names: &mut BTreeSet<&'a str>,
) {
    for field in fields_of(definition) {
        if field.name.is_empty() && depth < MAX_DEPTH {
            if let Some(inner) = definition_of(api, &field.ty) {
                add_fields(api, inner, depth + 1, names);
            }
        } else {
            names.insert(&field.name);
        }
    }
}

/// Adds the values that a path leads to. Elements of arrays and both sides of an in-out parameter are values of their own, so that a test
/// holds if it holds for any of them.
pub(crate) fn values_at<'v, 'a>(
    value: &'v Value<'a>,
    path: &[String],
    found: &mut Vec<&'v Value<'a>>,
) {
    if found.len() >= MAX_VALUES {
        return;
    }
    match (value, path.split_first()) {
        (Value::InOut { before, after }, Some((side, rest)))
            if side == "before" || side == "after" =>
        {
            let chosen = if side == "before" { before } else { after };
            values_at(chosen, rest, found);
        }
        (Value::InOut { before, after }, _) => {
            values_at(before, path, found);
            values_at(after, path, found);
        }
        (Value::Array { items, .. }, Some((element, rest))) if element.parse::<usize>().is_ok() => {
            let place = element.parse().unwrap_or(usize::MAX);
            if let Some(item) = items.get(place) {
                values_at(item, rest, found);
            }
        }
        (Value::Array { items, .. }, _) => {
            items.iter().for_each(|item| values_at(item, path, found));
        }
        (Value::Struct(fields) | Value::Union(fields), Some((name, rest))) => {
            let named = fields.iter().filter(|(field, _)| field == name);
            let mut any = false;
            for (_, inner) in named {
                any = true;
                values_at(inner, rest, found);
            }
            if !any {
                let anonymous = fields.iter().filter(|(field, _)| field.is_empty());
                anonymous.for_each(|(_, inner)| values_at(inner, path, found));
            }
        }
        (_, Some(_)) => {}
        (leaf, None) => found.push(leaf),
    }
}
