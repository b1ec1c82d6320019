//! What a rule may write behind a function's out parameters: `free`, `prop.maxThreadsPerBlock`, `name`.

use cutape_cuda_api::{
    Api, Direction, Extent, Field, Function, Param, Type, TypeDef, TypeKind, Unit,
};

use super::RuleError;
use super::piece::Piece;
use crate::filter::suggest::nearest;

/// Anonymous structures nest less deeply than this in any header.
const MAX_DEPTH: usize = 12;

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Place of the parameter.
    pub param: usize,
    /// Bytes from what the parameter points to.
    pub offset: u32,
    /// What is written there.
    pub target: Target<'a>,
    /// What the number counts.
    pub unit: Option<Unit>,
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// A value of that type.
    Value(&'a Type),
    /// Text in a buffer of the program's.
    Text,
}

/// What a path leads to in a function; `name` is the path as it stands in the rule.
///
/// # Errors
/// There is no such out parameter, or it is nothing that can be replaced.
pub(super) fn find<'a>(
    api: &'a Api,
    function: &'a Function,
    name: &Piece<'_>,
) -> Result<Place<'a>, RuleError> {
    let params = params(function);
    let text = name.text().strip_prefix("arg.").unwrap_or(name.text());
    let mut path = text.split('.');
    let first = path.next().unwrap_or_default();
    let Some(number) = params.iter().position(|param| param.name == first) else {
        return Err(unknown(function, first, name));
    };
    let param = &params[number];
    check_direction(function, param, name)?;
    let to = match (&param.ty, &param.extent) {
        (_, Extent::Text(Some(_))) if path.clone().next().is_none() => {
            return Ok(Place {
                param: number,
                offset: 0,
                target: Target::Text,
                unit: None,
            });
        }
        (Type::Pointer { to, .. }, Extent::One) => to.as_ref(),
        (_, extent) => {
            let what = match extent {
                Extent::PointedText => "text that the driver keeps",
                Extent::Text(_) => "text of no known length",
                _ => "an array",
            };
            return Err(name.error_with(
                "an out parameter that is one value",
                Some(format!("{first} of {} is {what}", function.name)),
            ));
        }
    };
    let (offset, ty) = path.try_fold((0, to), |at, field| step(api, at, field, name))?;
    if let Some(definition) = structure(api, ty) {
        let fields = field_names(api, definition).join(", ");
        let hint = format!("{text} is a {}: name one of its fields", definition.name);
        return Err(name.error_with(format!("{text}.FIELD, with one of {fields}"), Some(hint)));
    }
    Ok(Place {
        param: number,
        offset,
        target: Target::Value(ty),
        unit: param.unit,
    })
}

/// The one out parameter of a function that has one.
///
/// # Errors
/// It has none, or several.
pub(super) fn only<'f>(function: &'f Function, value: &Piece<'_>) -> Result<&'f str, RuleError> {
    match out_names(function).as_slice() {
        [only] => Ok(only),
        [] => Err(value.error(format!("no value: {} has no out parameter", function.name))),
        several => Err(value.error(format!(
            "which value it is: {} has the out parameters {}",
            function.name,
            several.join(", ")
        ))),
    }
}

/// Parameters of a function; none where its prototype is not known.
pub(super) fn params(function: &Function) -> &[Param] {
    function
        .signature
        .as_ref()
        .map_or(&[], |signature| signature.params.as_slice())
}

fn out_names(function: &Function) -> Vec<&str> {
    params(function)
        .iter()
        .filter(|param| is_out(param))
        .map(|param| param.name.as_str())
        .collect()
}

fn is_out(param: &Param) -> bool {
    matches!(param.direction, Direction::Out | Direction::InOut)
}

fn unknown(function: &Function, found: &str, name: &Piece<'_>) -> RuleError {
    let outs = out_names(function);
    let what = match outs.as_slice() {
        [] => format!("(it has none) of {}", function.name),
        outs => format!("of {} ({})", function.name, outs.join(", ")),
    };
    let known = outs.into_iter().chain(super::item::KEYS);
    let hint = nearest(found, known).map(|near| format!("did you mean {near}?"));
    let keys = super::item::KEYS.join(", ");
    name.error_with(format!("{keys}, or an out parameter {what}"), hint)
}

fn check_direction(function: &Function, param: &Param, name: &Piece<'_>) -> Result<(), RuleError> {
    if is_out(param) {
        return Ok(());
    }
    let outs = out_names(function).join(", ");
    let expected = format!("an out parameter of {} ({outs})", function.name);
    let hint = match param.direction {
        Direction::Opaque => format!("what {} points to is not recorded", param.name),
        _ => format!(
            "{0} is passed in by the program; {1}[{0}=VALUE] makes a rule for calls with that value",
            param.name, function.name
        ),
    };
    Err(name.error_with(expected, Some(hint)))
}

fn step<'a>(
    api: &'a Api,
    (offset, ty): (u32, &'a Type),
    field: &str,
    name: &Piece<'_>,
) -> Result<(u32, &'a Type), RuleError> {
    let ty = api.without_aliases(ty);
    if let (Type::Array { of, len }, Ok(index)) = (ty, field.parse::<u32>()) {
        let size = api.size_of(of).filter(|_| index < *len);
        return match size {
            Some(size) => Ok((offset + index * size, of)),
            None => Err(name.error(format!("an element from 0 to {}", len.saturating_sub(1)))),
        };
    }
    let Some(definition) = structure(api, ty) else {
        return Err(name.error_with(
            "a name without that field",
            Some("it has no fields".to_owned()),
        ));
    };
    match find_field(api, definition, field, 0) {
        Some((_, found)) if found.bits.is_some() => Err(name.error_with(
            "a field of whole bytes",
            Some(format!("{field} is a bit field")),
        )),
        Some((inside, found)) => Ok((offset + inside, &found.ty)),
        None => {
            let names = field_names(api, definition);
            let hint = nearest(field, names.iter().copied());
            Err(name.error_with(
                format!("a field of {} ({})", definition.name, names.join(", ")),
                hint.map(|near| format!("did you mean {near}?")),
            ))
        }
    }
}

fn structure<'a>(api: &'a Api, ty: &'a Type) -> Option<&'a TypeDef> {
    api.definition(ty)
        .filter(|definition| matches!(definition.kind, TypeKind::Struct(_) | TypeKind::Union(_)))
}

fn fields(definition: &TypeDef) -> &[Field] {
    match &definition.kind {
        TypeKind::Struct(fields) | TypeKind::Union(fields) => fields,
        _ => &[],
    }
}

/// A field and its offset; fields of anonymous members count as the structure's own.
fn find_field<'a>(
    api: &'a Api,
    definition: &'a TypeDef,
    name: &str,
    depth: usize,
) -> Option<(u32, &'a Field)> {
    let all = fields(definition);
    if let Some(field) = all.iter().find(|field| field.name == name) {
        return Some((field.offset, field));
    }
    let anonymous = all
        .iter()
        .filter(|field| field.name.is_empty() && depth < MAX_DEPTH);
    anonymous
        .filter_map(|member| {
            let (inside, field) = find_field(api, structure(api, &member.ty)?, name, depth + 1)?;
            Some((member.offset + inside, field))
        })
        .next()
}

fn field_names<'a>(api: &'a Api, definition: &'a TypeDef) -> Vec<&'a str> {
    let mut names = Vec::new();
    for field in fields(definition) {
        match structure(api, &field.ty) {
            Some(inner) if field.name.is_empty() => names.extend(field_names(api, inner)),
            _ => names.push(field.name.as_str()),
        }
    }
    names
}
