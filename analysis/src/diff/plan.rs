//! What counts in the calls of a function when two runs are compared, worked out once for each function of a trace.

use cutape_cuda_api::{
    DefaultStream, Direction, Extent, Function, Param, Type, TypeKind, Validity,
};
use cutape_trace_format::call::FunctionId;
use cutape_trace_format::schema::TraceSchema;

use super::layout::{Meaning, Piece, layout, size_of};
use super::stream_order::is_on_stream;
use super::volatile::{Volatile, asks_whether_ready, volatile};
use crate::outcome::code_type;

/// A parameter passed by value is at most this long in any header.
const MAX_VALUE_BYTES: u32 = 4096;

/// What counts in the calls of one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Fingerprint of the function's name.
    pub name: u64,
    /// What it asks.
    pub asks: Vec<Asked>,
    /// What it answers.
    pub answers: Vec<Answered>,
    /// What it returns.
    pub returns: Returns,
    /// It asks whether work is done.
    pub asks_whether_ready: bool,
    /// Its calls are in order with those on their stream alone.
    pub on_stream: Option<OnStream>,
}

/// How the stream of a call is told where it is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnStream {
    /// Place of the stream among the argument words, if it is there.
    pub word: Option<u16>,
    /// The null stream is that of the thread.
    pub per_thread: bool,
}

/// Part of what a call asks.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A number. `selects`: it says what is asked rather than how much.
    Number {
        /// Place among the argument words.
        word: u16,
        /// Bits that belong to it.
        mask: u64,
        /// Whether another number makes it another question.
        selects: bool,
    },
    /// A handle or an address on the device.
    Object {
        /// The parameter.
        param: u8,
        /// Place among the argument words.
        word: u16,
    },
    /// A pointer into the process.
    Address {
        /// The parameter.
        param: u8,
        /// Place among the argument words.
        word: u16,
    },
    /// A structure in argument words.
    Words {
        /// The parameter.
        param: u8,
        /// Places among the argument words.
        words: (u16, u16),
        /// What of it counts.
        pieces: Vec<Piece>,
    },
    /// What was found behind a pointer before the call.
    Behind(Behind),
}

/// Part of what a call answers.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// What was found behind a pointer after the call.
    pub behind: Behind,
    /// It counts whatever the call returned.
    pub always: bool,
    /// Why it differs from run to run, if it does.
    pub volatile: Option<Volatile>,
}

/// What is behind a pointer.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    /// The parameter.
    pub param: u8,
    /// How it is to be read.
    pub shape: Shape,
}

/// How captured bytes are to be read.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Text up to its NUL.
    Text,
    /// Bytes as they are.
    Raw,
    /// One value or several, each of so many bytes.
    Values {
        /// Bytes from one to the next.
        size: u32,
        /// What of each counts.
        pieces: Vec<Piece>,
    },
}

/// What a function returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Returns {
    /// A code; 0 is success.
    Code,
    /// A number of so many bits.
    Number {
        /// Bits that belong to it.
        mask: u64,
    },
    /// Something that does not count: an address, nothing, or what nobody knows.
    #[default]
    Other,
}

impl Plan {
    fn new(schema: &TraceSchema, function: &Function) -> Self {
        let mut plan = Self {
            name: super::scan::name_print(&function.name),
            asks_whether_ready: asks_whether_ready(&function.base),
            ..Self::default()
        };
        let Some(signature) = &function.signature else {
            return plan;
        };
        plan.returns = match &signature.returns {
            Type::Named(name) if name == code_type(function.library) => Returns::Code,
            ty => match layout(schema, ty).first() {
                Some(Piece {
                    bytes,
                    is: Meaning::Plain,
                    ..
                }) => Returns::Number { mask: mask(*bytes) },
                _ => Returns::Other,
            },
        };
        let mut word = 0u16;
        let mut stream = None;
        for (number, param) in (0..=u8::MAX).zip(&signature.params) {
            if is_stream(param) {
                stream = stream.or(Some(word));
            }
            plan.add(schema, function, (number, param, word));
            word = word.saturating_add(words(schema, param));
        }
        plan.on_stream = is_on_stream(&function.base).then_some(OnStream {
            word: stream,
            per_thread: function.default_stream == DefaultStream::PerThread,
        });
        plan
    }

