//! The role of a parameter in text: `out text(len)`, `in count(numOptions)`, `inout count(*count) always unit:bytes`. The overlay and the
//! joined table use the same words. Lengths name parameters; [`RoleText::apply`] turns the names into places.

use crate::model::{Direction, Extent, Length, Param, Unit, Validity};
use std::fmt::Write;

/// A role as written, before the parameter names in it are looked up. What isn't said is `None` and leaves a parameter as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleText {
    /// Which way data crosses.
    pub direction: Option<Direction>,
    /// How much data; the length still by name.
    pub extent: Option<ExtentText>,
    /// When an out value may be read.
    pub valid: Option<Validity>,
    /// What the number counts.
    pub unit: Option<Unit>,
}

/// An [`Extent`] whose length is still the text between the parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtentText {
    /// One value.
    One,
    /// NUL-terminated, in a buffer of that length where one is given.
    Text(Option<String>),
    /// A pointer to text that the driver keeps.
    PointedText,
    /// A number of values.
    Count(String),
    /// A number of bytes.
    Bytes(String),
}

/// A role names a parameter that the function doesn't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no parameter `{0}`")]
pub struct UnknownParam(pub String);

const DIRECTIONS: [(&str, Direction); 5] = [
    ("value", Direction::Value),
    ("in", Direction::In),
    ("out", Direction::Out),
    ("inout", Direction::InOut),
    ("opaque", Direction::Opaque),
];

const UNITS: [(&str, Unit); 4] = [
    ("unit:bytes", Unit::Bytes),
    ("unit:ms", Unit::Milliseconds),
    ("unit:cuda", Unit::CudaVersion),
    ("unit:hex", Unit::Hex),
];

impl RoleText {
    /// Reads words separated by blanks. The error is the word that means nothing here.
    pub fn parse(text: &str) -> Result<Self, &str> {
        let mut role = Self::default();
        for word in text.split_ascii_whitespace() {
            role.take_word(word).ok_or(word)?;
        }
        Ok(role)
    }

    fn take_word(&mut self, word: &str) -> Option<()> {
        if let Some((_, direction)) = DIRECTIONS.iter().find(|(name, _)| *name == word) {
            self.direction = Some(*direction);
        } else if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == word) {
            self.unit = Some(*unit);
        } else {
            match word {
                "always" => self.valid = Some(Validity::Always),
                "on-success" => self.valid = Some(Validity::OnSuccess),
                "one" => self.extent = Some(ExtentText::One),
                "text" => self.extent = Some(ExtentText::Text(None)),
                "pointed-text" => self.extent = Some(ExtentText::PointedText),
                _ => self.extent = Some(sized_extent(word)?),
            }
        }
        Some(())
    }

    /// Gives `params[place]` this role; what the role doesn't say stays.
    pub fn apply(&self, params: &mut [Param], place: usize) -> Result<(), UnknownParam> {
        let extent = self
            .extent
            .as_ref()
            .map(|extent| extent.resolve(params))
            .transpose()?;
        let param = &mut params[place];
        if let Some(direction) = self.direction {
            param.direction = direction;
            if extent.is_none() && matches!(direction, Direction::Value | Direction::Opaque) {
                param.extent = Extent::One;
            }
        }
        if let Some(extent) = extent {
            param.extent = extent;
        }
        param.valid = self.valid.unwrap_or(param.valid);
        param.unit = self.unit.or(param.unit);
        Ok(())
    }

    /// Writes the role of a parameter as [`RoleText::parse`] reads it; empty for a plain value.
    pub fn write(param: &Param, params: &[Param]) -> String {
        let mut text = String::new();
        if param.direction != Direction::Value {
            push_word(
                &mut text,
                DIRECTIONS
                    .iter()
                    .find(|(_, direction)| *direction == param.direction)
                    .map_or("", |(name, _)| name),
            );
        }
        match &param.extent {
            Extent::One => {}
            Extent::Text(None) => push_word(&mut text, "text"),
            Extent::Text(Some(length)) => push_sized(&mut text, "text", length, params),
            Extent::PointedText => push_word(&mut text, "pointed-text"),
            Extent::Count(length) => push_sized(&mut text, "count", length, params),
            Extent::Bytes(length) => push_sized(&mut text, "bytes", length, params),
        }
        if param.valid == Validity::Always {
            push_word(&mut text, "always");
        }
        if let Some(unit) = param.unit {
            push_word(
                &mut text,
                UNITS
                    .iter()
                    .find(|(_, known)| *known == unit)
                    .map_or("", |(name, _)| name),
            );
        }
        text
    }
}

impl ExtentText {
    fn resolve(&self, params: &[Param]) -> Result<Extent, UnknownParam> {
        Ok(match self {
            Self::One => Extent::One,
            Self::Text(None) => Extent::Text(None),
            Self::Text(Some(length)) => Extent::Text(Some(resolve_length(length, params)?)),
            Self::PointedText => Extent::PointedText,
            Self::Count(length) => Extent::Count(resolve_length(length, params)?),
            Self::Bytes(length) => Extent::Bytes(resolve_length(length, params)?),
        })
    }
}

fn sized_extent(word: &str) -> Option<ExtentText> {
    let (kind, length) = word.strip_suffix(')')?.split_once('(')?;
    if length.is_empty() {
        return None;
    }
    match kind {
        "text" => Some(ExtentText::Text(Some(length.to_owned()))),
        "count" => Some(ExtentText::Count(length.to_owned())),
        "bytes" => Some(ExtentText::Bytes(length.to_owned())),
        _ => None,
    }
}

/// `16` is a number, `count` a parameter's value, `*count` what a parameter points to.
fn resolve_length(text: &str, params: &[Param]) -> Result<Length, UnknownParam> {
    if let Ok(number) = text.parse() {
        return Ok(Length::Const(number));
    }
    let (behind, name) = match text.strip_prefix('*') {
        Some(name) => (true, name),
        None => (false, text),
    };
    let place = params
        .iter()
        .position(|param| param.name == name)
        .ok_or_else(|| UnknownParam(name.to_owned()))?;
    let place = u16::try_from(place).map_err(|_| UnknownParam(name.to_owned()))?;
    Ok(if behind {
        Length::Behind(place)
    } else {
        Length::Param(place)
    })
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

fn push_sized(text: &mut String, kind: &str, length: &Length, params: &[Param]) {
    push_word(text, kind);
    let name = |place: u16| {
        params
            .get(usize::from(place))
            .map_or("?", |param| param.name.as_str())
    };
    let _ = match *length {
        Length::Const(number) => write!(text, "({number})"),
        Length::Param(place) => write!(text, "({})", name(place)),
        Length::Behind(place) => write!(text, "(*{})", name(place)),
    };
}
