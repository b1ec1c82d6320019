//! C types in one line of text: `u32`, `*const char`, `[16]char`, `CUcontext`. Read left to right, unlike C's.

use crate::model::Type;
use std::fmt::Write;

/// The builtin type of that name.
fn builtin(name: &str) -> Option<Type> {
    Some(match name {
        "void" => Type::Void,
        "char" => Type::Char,
        "i8" => Type::Int {
            bytes: 1,
            signed: true,
        },
        "i16" => Type::Int {
            bytes: 2,
            signed: true,
        },
        "i32" => Type::Int {
            bytes: 4,
            signed: true,
        },
        "i64" => Type::Int {
            bytes: 8,
            signed: true,
        },
        "u8" => Type::Int {
            bytes: 1,
            signed: false,
        },
        "u16" => Type::Int {
            bytes: 2,
            signed: false,
        },
        "u32" => Type::Int {
            bytes: 4,
            signed: false,
        },
        "u64" => Type::Int {
            bytes: 8,
            signed: false,
        },
        "f32" => Type::Float { bytes: 4 },
        "f64" => Type::Float { bytes: 8 },
        _ => return None,
    })
}

/// Pointers and arrays nest this deep at most: the headers stay below 4, and a hostile trace must not exhaust the stack.
const MAX_NESTING: u32 = 16;

/// Reads a type from the start of `text` and returns it with what follows it. `None` when no type stands there.
pub fn parse_type(text: &str) -> Option<(Type, &str)> {
    parse_nested(text, MAX_NESTING)
}

fn parse_nested(text: &str, depth_left: u32) -> Option<(Type, &str)> {
    let depth_left = depth_left.checked_sub(1)?;
    if let Some(rest) = text.strip_prefix('*') {
        let (constant, rest) = match rest.strip_prefix("const ") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (to, rest) = parse_nested(rest, depth_left)?;
        return Some((
            Type::Pointer {
                to: Box::new(to),
                constant,
            },
            rest,
        ));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (len, rest) = rest.split_once(']')?;
        let (of, rest) = parse_nested(rest, depth_left)?;
        return Some((
            Type::Array {
                of: Box::new(of),
                len: len.parse().ok()?,
            },
            rest,
        ));
    }
    let end = text.find([' ', ',', ')']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        return None;
    }
    let ty = builtin(word).unwrap_or_else(|| Type::Named(word.to_owned()));
    Some((ty, rest))
}

/// Writes a type as [`parse_type`] reads it.
pub fn write_type(ty: &Type) -> String {
    let mut text = String::new();
    push_type(&mut text, ty);
    text
}

fn push_type(text: &mut String, ty: &Type) {
    match ty {
        Type::Pointer { to, constant } => {
            text.push_str(if *constant { "*const " } else { "*" });
            push_type(text, to);
        }
        Type::Array { of, len } => {
            let _ = write!(text, "[{len}]");
            push_type(text, of);
        }
        Type::Named(name) => text.push_str(name),
        Type::Void => text.push_str("void"),
        Type::Char => text.push_str("char"),
        Type::Int { bytes, signed } => {
            let _ = write!(
                text,
                "{}{}",
                if *signed { 'i' } else { 'u' },
                u32::from(*bytes) * 8
            );
        }
        Type::Float { bytes } => {
            let _ = write!(text, "f{}", u32::from(*bytes) * 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        for text in [
            "u32",
            "*const char",
            "**const CUgraphNode",
            "[4][2]u8",
            "*const *void",
            "nvmlDevice_t",
        ] {
            let (ty, rest) = parse_type(text).expect(text);
            assert_eq!(rest, "");
            assert_eq!(write_type(&ty), text);
        }
    }

    #[test]
    fn what_follows_a_type_is_left() {
        let (ty, rest) = parse_type("*const char out text(len)").expect("a type");
        assert_eq!(
            ty,
            Type::Pointer {
                to: Box::new(Type::Char),
                constant: true
            }
        );
        assert_eq!(rest, " out text(len)");
    }

    #[test]
    fn absurd_nesting_and_broken_arrays_are_refused() {
        assert_eq!(parse_type(&"*".repeat(100_000)), None);
        assert_eq!(parse_type("[x]u8"), None);
        assert_eq!(parse_type("[4"), None);
        assert_eq!(parse_type(""), None);
    }
}
