//! What memory behind a function's parameters belongs to its record.

use cutape_cuda_api::{Api, Direction, Extent, Function, Length, Param, Type, Validity};

use cutape_cuda_api::convention::{Layout, Place};

/// On which side of the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    In,
    Out,
}

/// As in src/capture.rs, which reserves room for this many.
const MAX_CAPTURES: usize = 12;

/// One capture.
pub struct Capture {
    /// It as source text.
    source: String,
    /// A number of 1, 2, 4 or 8 bytes, behind a pointer in a register.
    pub is_small: bool,
    /// Of known size, behind a pointer in a register.
    pub is_fixed: bool,
    /// Place in the parameter list.
    pub param: usize,
    /// Recorded word that holds the pointer.
    pub word: usize,
    /// Bytes, where that is known.
    pub bytes: Option<u32>,
}

/// Captures as the elements of an array.
pub fn source(captures: &[Capture]) -> String {
    captures
        .iter()
        .map(|capture| capture.source.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The captures of `function` in that phase.
pub fn list(api: &Api, function: &Function, layout: &Layout, phase: Phase) -> Vec<Capture> {
    let Some(signature) = &function.signature else {
        return Vec::new();
    };
    let list: Vec<Capture> = (0..)
        .zip(&signature.params)
        .filter(|(_, param)| {
            matches!(
                (param.direction, phase),
                (Direction::In, Phase::In) | (Direction::Out, Phase::Out) | (Direction::InOut, _)
            )
        })
        .filter_map(|(index, param)| capture(api, &signature.params, layout, index, param))
        .collect();
    assert!(
        list.len() <= MAX_CAPTURES,
        "{} captures {} parameters; src/capture.rs has room for {MAX_CAPTURES}",
        function.name,
        list.len()
    );
    list
}

fn capture(
    api: &Api,
    params: &[Param],
    layout: &Layout,
    index: usize,
    param: &Param,
) -> Option<Capture> {
    let is_small = match (&param.extent, &param.ty) {
        (Extent::One, Type::Pointer { to, .. }) => matches!(api.size_of(to), Some(1 | 2 | 4 | 8)),
        _ => false,
    };
    let extent = extent(api, params, layout, param)?;
    let word = layout.first_word[index];
    let in_register = matches!(layout.places[word], Place::Register(_));
    let always = param.valid == Validity::Always;
    let source =
        format!("Capture {{ param: {index}, word: {word}, always: {always}, extent: {extent} }}");
    Some(Capture {
        source,
        is_small: is_small && in_register,
        is_fixed: matches!(param.extent, Extent::One) && in_register,
        param: index,
        word,
        bytes: match (&param.extent, &param.ty) {
            (Extent::One, Type::Pointer { to, .. }) => known_size(api, to),
            _ => None,
        },
    })
}

/// `None` where nothing of known size lies behind the pointer: an incomplete type, or bytes of no type and no length.
fn extent(api: &Api, params: &[Param], layout: &Layout, param: &Param) -> Option<String> {
    let pointed_to = match &param.ty {
        Type::Pointer { to, .. } => to.as_ref(),
        // A handle whose type is a pointer in disguise leads nowhere that we may look.
        _ => return None,
    };
    let count = |length| count(api, params, layout, length);
    Some(match &param.extent {
        Extent::One => format!("Extent::Bytes({})", known_size(api, pointed_to)?),
        Extent::Text(None) => "Extent::Text".to_owned(),
        Extent::PointedText => "Extent::TextBehind".to_owned(),
        Extent::Text(Some(length)) => format!("Extent::TextWithin({})", count(*length)),
        Extent::Count(length) => format!(
            "Extent::Array {{ size: {}, count: {} }}",
            known_size(api, pointed_to)?,
            count(*length)
        ),
        Extent::Bytes(length) => format!("Extent::Array {{ size: 1, count: {} }}", count(*length)),
    })
}

/// Where a length is found, as source text.
pub fn count(api: &Api, params: &[Param], layout: &Layout, length: Length) -> String {
    match length {
        Length::Const(number) => format!("Count::Const({number})"),
        Length::Param(index) => {
            let index = usize::from(index);
            let bytes = integer_size(api, &params[index], &params[index].ty);
            format!(
                "Count::Word {{ word: {}, bytes: {bytes} }}",
                layout.first_word[index]
            )
        }
        Length::Behind(index) => {
            let index = usize::from(index);
            let Type::Pointer { to, .. } = &params[index].ty else {
                panic!(
                    "parameter {} gives a length and is no pointer",
                    params[index].name
                )
            };
            format!(
                "Count::Behind {{ word: {}, bytes: {} }}",
                layout.first_word[index],
                integer_size(api, &params[index], to)
            )
        }
    }
}

fn known_size(api: &Api, ty: &Type) -> Option<u32> {
    api.size_of(ty).filter(|&bytes| bytes > 0)
}

fn integer_size(api: &Api, param: &Param, ty: &Type) -> u32 {
    known_size(api, ty)
        .unwrap_or_else(|| panic!("parameter {} gives a length and is no integer", param.name))
}
