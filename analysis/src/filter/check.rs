//! Whether a comparison makes sense: the operator for the field, the value for the field, names that exist.

use std::ops::Range;

use cutape_cuda_api::{Api, TypeKind};

use super::arguments::{self, Leaf};
use super::error::FilterError;
use super::field::{Field, Sort};
use super::literal::{Dimension, Number, read_range};
use super::names::{named_value, names_of};
use super::parser::sort_of;
use super::pattern::{Pattern, is_glob};
use super::suggest::nearest;
use super::syntax::{Literal, Op, Subject, Test, Wanted};
use crate::objects::{KINDS, Kind};

/// The types of return codes.
pub(crate) const CODE_TYPES: [&str; 2] = ["CUresult", "nvmlReturn_t"];

/// The subject of an argument's path, `prop.location.id`.
pub(crate) fn argument(
    text: &str,
    path: &str,
    span: &Range<usize>,
) -> Result<Subject, FilterError> {
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    let api = Api::get();
    if arguments::is_raw(&path) || !arguments::leaves(api, &path).is_empty() {
        return Ok(Subject::Argument(path));
    }
    // The longest beginning that does exist says where the mistake is.
    let known = (0..path.len())
        .rev()
        .find(|&known| known == 0 || !arguments::leaves(api, &path[..known]).is_empty())
        .unwrap_or(0);
    let siblings = arguments::names_below(api, &path[..known]);
    let hint = match nearest(&path[known], siblings.iter().copied()) {
        Some(near) => Some(format!("did you mean {near}?")),
        None if known > 0 && siblings.is_empty() => Some("it has no fields".to_owned()),
        None => None,
    };
    let (what, word) = match known {
        0 => ("an argument of some function".to_owned(), &path[0]),
        _ => (
            format!("a field of arg.{}", path[..known].join(".")),
            &path[known],
        ),
    };
    Err(FilterError::new(text, span.clone(), what, word).with_hint(hint))
}

/// A field alone.
pub(crate) fn alone(
    text: &str,
    subject: Subject,
    span: &Range<usize>,
) -> Result<Test, FilterError> {
    // A path that has lost its end is never meant.
    if matches!(&subject, Subject::Argument(path) if path.iter().any(String::is_empty)) {
        return Err(FilterError::new(
            text,
            span.clone(),
            "the name of an argument",
            "nothing",
        ));
    }
    Ok(Test {
        subject,
        op: Op::Holds,
        values: Vec::new(),
    })
}

/// Whether an operator goes with a subject.
pub(crate) fn operator(
    text: &str,
    subject: &Subject,
    op: Op,
    span: &Range<usize>,
) -> Result<(), FilterError> {
    let operators = sort_of(subject).operators();
    if operators.contains(&op) {
        return Ok(());
    }
    let names: Vec<&str> = operators.iter().map(|op| op.text()).collect();
    let expected = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    };
    let hint = format!(
        "{} is compared with {}",
        name_of(subject),
        sort_of(subject).value_text()
    );
    Err(FilterError::new(text, span.clone(), expected, op.text()).with_hint(Some(hint)))
}

/// A comparison with one value.
pub(crate) fn comparison(
    text: &str,
    subject: Subject,
    op: Op,
    value: Literal,
) -> Result<Test, FilterError> {
    let wanted = match op {
        Op::Glob => return glob(text, subject, value),
        Op::Regex => {
            let regex = Pattern::regex(&value.text);
            Wanted::Pattern(regex.map_err(|why| wrong(text, &value, "a regular expression", &why))?)
        }
        Op::Contains => Wanted::Literal(value),
        _ => Wanted::Literal(plain_value(text, &subject, op, value)?),
    };
    Ok(Test {
        subject,
        op,
        values: vec![wanted],
    })
}

/// A comparison with a glob.
pub(crate) fn glob(text: &str, subject: Subject, value: Literal) -> Result<Test, FilterError> {
    let pattern = Pattern::glob(&value.text)
        .map_err(|expected| FilterError::new(text, value.span.clone(), expected, &value.text))?;
    Ok(Test {
        subject,
        op: Op::Glob,
        values: vec![Wanted::Pattern(pattern)],
    })
}

/// A comparison with several values. Words with `*`, `?` or `[` are globs here, and `A..B` is a range.
pub(crate) fn set(text: &str, subject: Subject, values: Vec<Literal>) -> Result<Test, FilterError> {
    let sort = sort_of(&subject);
    let mut wanted = Vec::new();
    for value in values {
        let bare = text[value.span.clone()] == value.text;
        let has_text = sort.operators().contains(&Op::Glob);
        wanted.push(match read_range(&value.text).filter(|_| bare) {
            Some((from, to)) if sort.operators().contains(&Op::Less) => {
                for end in [from, to] {
                    dimension(text, &subject, &value, end)?;
                }
                Wanted::Between(from, to)
            }
            _ if bare && has_text && is_glob(&value.text) => {
                Wanted::Pattern(Pattern::glob(&value.text).map_err(|expected| {
                    FilterError::new(text, value.span.clone(), expected, &value.text)
                })?)
            }
            _ => Wanted::Literal(plain_value(text, &subject, Op::In, value)?),
        });
    }
    Ok(Test {
        subject,
        op: Op::In,
        values: wanted,
    })
}

