//! Which functions a rule is for, and for which arguments: `cuMemAlloc`, `cuMem*`, `cuDeviceGetAttribute[75]`.

use cutape_call_choice::pattern::fits;
use cutape_cuda_api::convention::Layout;
use cutape_cuda_api::{
    Api, DefaultStream, Direction, Extent, Function, FunctionId, Param, TypeKind,
};
use cutape_trace_format::injection_plan::Condition;

use super::RuleError;
use super::piece::Piece;
use super::place::params;
use super::value;
use crate::filter::suggest::nearest;

/// One of a rule's functions, as written.
pub(super) struct Selector<'t> {
    /// The name or pattern.
    pub name: Piece<'t>,
    /// What is in the brackets.
    pub conditions: Vec<Piece<'t>>,
    /// What stands behind `=`: the value of the only out parameter.
    pub value: Option<Piece<'t>>,
}

impl<'t> Selector<'t> {
    /// Reads the first part of a rule.
    ///
    /// # Errors
    /// Brackets that are not closed.
    pub(super) fn list(part: &Piece<'t>) -> Result<Vec<Self>, RuleError> {
        part.split(&[',']).iter().map(Self::read).collect()
    }

    fn read(part: &Piece<'t>) -> Result<Self, RuleError> {
        let (function, value) = match part.assignment() {
            Some((function, value)) => (function, Some(value)),
            None => (part.clone(), None),
        };
        let (name, inside) = function.bracketed()?;
        let conditions = inside.map_or_else(Vec::new, |inside| inside.split(&[',']));
        Ok(Self {
            name,
            conditions,
            value,
        })
    }

    /// The functions that the name means.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn functions(&self, api: &Api) -> Result<Vec<FunctionId>, RuleError> {
        let name = self.name.text();
        let means = |function: &Function| {
            if name.contains('*') {
                fits(name, &function.name) || fits(name, &function.base)
            } else {
                function.name == name || function.base == name || is_twin(function, name)
            }
        };
        let all = (0..).zip(api.functions());
        let found: Vec<_> = all
            .filter(|(_, function)| means(function))
            .map(|(number, _)| FunctionId(number))
            .collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let functions = api.functions().iter();
        let known = functions.flat_map(|function| [function.name.as_str(), function.base.as_str()]);
        let hint = nearest(name, known).map(|near| format!("did you mean {near}?"));
        let expected = "a function of the CUDA driver API or of NVML, or a pattern such as cuMem*";
        Err(self.name.error_with(expected, hint))
    }
}

/// Whether a function is the one of that name with the thread's own stream as its NULL stream.
fn is_twin(function: &Function, name: &str) -> bool {
    function.default_stream == DefaultStream::PerThread
        && function
            .name
            .strip_suffix("_ptsz")
            .or_else(|| function.name.strip_suffix("_ptds"))
            == Some(name)
}

/// A condition for a function's argument.
///
/// # Errors
/// There is no such argument, or it is none that can be compared.
pub(super) fn condition(
    api: &Api,
    function: &Function,
    layout: &Layout,
    text: &Piece<'_>,
) -> Result<Condition, RuleError> {
    let (param, wanted) = match text.assignment() {
        Some((name, wanted)) => (named(function, &name)?, wanted),
        None => (meant(api, function, text)?, text.clone()),
    };
    let word = layout.first_word[param] as u8;
    let param = &params(function)[param];
    if is_text(param) {
        return Ok(Condition::Text {
            word,
            pattern: wanted.unquoted().to_owned(),
        });
    }
    if param.direction == Direction::Opaque {
        let value = value::number(api, &param.ty, None, &wanted)?;
        return Ok(Condition::Number {
            word,
            bytes: 8,
            value,
        });
    }
    let bytes = api.size_of(&param.ty).filter(|bytes| *bytes <= 8);
    match (param.direction, bytes) {
        (Direction::Value, Some(bytes)) => Ok(Condition::Number {
            word,
            bytes: bytes as u8,
            value: value::number(api, &param.ty, param.unit, &wanted)?,
        }),
        _ => Err(text.error(format!(
            "an argument that is a number or text; {} of {} is neither",
            param.name, function.name
        ))),
    }
}

fn named(function: &Function, name: &Piece<'_>) -> Result<usize, RuleError> {
    let wanted = name.text().strip_prefix("arg.").unwrap_or(name.text());
    let all = params(function);
    let found = all.iter().position(|param| param.name == wanted);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|param| param.name.as_str()).collect();
        let hint = nearest(wanted, names.iter().copied());
        name.error_with(
            format!("an argument of {} ({})", function.name, names.join(", ")),
            hint.map(|near| format!("did you mean {near}?")),
        )
    })
}

/// The parameter that a value without a name is for: the one with names for its values, or else the one text.
fn meant(api: &Api, function: &Function, text: &Piece<'_>) -> Result<usize, RuleError> {
    let all = params(function);
    let only = |fits: &dyn Fn(&Param) -> bool| {
        let mut places = (0..all.len()).filter(|&place| fits(&all[place]));
        places.next().filter(|_| places.next().is_none())
    };
    let is_enum = |param: &Param| {
        let definition = api.definition(&param.ty);
        param.direction == Direction::Value
            && definition.is_some_and(|definition| {
                matches!(definition.kind, TypeKind::Enum { flags: false, .. })
            })
    };
    only(&is_enum).or_else(|| only(&is_text)).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|param| param.name.as_str()).collect();
        text.error(format!(
            "NAME=VALUE with an argument of {} ({})",
            function.name,
            names.join(", ")
        ))
    })
}

fn is_text(param: &Param) -> bool {
    param.direction == Direction::In && matches!(param.extent, Extent::Text(_))
}
