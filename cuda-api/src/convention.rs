//! Where the arguments of a function lie: the System V calling convention for x86-64 (psABI 3.2.3), as far as the driver API needs it.

use crate::api::Api;
use cutape_api_model::{Function, Type, TypeKind};

const INTEGER_REGISTERS: usize = 6;
const VECTOR_REGISTERS: usize = 8;

/// Where one argument word lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Integer register, 0 for rdi.
    Register(usize),
    /// Vector register.
    Vector(usize),
    /// Word of the caller's stack, 0 for the first above the return address.
    Stack(usize),
}

/// The argument list of one function as words in parameter order.
#[derive(Debug, Default)]
pub struct Layout {
    /// Where each word lies.
    pub places: Vec<Place>,
    /// First word of each parameter.
    pub first_word: Vec<usize>,
    /// Words on the caller's stack.
    pub stack_words: usize,
}

impl Layout {
    /// The layout of a function's arguments; six integer registers where the prototype is unknown.
    ///
    /// # Panics
    /// For a prototype whose types are not in the table, or with a small structure of floating-point numbers passed by value. The table
    /// has neither: the interposer's build script goes through all of it.
    pub fn of(api: &Api, function: &Function) -> Self {
        let Some(signature) = &function.signature else {
            return Self {
                places: (0..INTEGER_REGISTERS).map(Place::Register).collect(),
                ..Self::default()
            };
        };
        let mut counter = Counter::default();
        let mut layout = Self::default();
        for param in &signature.params {
            layout.first_word.push(layout.places.len());
            match class(api, &param.ty) {
                Class::Integer { words } => counter.integers(words, &mut layout.places),
                Class::Vector => counter.vector(&mut layout.places),
                Class::Memory { words } => {
                    (0..words).for_each(|_| layout.places.push(counter.stack()))
                }
            }
        }
        layout.stack_words = counter.stack;
        layout
    }

    /// Whether the words are the integer registers in order, followed by the stack in order.
    pub fn is_straight(&self) -> bool {
        self.places.iter().enumerate().all(|(index, &place)| {
            let straight = index
                .checked_sub(INTEGER_REGISTERS)
                .map_or(Place::Register(index), Place::Stack);
            place == straight
        })
    }

    /// Whether a vector register holds an argument.
    pub fn uses_vectors(&self) -> bool {
        self.places
            .iter()
            .any(|place| matches!(place, Place::Vector(_)))
    }
}

enum Class {
    Integer { words: usize },
    Vector,
    Memory { words: usize },
}

fn class(api: &Api, ty: &Type) -> Class {
    match ty {
        Type::Float { .. } => Class::Vector,
        Type::Named(name) => match &api
            .type_def(name)
            .unwrap_or_else(|| panic!("type {name} is not in the table"))
            .kind
        {
            TypeKind::Alias(target) => class(api, target),
            TypeKind::Struct(fields) | TypeKind::Union(fields) => {
                let bytes = api.size_of(ty).unwrap_or_else(|| {
                    panic!("{name} is passed by value and its size is not known")
                });
                let words = bytes.div_ceil(8) as usize;
                let has_float = fields
                    .iter()
                    .any(|field| matches!(class(api, &field.ty), Class::Vector));
                assert!(
                    words > 2 || !has_float,
                    "{name}, a small structure with floating-point fields passed by value, is not supported"
                );
                if words > 2 {
                    Class::Memory { words }
                } else {
                    Class::Integer { words }
                }
            }
            _ => Class::Integer { words: 1 },
        },
        _ => Class::Integer { words: 1 },
    }
}

#[derive(Default)]
struct Counter {
    integer: usize,
    vector: usize,
    stack: usize,
}

impl Counter {
    /// An aggregate goes into registers whole or not at all.
    fn integers(&mut self, words: usize, places: &mut Vec<Place>) {
        let fits = self.integer + words <= INTEGER_REGISTERS;
        for _ in 0..words {
            places.push(if fits {
                Place::Register(self.integer)
            } else {
                self.stack()
            });
            self.integer += usize::from(fits);
        }
    }

    fn vector(&mut self, places: &mut Vec<Place>) {
        if self.vector < VECTOR_REGISTERS {
            places.push(Place::Vector(self.vector));
            self.vector += 1;
        } else {
            places.push(self.stack());
        }
    }

    fn stack(&mut self) -> Place {
        self.stack += 1;
        Place::Stack(self.stack - 1)
    }
}
