//! Names that are written once and then referred to by number.

use std::collections::HashMap;

use super::fields::interned;
use super::protobuf::{Field, Message};

/// Kinds of names, each with numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NameKind {
    Category,
    Event,
    Annotation,
}

impl NameKind {
    const fn field(self) -> Field {
        match self {
            Self::Category => interned::CATEGORIES,
            Self::Event => interned::EVENT_NAMES,
            Self::Annotation => interned::ANNOTATION_NAMES,
        }
    }
}

/// Names that were written, and those that have to be with the next packet.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<NameKind, HashMap<Box<str>, u64>>,
    new: Vec<(NameKind, u64, Box<str>)>,
}

impl Names {
    /// The number of a name.
    pub fn number(&mut self, kind: NameKind, name: &str) -> u64 {
        let numbers = self.numbers.entry(kind).or_default();
        if let Some(&number) = numbers.get(name) {
            return number;
        }
        let number = numbers.len() as u64 + 1;
        numbers.insert(name.into(), number);
        self.new.push((kind, number, name.into()));
        number
    }

    /// Whether names were asked for that were not written yet.
    pub fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// Writes the new names as interned data.
    pub fn write(&mut self, data: &mut Message<'_>) {
        for (kind, number, name) in self.new.drain(..) {
            data.message(kind.field(), |entry| {
                entry.uint(interned::IID, number);
                entry.bytes(interned::NAME, name.as_bytes());
            });
        }
    }
}