/// Checks a value that is compared as it is.
fn plain_value(
    text: &str,
    subject: &Subject,
    op: Op,
    value: Literal,
) -> Result<Literal, FilterError> {
    let bare = text[value.span.clone()] == value.text;
    let sort = sort_of(subject);
    let unfit = |hint: Option<String>| {
        FilterError::new(text, value.span.clone(), sort.value_text(), &value.text).with_hint(hint)
    };
    match sort {
        Sort::Text if bare && is_glob(&value.text) => {
            let hint = format!(
                "a pattern is compared with ~: {} ~ {}",
                name_of(subject),
                value.text
            );
            return Err(unfit(Some(hint)));
        }
        Sort::Text => {}
        Sort::Truth if matches!(value.text.as_str(), "true" | "false") => {}
        Sort::Truth => return Err(unfit(None)),
        Sort::Number | Sort::Time | Sort::Bytes => match value.number {
            Some(number) => dimension(text, subject, &value, number)?,
            None => return Err(unfit(None)),
        },
        Sort::Object if value.number.is_some() || !bare => {}
        Sort::Object => object(subject, &value.text).map_err(unfit)?,
        Sort::Code => code(text, op, &value)?,
        Sort::Any => argument_value(text, subject, op, &value)?,
    }
    Ok(value)
}

/// Whether a word is the name of an object, `ctx#1` or `dptr#7+0x40`; the hint if it is none.
fn object(subject: &Subject, word: &str) -> Result<(), Option<String>> {
    let kinds: Vec<&str> = match subject {
        Subject::Field(Field::Ctx) => vec![Kind::Context.word()],
        Subject::Field(Field::Stream) => vec![Kind::Stream.word()],
        _ => KINDS.iter().map(|info| info.word).collect(),
    };
    let end = word.find(['#', '?']).unwrap_or(word.len());
    let (kind, rest) = word.split_at(end);
    let (number, offset) = rest
        .split_once('+')
        .map_or((rest, None), |(number, offset)| (number, Some(offset)));
    let is_number = match number.strip_prefix('#') {
        Some(ordinal) => !ordinal.is_empty() && ordinal.bytes().all(|digit| digit.is_ascii_digit()),
        None => number.strip_prefix('?').and_then(Number::read).is_some(),
    };
    let is_offset = offset.is_none_or(|offset| Number::read(offset).is_some());
    if is_number && is_offset && kinds.contains(&kind) {
        return Ok(());
    }
    let near = nearest(kind, kinds.iter().copied());
    Err(match near {
        Some(near) if near != kind => Some(format!("did you mean {near}{rest}?")),
        Some(near) => Some(format!("numbers begin with #: {near}#1")),
        None => None,
    })
}

/// Whether a number has the unit that its field needs.
fn dimension(
    text: &str,
    subject: &Subject,
    value: &Literal,
    number: Number,
) -> Result<(), FilterError> {
    let sort = sort_of(subject);
    let fits = match sort {
        Sort::Time => number.dimension == Dimension::Time || number.is_zero(),
        Sort::Bytes => number.dimension != Dimension::Time,
        Sort::Any => true,
        _ => number.dimension == Dimension::Plain,
    };
    if fits {
        return Ok(());
    }
    let hint = (sort == Sort::Time && number.dimension == Dimension::Plain)
        .then(|| format!("did you mean {0}ns, {0}us or {0}ms?", value.text));
    Err(FilterError::new(text, value.span.clone(), sort.value_text(), &value.text).with_hint(hint))
}

/// Whether a return code is a number or has a name that there is.
fn code(text: &str, op: Op, value: &Literal) -> Result<(), FilterError> {
    if let Some(number) = value.number {
        return match number.dimension {
            Dimension::Plain => Ok(()),
            _ => Err(wrong(text, value, Sort::Code.value_text(), &value.text)),
        };
    }
    let api = Api::get();
    let enums = || {
        CODE_TYPES
            .iter()
            .filter_map(|name| match &api.type_def(name)?.kind {
                TypeKind::Enum { values, .. } => Some(values.as_slice()),
                _ => None,
            })
    };
    if enums().any(|values| named_value(values, &value.text).is_some()) {
        return Ok(());
    }
    let names = enums().flat_map(names_of);
    let hint = nearest(&value.text, names).map(|near| format!("did you mean {near}?"));
    let expected = match op {
        Op::Equal | Op::Differs | Op::In => Sort::Code.value_text(),
        _ => "a return code",
    };
    Err(FilterError::new(text, value.span.clone(), expected, &value.text).with_hint(hint))
}

/// Whether there is any function for whose argument the value makes sense.
fn argument_value(
    text: &str,
    subject: &Subject,
    op: Op,
    value: &Literal,
) -> Result<(), FilterError> {
    let Subject::Argument(path) = subject else {
        return Ok(());
    };
    let leaves = arguments::leaves(Api::get(), path);
    // A number can be compared with anything but a text, and a quoted text with anything.
    let bare = text[value.span.clone()] == value.text;
    if value.number.is_some() || !bare || leaves.is_empty() {
        return Ok(());
    }
    let is_order = !matches!(op, Op::Equal | Op::Differs | Op::In);
    let mut names = Vec::new();
    for leaf in &leaves {
        match leaf {
            Leaf::Enum(values) if named_value(values, &value.text).is_some() => return Ok(()),
            Leaf::Enum(values) => names.extend(names_of(values)),
            Leaf::Text if !is_order => return Ok(()),
            Leaf::Text | Leaf::Number | Leaf::Handle | Leaf::Other => {}
        }
    }
    let expected = if names.is_empty() {
        "a number"
    } else {
        "a number or the name of a value"
    };
    let hint = nearest(&value.text, names).map(|near| format!("did you mean {near}?"));
    Err(FilterError::new(text, value.span.clone(), expected, &value.text).with_hint(hint))
}

fn wrong(text: &str, value: &Literal, expected: &str, found: &str) -> FilterError {
    FilterError::new(text, value.span.clone(), expected, found)
}

fn name_of(subject: &Subject) -> String {
    match subject {
        Subject::Field(field) => field.info().name.to_owned(),
        Subject::Argument(path) => format!("arg.{}", path.join(".")),
    }
}
