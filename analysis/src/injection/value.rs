//! A value of a rule as the bytes that stand in memory: `78GiB`, `12.9`, `COMPUTE_MODE_DEFAULT`, `"NVIDIA H100"`.

use cutape_cuda_api::{Api, Type, TypeKind, Unit};

use super::RuleError;
use super::piece::Piece;
use crate::filter::literal::{Amount, Dimension, Number};
use crate::filter::names::{named_value, names_of};
use crate::filter::suggest::nearest;

/// The bytes of a value of that type.
///
/// # Errors
/// What was expected: a value of another kind, or one that fits.
pub(super) fn bytes(
    api: &Api,
    ty: &Type,
    unit: Option<Unit>,
    value: &Piece<'_>,
) -> Result<Vec<u8>, RuleError> {
    match api.without_aliases(ty) {
        Type::Int { bytes, signed } => integer(value, unit, *bytes, *signed),
        Type::Float { bytes } => float(value, unit, *bytes),
        Type::Char => integer(value, None, 1, true),
        Type::Pointer { .. } => integer(value, None, 8, false),
        Type::Array { of, len } => array(api, of, *len, value),
        Type::Named(name) => named(api, name, value),
        Type::Void => Err(value.error("no value: its type is not known")),
    }
}

/// The number that an argument of that type must be, for comparison with its `bytes` bytes.
///
/// # Errors
/// As [`bytes`].
pub(super) fn number(
    api: &Api,
    ty: &Type,
    unit: Option<Unit>,
    value: &Piece<'_>,
) -> Result<u64, RuleError> {
    let bytes = bytes(api, ty, unit, value)?;
    let mut word = [0; 8];
    let length = bytes.len().min(8);
    word[..length].copy_from_slice(&bytes[..length]);
    Ok(u64::from_le_bytes(word))
}

/// A return code: the number, or the name in a library's enumeration, whole or without its beginning.
///
/// # Errors
/// There is no such code.
pub(super) fn code(api: &Api, enumeration: &str, value: &Piece<'_>) -> Result<u32, RuleError> {
    let bytes = named(api, enumeration, value)?;
    let bytes = bytes.try_into().unwrap_or_default();
    Ok(u32::from_le_bytes(bytes))
}

fn integer(
    value: &Piece<'_>,
    unit: Option<Unit>,
    bytes: u8,
    signed: bool,
) -> Result<Vec<u8>, RuleError> {
    let (least, most) = range(bytes, signed);
    let expected = || match unit {
        Some(Unit::CudaVersion) => "a CUDA version such as 12.9, or its number".to_owned(),
        Some(Unit::Bytes) => format!("a number or a size such as 78GiB, of {least} to {most}"),
        _ => format!("a number of {least} to {most}"),
    };
    let number = match unit {
        Some(Unit::CudaVersion) => version(value.text()).or_else(|| whole(value.text())),
        _ => whole(value.text()),
    };
    let number = number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| value.error(expected()))?;
    Ok(number.to_le_bytes()[..usize::from(bytes)].to_vec())
}

fn range(bytes: u8, signed: bool) -> (i128, i128) {
    let bits = 8 * u32::from(bytes);
    if signed {
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    } else {
        (0, (1 << bits) - 1)
    }
}

/// A whole number, with a unit of bytes or none. Spaces may stand before the unit, as in profiles.
fn whole(text: &str) -> Option<i128> {
    let text: String = text.split_whitespace().collect();
    let number = Number::read(&text)?;
    match number.amount {
        Amount::Whole(value) if number.dimension != Dimension::Time => Some(value),
        _ => None,
    }
}

/// 12090 for `12.9`.
fn version(text: &str) -> Option<i128> {
    let (major, minor) = text.split_once('.')?;
    let digits = |text: &str| text.parse::<u8>().ok().map(i128::from);
    Some(1000 * digits(major)? + 10 * digits(minor)?)
}

fn float(value: &Piece<'_>, unit: Option<Unit>, bytes: u8) -> Result<Vec<u8>, RuleError> {
    let read = Number::read(value.text()).and_then(|number| {
        let amount = number.amount.as_float();
        match (number.dimension, unit) {
            (Dimension::Plain, _) => Some(amount),
            (Dimension::Time, Some(Unit::Milliseconds)) => Some(amount / 1e6),
            _ => None,
        }
    });
    let expected = match unit {
        Some(Unit::Milliseconds) => "a number of milliseconds or a time such as 12us",
        _ => "a number",
    };
    let number = read.ok_or_else(|| value.error(expected))?;
    Ok(match bytes {
        4 => (number as f32).to_le_bytes().to_vec(),
        _ => number.to_le_bytes().to_vec(),
    })
}

fn array(api: &Api, of: &Type, len: u32, value: &Piece<'_>) -> Result<Vec<u8>, RuleError> {
    let room = len as usize;
    let of = api.without_aliases(of);
    let bytes_expected = format!("{room} bytes as 0x and {} hexadecimal digits", 2 * room);
    if api.size_of(of) != Some(1) {
        return Err(value.error_with(
            "a value for one element, NAME.0=VALUE",
            Some("it is an array".to_owned()),
        ));
    }
    let hex = value.text().strip_prefix("0x").and_then(from_hex);
    if let Some(bytes) = hex.filter(|bytes| bytes.len() == room) {
        return Ok(bytes);
    }
    if *of != Type::Char {
        return Err(value.error(bytes_expected));
    }
    let text = value.unquoted().as_bytes();
    if text.len() >= room {
        return Err(value.error(format!(
            "text of at most {} bytes, or {bytes_expected}",
            room - 1
        )));
    }
    let mut bytes = text.to_vec();
    bytes.resize(room, 0);
    Ok(bytes)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pair = |pair: &[u8]| {
        let digit = |letter: u8| char::from(letter).to_digit(16);
        match pair {
            [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => None,
        }
    };
    digits.chunks(2).map(pair).collect()
}

fn named(api: &Api, name: &str, value: &Piece<'_>) -> Result<Vec<u8>, RuleError> {
    let definition = api.type_def(name);
    let size = definition.map_or(8, |definition| definition.size as u8);
    match definition.map(|definition| &definition.kind) {
        Some(TypeKind::Enum { values, .. }) => enumeration(name, values, size, value),
        Some(TypeKind::Handle | TypeKind::DevicePointer | TypeKind::Callback) => {
            integer(value, None, 8, false)
        }
        _ => Err(value.error(format!("no value: {name} is not one number"))),
    }
}

/// A name, several joined by `|`, or a number.
fn enumeration(
    name: &str,
    values: &[(String, i64)],
    size: u8,
    value: &Piece<'_>,
) -> Result<Vec<u8>, RuleError> {
    let one = |word: &str| named_value(values, word.trim());
    let by_name = value
        .text()
        .split('|')
        .try_fold(0, |all, word| Some(all | one(word)?));
    let number = by_name.map(i128::from).or_else(|| whole(value.text()));
    let (least, _) = range(size, true);
    let (_, most) = range(size, false);
    match number.filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(number.to_le_bytes()[..usize::from(size)].to_vec()),
        None => {
            let near = nearest(value.text(), names_of(values));
            Err(value.error_with(
                format!("a value of {name}, by name or number"),
                near.map(|near| format!("did you mean {near}?")),
            ))
        }
    }
}