    /// `at` is a parameter: its number, itself, its first word.
    fn add(&mut self, schema: &TraceSchema, function: &Function, at: (u8, &Param, u16)) {
        let (number, param, word) = at;
        if param.direction == Direction::Value {
            return self.add_value(schema, at);
        }
        self.asks.push(Asked::Address {
            param: number,
            word,
        });
        let behind = || Behind {
            param: number,
            shape: shape(schema, param),
        };
        if matches!(param.direction, Direction::In | Direction::InOut) {
            self.asks.push(Asked::Behind(behind()));
        }
        if matches!(param.direction, Direction::Out | Direction::InOut) {
            self.answers.push(Answered {
                behind: behind(),
                always: param.valid == Validity::Always || self.returns != Returns::Code,
                volatile: volatile(&function.base, &param.name),
            });
        }
    }

    fn add_value(&mut self, schema: &TraceSchema, (number, param, word): (u8, &Param, u16)) {
        let pieces = layout(schema, &param.ty);
        let asked = match pieces[..] {
            [] => return,
            [piece] if piece.offset == 0 && piece.bytes <= 8 => match piece.is {
                Meaning::Plain | Meaning::Text => Asked::Number {
                    word,
                    mask: mask(piece.bytes),
                    selects: is_choice(schema, &param.ty),
                },
                Meaning::Object => Asked::Object {
                    param: number,
                    word,
                },
                Meaning::Address => Asked::Address {
                    param: number,
                    word,
                },
            },
            _ => Asked::Words {
                param: number,
                words: (word, word.saturating_add(words(schema, param))),
                pieces,
            },
        };
        self.asks.push(asked);
    }
}

fn is_stream(param: &Param) -> bool {
    param.direction == Direction::Value
        && matches!(&param.ty, Type::Named(name) if name == "CUstream")
}

/// Argument words that a parameter takes.
fn words(schema: &TraceSchema, param: &Param) -> u16 {
    match param.direction {
        Direction::Value => {
            let bytes = size_of(schema, &param.ty).clamp(1, MAX_VALUE_BYTES);
            bytes.div_ceil(8) as u16
        }
        _ => 1,
    }
}

fn mask(bytes: u32) -> u64 {
    1u64.checked_shl(bytes.saturating_mul(8))
        .map_or(u64::MAX, |bit| bit - 1)
}

/// Whether a type is an enumeration whose values exclude each other: which attribute, which limit.
fn is_choice(schema: &TraceSchema, ty: &Type) -> bool {
    let Type::Named(name) = ty else {
        return false;
    };
    let kind = schema.type_named(name).map(|definition| &definition.kind);
    matches!(kind, Some(TypeKind::Enum { flags: false, .. }))
}

fn is_structured(schema: &TraceSchema, ty: &Type) -> bool {
    let Type::Named(name) = ty else {
        return false;
    };
    let kind = schema.type_named(name).map(|definition| &definition.kind);
    matches!(kind, Some(TypeKind::Struct(_) | TypeKind::Union(_)))
}

fn shape(schema: &TraceSchema, param: &Param) -> Shape {
    let target: &Type = match &param.ty {
        Type::Pointer { to, .. } => to,
        other => other,
    };
    let size = size_of(schema, target);
    match &param.extent {
        Extent::Text(_) | Extent::PointedText => Shape::Text,
        Extent::One | Extent::Count(_) if size > 0 => Shape::Values {
            size,
            pieces: layout(schema, target),
        },
        Extent::Bytes(_) if size > 0 && is_structured(schema, target) => Shape::Values {
            size,
            pieces: layout(schema, target),
        },
        _ => Shape::Raw,
    }
}

/// Plans by function.
#[derive(Debug, Default)]
pub(crate) struct Plans(Vec<Option<Box<Plan>>>);

impl Plans {
    /// The plan of a function; nothing for one that the trace does not describe.
    pub fn of(&mut self, schema: &TraceSchema, id: FunctionId) -> Option<&Plan> {
        let place = id.0 as usize;
        let function = schema.function(id)?;
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        let plan = self.0.get_mut(place)?;
        Some(plan.get_or_insert_with(|| Box::new(Plan::new(schema, function))))
    }
}
