//! What memory behind a function's parameters belongs to its record.

use cutape_cuda_api::{Api, Direction, Extent, Function, Length, Param, Type, Validity};

use crate::convention::Layout;

/// On which side of the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    In,
    Out,
}

/// As in src/capture.rs, which reserves room for this many.
const MAX_CAPTURES: usize = 12;

/// Source text of each capture of `function` in that phase.
pub fn list(api: &Api, function: &Function, layout: &Layout, phase: Phase) -> Vec<String> {
    let Some(signature) = &function.signature else { return Vec::new() };
    let list: Vec<String> = (0..)
        .zip(&signature.params)
        .filter(|(_, param)| matches!((param.direction, phase), (Direction::In, Phase::In) | (Direction::Out, Phase::Out) | (Direction::InOut, _)))
        .filter_map(|(index, param)| capture(api, &signature.params, layout, index, param))
        .collect();
    assert!(list.len() <= MAX_CAPTURES, "{} captures {} parameters; src/capture.rs has room for {MAX_CAPTURES}", function.name, list.len());
    list
}

fn capture(api: &Api, params: &[Param], layout: &Layout, index: usize, param: &Param) -> Option<String> {
    let extent = extent(api, params, layout, param)?;
    let word = layout.first_word[index];
    let always = param.valid == Validity::Always;
    Some(format!("Capture {{ param: {index}, word: {word}, always: {always}, extent: {extent} }}"))
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
        Extent::One => match api.size_of(pointed_to) {
            0 => return None,
            bytes => format!("Extent::Bytes({bytes})"),
        },
        Extent::Text(None) => "Extent::Text".to_owned(),
        Extent::Text(Some(length)) => format!("Extent::TextWithin({})", count(*length)),
        Extent::Count(length) => match api.size_of(pointed_to) {
            0 => return None,
            size => format!("Extent::Array {{ size: {size}, count: {} }}", count(*length)),
        },
        Extent::Bytes(length) => format!("Extent::Array {{ size: 1, count: {} }}", count(*length)),
    })
}

fn count(api: &Api, params: &[Param], layout: &Layout, length: Length) -> String {
    match length {
        Length::Const(number) => format!("Count::Const({number})"),
        Length::Param(index) => {
            let index = usize::from(index);
            let bytes = api.size_of(&params[index].ty);
            format!("Count::Word {{ word: {}, bytes: {bytes} }}", layout.first_word[index])
        }
        Length::Behind(index) => {
            let index = usize::from(index);
            let Type::Pointer { to, .. } = &params[index].ty else {
                panic!("parameter {} gives a length and is no pointer", params[index].name)
            };
            format!("Count::Behind {{ word: {}, bytes: {} }}", layout.first_word[index], api.size_of(to))
        }
    }
}
