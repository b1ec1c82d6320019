//! One value as text.

use cutape_cuda_api::Unit;
use cutape_trace_format::value::Value;

use super::Detail;
use crate::objects::CallNames;
use crate::printable::push_printable;
use crate::quantity::{
    push_bytes, push_cuda_version, push_decimal, push_hex, push_hex_byte, push_signed,
};

/// How a value is shown.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    /// What numbers in it count.
    pub unit: Option<Unit>,
    /// Names of handles and addresses.
    pub names: &'a CallNames,
    /// Place of the parameter that it belongs to.
    pub param: u8,
    /// How much of it.
    pub detail: &'a Detail,
}

impl<'a> Manner<'a> {
    /// Without unit and names.
    pub fn plain(detail: &'a Detail) -> Self {
        Self {
            unit: None,
            names: CallNames::NONE,
            param: 0,
            detail,
        }
    }
}

/// Adds a value.
pub(super) fn push_value(out: &mut String, value: &Value<'_>, manner: Manner<'_>) {
    let Manner { unit, detail, .. } = manner;
    match value {
        Value::Int(number) => match u64::try_from(*number) {
            Ok(number) => push_number(out, number, unit),
            Err(_) => push_signed(out, *number),
        },
        Value::Uint(number) => push_number(out, *number, unit),
        Value::Float(number) => push_float(out, *number, unit),
        Value::Enum { value, name } => push_enum(out, *value, *name),
        Value::Flags { names, rest, .. } => push_flags(out, names, *rest),
        Value::Handle(0) | Value::Null => out.push_str("NULL"),
        Value::Handle(word) | Value::DevicePointer(word) | Value::Address(word) => {
            push_word(out, *word, manner);
        }
        Value::NotCaptured(word) => push_hex(out, *word),
        Value::Text { text, full_bytes } => push_text(out, text, *full_bytes, detail),
        Value::Bytes { bytes, full_bytes } => push_data(out, bytes, *full_bytes, detail),
        Value::Struct(fields) => push_fields(out, fields, ", ", manner),
        Value::Union(members) => push_fields(out, members, " | ", manner),
        Value::Array { items, full_items } => push_array(out, items, *full_items, manner),
        Value::InOut { before, after } => {
            push_value(out, before, manner);
            if matches!(**after, Value::NotCaptured(_)) {
                out.push_str(" => ?");
            } else if before != after {
                out.push_str(" => ");
                push_value(out, after, manner);
            }
        }
        Value::NotRecorded => out.push('?'),
    }
}

/// Adds a handle or an address: by its name, where it has one. Where the object is created one sees both; where it is gone, since when.
pub(super) fn push_word(out: &mut String, word: u64, manner: Manner<'_>) {
    let Some(name) = manner.names.find(manner.param, word) else {
        return push_hex(out, word);
    };
    name.label.push(out);
    if name.is_created && !name.label.is_foreign() {
        out.push_str(" (");
        push_hex(out, word);
        out.push(')');
    }
    if let Some(own) = &name.own {
        push_own_name(out, own, manner.detail);
    }
    if let Some(seq) = name.gone_since {
        out.push_str(" /* gone since call ");
        push_decimal(out, seq);
        out.push_str(" */");
    }
}

/// Adds ` <saxpy>`; mangled names are cut, because their beginnings say what matters.
fn push_own_name(out: &mut String, name: &str, detail: &Detail) {
    let mut end = name.len().min(detail.name_bytes);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    out.push_str(" <");
    push_printable(out, &name[..end]);
    out.push_str(if end < name.len() { "...>" } else { ">" });
}

fn push_number(out: &mut String, number: u64, unit: Option<Unit>) {
    match unit {
        Some(Unit::Hex) => push_hex(out, number),
        Some(Unit::Bytes) if number >= 1024 => {
            push_decimal(out, number);
            out.push_str(" (");
            push_bytes(out, number);
            out.push(')');
        }
        Some(Unit::CudaVersion) if number >= 1000 => {
            push_decimal(out, number);
            out.push_str(" (");
            push_cuda_version(out, number);
            out.push(')');
        }
        Some(Unit::Milliseconds) => {
            push_decimal(out, number);
            out.push_str(" ms");
        }
        _ => push_decimal(out, number),
    }
}

