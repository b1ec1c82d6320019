//! One object of the driver: a context, a stream, an allocation, from the call that created it to the one that destroyed it.

use std::fmt;

use cutape_trace_format::call::ProcessId;

use super::kind::Kind;
use crate::quantity::{push_decimal, push_hex};

/// Number of an object in a trace, from 0, in the order in which they appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u32);

/// How the trace knows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A call created it.
    Created,
    /// It belongs to the driver, and a call asked for it: a device's default pool. Or it is a kernel from an export table, and a call's record says
    /// which one.
    Given,
    /// It was used, and no recorded call created it: that happened before the recording, through an export table, or in a call that was not
    /// recorded.
    Foreign,
}

/// How an object went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A call destroyed it.
    Destroyed,
    /// What it was part of went: its context, module or graph.
    WithParent,
    /// The driver gave its handle or address to another object; what destroyed it is not on record.
    Replaced,
}

/// One object. A handle that the driver uses again stands for another object. There may be millions: fields are as small as they can be,
/// with 0 for "none" where call numbers (from 1) stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub(super) word: u64,
    pub(super) bytes: u64,
    pub(super) first_call: u64,
    pub(super) created: u64,
    pub(super) ended: u64,
    pub(super) last_used: u64,
    pub(super) uses: u64,
    pub(super) process: ProcessId,
    pub(super) ordinal: u32,
    pub(super) parent: Option<Slot>,
    /// Its parts, as a list: the newest, and from each to the one before it.
    pub(super) newest_part: Option<Slot>,
    pub(super) part_before: Option<Slot>,
    pub(super) name: Option<Slot>,
    /// What still holds it, for objects that are retained and released.
    pub(super) holders: u32,
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    pub(super) ending: Ending,
}

/// A place in a list, in four bytes also where there may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(std::num::NonZeroU32);

impl Slot {
    /// To a place; `None` for the one place that does not fit.
    pub fn to(place: u32) -> Option<Self> {
        place
            .checked_add(1)
            .and_then(std::num::NonZeroU32::new)
            .map(Self)
    }

    /// The place.
    pub fn place(self) -> u32 {
        self.0.get() - 1
    }

    /// The object at the place.
    pub fn object(self) -> ObjectId {
        ObjectId(self.place())
    }
}

impl Object {
    /// An object that a call shows for the first time.
    pub(super) fn new(kind: Kind, origin: Origin, word: u64, seq: u64) -> Self {
        Self {
            word,
            bytes: u64::MAX,
            first_call: seq,
            created: if origin == Origin::Foreign { 0 } else { seq },
            ended: 0,
            last_used: 0,
            uses: 0,
            process: ProcessId::UNKNOWN,
            ordinal: 0,
            parent: None,
            newest_part: None,
            part_before: None,
            name: None,
            holders: 1,
            kind,
            origin,
            ending: Ending::Destroyed,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How the trace knows of it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The process that it lives in.
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// Its number among the objects of its kind and process, from 1. Foreign objects are counted apart.
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// The handle, or the first address.
    pub fn word(&self) -> u64 {
        self.word
    }

    /// Size in bytes, where the trace says it.
    pub fn bytes(&self) -> Option<u64> {
        (self.bytes != u64::MAX).then_some(self.bytes)
    }

    /// What it is part of: context, module, library, graph.
    pub fn parent(&self) -> Option<ObjectId> {
        self.parent.map(Slot::object)
    }

    /// The call in which it appears first: the one that created it, unless it was used before.
    pub fn first_call(&self) -> u64 {
        self.first_call
    }

    /// The call that created it or asked for it; none for a foreign object.
    pub fn created(&self) -> Option<u64> {
        (self.created != 0).then_some(self.created)
    }

    /// The call with which it went, and how.
    pub fn ended(&self) -> Option<(u64, Ending)> {
        (self.ended != 0).then_some((self.ended, self.ending))
    }

    /// The last call that used it; the creating call is no use, the destroying one is.
    pub fn last_used(&self) -> Option<u64> {
        (self.last_used != 0).then_some(self.last_used)
    }

    /// How often calls used it; a call that names it twice counts twice.
    pub fn uses(&self) -> u64 {
        self.uses
    }

    /// Whether nothing has ended it.
    pub fn is_alive(&self) -> bool {
        self.ended == 0
    }

    /// Whether it existed while a call was going on, as far as the trace knows.
    pub fn exists_at(&self, seq: u64) -> bool {
        self.first_call <= seq && (self.ended == 0 || seq <= self.ended)
    }

    /// Whether it was left behind: created, to be destroyed by someone, and alive at the end.
    pub fn is_left_behind(&self) -> bool {
        self.origin == Origin::Created && self.is_alive() && self.kind.info().to_be_destroyed
    }

    /// Its name as a call shows it: `ctx#1`. Before the call that created it, and where none did, it is `ctx?0x504000000000`.
    pub fn label_at(&self, seq: u64) -> Label {
        let known = self.created().is_some_and(|created| created <= seq);
        Label {
            kind: self.kind,
            number: if known {
                Number::Ordinal(self.ordinal)
            } else {
                Number::Word(self.word)
            },
            offset: 0,
        }
    }

    /// Its name in the end.
    pub fn label(&self) -> Label {
        self.label_at(u64::MAX)
    }
}

/// The readable name of an object or of an address in one: `stream#2`, `dptr#7+0x40`, `ctx?0x504000000000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    kind: Kind,
    number: Number,
    offset: u64,
}

/// What tells an object from others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Ordinal(u32),
    /// The handle of a foreign object.
    Word(u64),
}

impl Label {
    /// The name of an address that many bytes behind the object's first one.
    pub fn with_offset(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// Whether it says that the object's creation is not on record.
    pub fn is_foreign(&self) -> bool {
        matches!(self.number, Number::Word(_))
    }

    /// Adds it to a text.
    pub fn push(&self, out: &mut String) {
        out.push_str(self.kind.word());
        match self.number {
            Number::Ordinal(ordinal) => {
                out.push('#');
                push_decimal(out, ordinal.into());
            }
            Number::Word(word) => {
                out.push('?');
                push_hex(out, word);
            }
        }
        if self.offset > 0 {
            out.push('+');
            push_hex(out, self.offset);
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push(&mut text);
        formatter.write_str(&text)
    }
}
