//! Where in a call the words of objects are: among its arguments, behind its pointers, in structures.

use cutape_cuda_api::{Field, Type, TypeDef, TypeKind};
use cutape_trace_format::call::Call;
use cutape_trace_format::schema::TraceSchema;

use super::kind::Kind;

/// Types nest less deeply than this in any header.
const MAX_DEPTH: u32 = 12;
/// Words of objects in one structure of the headers are fewer; a hostile schema may ask for any number.
const MAX_FIELDS: usize = 64;
/// Elements of an array behind a pointer that are looked at.
const MAX_ELEMENTS: usize = 1024;

/// Where words are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// That argument word.
    Word(u16),
    /// That many bytes into what was captured behind the parameter.
    Behind {
        /// After the call; otherwise before it.
        after: bool,
        /// Bytes from the start.
        offset: u32,
        /// Bytes from one element to the next; 0 if there is only one.
        stride: u32,
    },
}

/// What a call does to the object at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It takes it.
    Takes,
    /// It takes it, and it is gone after success.
    Destroys,
    /// It answers it: one that was there before.
    Tells,
    /// It answers it: a new one, or one more holder.
    Creates,
}

/// One place in the calls of a function where there are words of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Place of the parameter.
    pub param: u8,
    /// What the words stand for.
    pub kind: Kind,
    /// Where they are.
    pub spot: Spot,
    /// What happens to the objects.
    pub role: Role,
    /// A word is sure to be such an object. A field of a structure need not be filled, and a host pointer need not be page-locked memory:
    /// there, only words of objects that are known count.
    pub sure: bool,
}

impl Site {
    /// Where an argument of a kernel may be an address. Nobody says what it is, so only an address in known memory counts.
    pub fn in_kernel_arguments(param: u8) -> Self {
        Self {
            param,
            kind: Kind::DeviceMemory,
            spot: Spot::Behind {
                after: false,
                offset: 0,
                stride: 0,
            },
            role: Role::Takes,
            sure: false,
        }
    }

    /// The words at this site, without those that are 0.
    pub fn words(self, call: &Call) -> impl Iterator<Item = u64> {
        self.all_words(call).filter(|&word| word != 0)
    }

    /// The words at this site.
    pub fn all_words(self, call: &Call) -> impl Iterator<Item = u64> {
        let one = match self.spot {
            Spot::Word(place) => call.args.get(usize::from(place)).copied(),
            Spot::Behind { .. } => None,
        };
        let behind = match self.spot {
            Spot::Word(_) => None,
            Spot::Behind {
                after,
                offset,
                stride,
            } => call
                .capture(self.param, after)
                .map(|capture| elements(capture.bytes, offset, stride)),
        };
        one.into_iter().chain(behind.into_iter().flatten())
    }
}

/// The words at an offset of each element. A word that is cut off is none.
fn elements(bytes: &[u8], offset: u32, stride: u32) -> impl Iterator<Item = u64> {
    let count = if stride == 0 { 1 } else { MAX_ELEMENTS };
    (0..count).map_while(move |number| {
        let start = offset as usize + number * stride as usize;
        bytes.get(start..).and_then(first_word)
    })
}

/// The first eight bytes, or all four that there are: handles of the oldest functions are that short.
fn first_word(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        0..4 => None,
        4..8 => Some(u32::from_le_bytes(bytes[..4].try_into().ok()?).into()),
        _ => Some(u64::from_le_bytes(bytes[..8].try_into().ok()?)),
    }
}

/// The words among the arguments of kernels, each with the parameter that leads to the kernel: what lies at multiples of eight bytes, because
/// a pointer in a structure does.
pub(super) fn kernel_words(call: &Call) -> impl Iterator<Item = (u8, u64)> {
    call.kernels().flat_map(|(param, kernel)| {
        let values = kernel.params.into_iter().filter_map(|value| value.bytes);
        let words = values.flat_map(|bytes| {
            let (words, _) = bytes.as_chunks::<8>();
            words
                .iter()
                .map(|&word| u64::from_le_bytes(word))
                .collect::<Vec<_>>()
        });
        words.map(move |word| (param, word))
    })
}

/// A word of an object inside a value of some type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    /// Bytes from the start of the value.
    pub offset: u32,
    /// What it stands for.
    pub kind: Kind,
    /// The value is nothing but this word.
    pub whole: bool,
}

/// The words of objects in a value of a type. Members of unions are left out: nothing says which of them holds.
pub(super) fn inside(schema: &TraceSchema, ty: &Type) -> Vec<Inside> {
    let mut found = Vec::new();
    collect(schema, (ty, 0), 0, &mut found);
    found
}

/// `at` is a type and its offset.
fn collect(schema: &TraceSchema, at: (&Type, u32), depth: u32, found: &mut Vec<Inside>) {
    let (ty, offset) = at;
    if depth > MAX_DEPTH || found.len() >= MAX_FIELDS {
        return;
    }
    match ty {
        Type::Named(name) => {
            let Some(definition) = schema.type_named(name) else {
                return;
            };
            match (&definition.kind, Kind::of_type(name)) {
                (TypeKind::Handle | TypeKind::DevicePointer, Some(kind)) => found.push(Inside {
                    offset,
                    kind,
                    whole: depth == 0,
                }),
                (TypeKind::Alias(target), _) => {
                    let before = found.len();
                    collect(schema, (target, offset), depth + 1, found);
                    for inside in &mut found[before..] {
                        inside.whole = depth == 0 && is_handle(schema, target);
                    }
                }
                (TypeKind::Struct(fields), _) => {
                    collect_fields(schema, fields, (offset, depth), found)
                }
                _ => {}
            }
        }
        Type::Array { of, len } => {
            let size = schema.size_of(of) as u32;
            for number in 0..(*len).min(MAX_FIELDS as u32) {
                let next = offset.saturating_add(number.saturating_mul(size));
                collect(schema, (of, next), depth + 1, found);
            }
        }
        _ => {}
    }
}

fn collect_fields(
    schema: &TraceSchema,
    fields: &[Field],
    (offset, depth): (u32, u32),
    found: &mut Vec<Inside>,
) {
    for field in fields.iter().filter(|field| field.bits.is_none()) {
        let at = offset.saturating_add(field.offset);
        collect(schema, (&field.ty, at), depth + 1, found);
    }
}

/// Whether a type is a handle or device pointer under any number of names.
fn is_handle(schema: &TraceSchema, ty: &Type) -> bool {
    let mut ty = ty;
    for _ in 0..MAX_DEPTH {
        let Type::Named(name) = ty else {
            return false;
        };
        match schema.type_named(name).map(|TypeDef { kind, .. }| kind) {
            Some(TypeKind::Handle | TypeKind::DevicePointer) => return true,
            Some(TypeKind::Alias(target)) => ty = target,
            _ => return false,
        }
    }
    false
}