fn push_float(out: &mut String, number: f64, unit: Option<Unit>) {
    use std::fmt::Write;
    // A number that came from 4 bytes is shown with the digits of 4 bytes: 0.1, not 0.10000000149011612.
    let single = number as f32;
    let _ = if f64::from(single) == number {
        write!(out, "{single}")
    } else {
        write!(out, "{number}")
    };
    if unit == Some(Unit::Milliseconds) {
        out.push_str(" ms");
    }
}

fn push_enum(out: &mut String, value: i64, name: Option<&str>) {
    match name {
        Some(name) => {
            push_printable(out, name);
            out.push_str(" (");
            push_signed(out, value);
            out.push(')');
        }
        None => push_signed(out, value),
    }
}

fn push_flags(out: &mut String, names: &[&str], rest: u64) {
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            out.push('|');
        }
        push_printable(out, name);
    }
    if names.is_empty() && rest == 0 {
        out.push('0');
    } else if rest != 0 {
        if !names.is_empty() {
            out.push('|');
        }
        push_hex(out, rest);
    }
}

/// Adds text in quotes, with C's escapes.
fn push_text(out: &mut String, text: &str, full_bytes: Option<u64>, detail: &Detail) {
    let mut end = text.len().min(detail.text_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    push_quoted(out, &text[..end]);
    let there_were = full_bytes.unwrap_or(text.len() as u64);
    if there_were > end as u64 {
        push_cut(out, end as u64, there_were, "bytes");
    }
}

/// Adds text in quotes; what is not printable is escaped as in C.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Also the C1 controls, which terminals obey.
            _ if letter.is_control() => {
                let mut bytes = [0; 4];
                for byte in letter.encode_utf8(&mut bytes).bytes() {
                    out.push_str("\\x");
                    push_hex_byte(out, byte);
                }
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// Adds data of no known structure: `x"7f454c46"`.
fn push_data(out: &mut String, bytes: &[u8], full_bytes: Option<u64>, detail: &Detail) {
    let shown = &bytes[..bytes.len().min(detail.data_bytes)];
    out.push_str("x\"");
    for &byte in shown {
        push_hex_byte(out, byte);
    }
    out.push('"');
    let there_were = full_bytes.unwrap_or(bytes.len() as u64);
    if there_were > shown.len() as u64 {
        push_cut(out, shown.len() as u64, there_were, "bytes");
    }
}

fn push_cut(out: &mut String, shown: u64, there_were: u64, what: &str) {
    out.push_str("... /* ");
    push_decimal(out, shown);
    out.push_str(" of ");
    push_decimal(out, there_were);
    out.push(' ');
    out.push_str(what);
    out.push_str(" */");
}

fn push_fields(
    out: &mut String,
    fields: &[(&str, Value<'_>)],
    separator: &str,
    manner: Manner<'_>,
) {
    let inside = Manner {
        unit: None,
        ..manner
    };
    out.push('{');
    let mut first = true;
    for (name, value) in fields {
        if manner.detail.hide_reserved && is_unused(name, value) {
            continue;
        }
        if !first {
            out.push_str(separator);
        }
        first = false;
        if !name.is_empty() {
            push_printable(out, name);
            out.push('=');
        }
        push_value(out, value, inside);
    }
    out.push('}');
}

/// A field that the header keeps for later, and that says nothing.
fn is_unused(name: &str, value: &Value<'_>) -> bool {
    (name.starts_with("reserved") || name.starts_with("padding") || name.starts_with("pad"))
        && is_zero(value)
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Int(number) => *number == 0,
        Value::Uint(number) | Value::Handle(number) | Value::DevicePointer(number) => *number == 0,
        Value::Bytes { bytes, full_bytes } => {
            full_bytes.is_none() && bytes.iter().all(|&byte| byte == 0)
        }
        Value::Text { text, full_bytes } => full_bytes.is_none() && text.is_empty(),
        Value::Array { items, full_items } => full_items.is_none() && items.iter().all(is_zero),
        Value::Null => true,
        _ => false,
    }
}

fn push_array(out: &mut String, items: &[Value<'_>], full_items: Option<u64>, manner: Manner<'_>) {
    let shown = items.len().min(manner.detail.items);
    out.push('[');
    for (number, item) in items[..shown].iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        push_value(out, item, manner);
    }
    let there_were = full_items.unwrap_or(items.len() as u64);
    if there_were > shown as u64 {
        if shown > 0 {
            out.push_str(", ");
        }
        push_cut(out, shown as u64, there_were, "items");
    }
    out.push(']');
}
