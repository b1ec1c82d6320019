//! The types that C and its standard headers bring along, as they are on x86-64 Linux.

use cutape_api_model::Type;
use lang_c::ast::TypeSpecifier;

/// Names that the headers take from C's own headers, and what they are on x86-64 Linux.
const STANDARD_NAMES: [(&str, Type); 11] = [
    (
        "size_t",
        Type::Int {
            bytes: 8,
            signed: false,
        },
    ),
    (
        "ssize_t",
        Type::Int {
            bytes: 8,
            signed: true,
        },
    ),
    (
        "int8_t",
        Type::Int {
            bytes: 1,
            signed: true,
        },
    ),
    (
        "int16_t",
        Type::Int {
            bytes: 2,
            signed: true,
        },
    ),
    (
        "int32_t",
        Type::Int {
            bytes: 4,
            signed: true,
        },
    ),
    (
        "int64_t",
        Type::Int {
            bytes: 8,
            signed: true,
        },
    ),
    (
        "uint8_t",
        Type::Int {
            bytes: 1,
            signed: false,
        },
    ),
    (
        "uint16_t",
        Type::Int {
            bytes: 2,
            signed: false,
        },
    ),
    (
        "uint32_t",
        Type::Int {
            bytes: 4,
            signed: false,
        },
    ),
    (
        "uint64_t",
        Type::Int {
            bytes: 8,
            signed: false,
        },
    ),
    (
        "uintptr_t",
        Type::Int {
            bytes: 8,
            signed: false,
        },
    ),
];

/// Whether a name belongs to C's own headers.
pub fn is_standard_name(name: &str) -> bool {
    STANDARD_NAMES.iter().any(|(standard, _)| *standard == name)
}

/// What a `typedef` name stands for: a builtin type, or a type of the table.
pub fn typedef_type(name: &str) -> Type {
    let standard = STANDARD_NAMES
        .iter()
        .find(|(standard, _)| *standard == name);
    standard.map_or_else(|| Type::Named(name.to_owned()), |(_, ty)| ty.clone())
}

/// The keywords of a builtin type, in any order: `unsigned long long`, `long unsigned`.
#[derive(Default)]
pub struct BuiltinWords {
    base: Option<Type>,
    longs: u8,
    is_short: bool,
    is_unsigned: bool,
    is_signed: bool,
}

impl BuiltinWords {
    /// Takes one more keyword; `None` for what isn't one of a builtin type.
    pub fn add(&mut self, word: &TypeSpecifier) -> Option<()> {
        match word {
            TypeSpecifier::Void => self.base = Some(Type::Void),
            TypeSpecifier::Char => self.base = Some(Type::Char),
            TypeSpecifier::Float => self.base = Some(Type::Float { bytes: 4 }),
            TypeSpecifier::Double => self.base = Some(Type::Float { bytes: 8 }),
            TypeSpecifier::Bool => {
                self.base = Some(Type::Int {
                    bytes: 1,
                    signed: false,
                })
            }
            TypeSpecifier::Int => {}
            TypeSpecifier::Short => self.is_short = true,
            TypeSpecifier::Long => self.longs += 1,
            TypeSpecifier::Signed => self.is_signed = true,
            TypeSpecifier::Unsigned => self.is_unsigned = true,
            _ => return None,
        }
        Some(())
    }

    /// The type that the keywords make.
    pub fn ty(self) -> Type {
        match self.base {
            // Plain `char` is text; with a sign it is a number.
            Some(Type::Char) if self.is_unsigned || self.is_signed => Type::Int {
                bytes: 1,
                signed: self.is_signed,
            },
            Some(ty) => ty,
            None if self.is_short => Type::Int {
                bytes: 2,
                signed: !self.is_unsigned,
            },
            None if self.longs > 0 => Type::Int {
                bytes: 8,
                signed: !self.is_unsigned,
            },
            None => Type::Int {
                bytes: 4,
                signed: !self.is_unsigned,
            },
        }
    }
}
