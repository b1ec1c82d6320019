//! Two calls argument by argument: what is the same, and what became what.

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::kernel_arguments::{KernelArgument, KernelArguments};
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::{Argument, Value};

use super::argument_texts::{ArgumentText, argument_texts};
use super::kernel_values::{Part, parts, reference};
use super::layout::is_spare;
use super::sequence::Sequence;
use super::volatile::{Volatile, is_alike, volatile};
use crate::objects::{CallNames, Objects, Reference, ReferenceFinder};
use crate::outcome::{Outcome, outcome};
use crate::text::{Detail, push_answer, push_named_call};

/// Words below this are no handle that a driver made up.
const LEAST_HANDLE: u64 = 0x1000;

/// Two calls of one row, argument by argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallChange {
    /// The function; A's, then B's.
    pub api: (String, String),
    /// The arguments in the order of the prototype.
    pub arguments: Vec<ArgumentChange>,
    /// What was answered, in A and in B.
    pub answer: (String, String),
    /// Whether the answers differ.
    pub answer_differs: bool,
}

/// One argument of two calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentChange {
    /// Its name.
    pub name: String,
    /// Its value in A; nothing where A's call has no such argument.
    pub a: Option<String>,
    /// Its value in B.
    pub b: Option<String>,
    /// Whether they differ, apart from what differs in any two runs.
    pub differs: bool,
}

/// One of the two traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first one.
    A,
    /// The second one.
    B,
}

/// Puts calls of two traces that were compared into words.
pub struct Describer<'a> {
    sequence: &'a Sequence,
    traces: (&'a Trace, &'a Trace),
    finders: (ReferenceFinder, ReferenceFinder),
    detail: Detail,
}

impl<'a> Describer<'a> {
    /// For the traces that `sequence` was made of.
    pub fn new(sequence: &'a Sequence, traces: (&'a Trace, &'a Trace), detail: Detail) -> Self {
        Self {
            sequence,
            traces,
            finders: <(ReferenceFinder, ReferenceFinder)>::default(),
            detail,
        }
    }

    /// A call as `cutape print` writes it, with names for its objects. Returns where the answer starts, too.
    pub fn call(&mut self, side: Side, call: &Call) -> (String, usize) {
        let (_, names) = self.names(side, call);
        let mut text = String::new();
        let schema = self.trace(side).schema();
        let answer = push_named_call(&mut text, schema, (call, &names), &self.detail);
        (text, answer)
    }

    /// What became of A's call in B.
    pub fn change(&mut self, a: &Call, b: &Call) -> CallChange {
        let (references_a, names_a) = self.names(Side::A, a);
        let (references_b, names_b) = self.names(Side::B, b);
        let schemas = (self.traces.0.schema(), self.traces.1.schema());
        let texts_a = argument_texts(schemas.0, (a, &names_a), &self.detail);
        let texts_b = argument_texts(schemas.1, (b, &names_b), &self.detail);
        let values = Values {
            sequence: self.sequence,
            references: (&references_a, &references_b),
            base: schemas
                .0
                .function(a.function)
                .map_or("", |function| &function.base),
        };
        let count = texts_a.len().max(texts_b.len());
        let arguments = (0..count).map(|number| {
            let (a, b) = (texts_a.get(number), texts_b.get(number));
            let alike = |(a, b): (&ArgumentText<'_>, &ArgumentText<'_>)| {
                values.are_alike(number, &a.argument, &b.argument)
            };
            ArgumentChange {
                name: a.or(b).map_or(String::new(), |text| text.name.clone()),
                a: a.map(ArgumentText::shown),
                b: b.map(ArgumentText::shown),
                differs: !a.zip(b).is_some_and(alike),
            }
        });
        let answer = |schema, call| {
            let mut text = String::new();
            push_answer(&mut text, schema, call, &self.detail);
            text
        };
        CallChange {
            api: (
                schemas.0.function_name(a.function).into_owned(),
                schemas.1.function_name(b.function).into_owned(),
            ),
            arguments: arguments.collect(),
            answer: (answer(schemas.0, a), answer(schemas.1, b)),
            answer_differs: self.answers_differ(a, b),
        }
    }

    fn answers_differ(&self, a: &Call, b: &Call) -> bool {
        let (of_a, of_b) = (
            outcome(self.traces.0.schema(), a),
            outcome(self.traces.1.schema(), b),
        );
        match (of_a, of_b) {
            (Outcome::Code { code, .. }, Outcome::Code { code: other, .. }) => code != other,
            (Outcome::Other(_), Outcome::Other(_)) => {
                let returned = |trace: &'a Trace, call| decode(trace.schema(), call).returned;
                let (a, b) = (returned(self.traces.0, a), returned(self.traces.1, b));
                let number = |value: &Option<Value<'_>>| {
                    matches!(
                        value,
                        Some(Value::Int(_) | Value::Uint(_) | Value::Enum { .. })
                    )
                };
                number(&a) && number(&b) && a != b
            }
            (of_a, of_b) => std::mem::discriminant(&of_a) != std::mem::discriminant(&of_b),
        }
    }

    fn trace(&self, side: Side) -> &'a Trace {
        match side {
            Side::A => self.traces.0,
            Side::B => self.traces.1,
        }
    }

    fn names(&mut self, side: Side, call: &Call) -> (Vec<Reference>, CallNames) {
        let schema = self.trace(side).schema();
        let (finder, objects): (_, &Objects) = match side {
            Side::A => (&mut self.finders.0, &self.sequence.a.objects),
            Side::B => (&mut self.finders.1, &self.sequence.b.objects),
        };
        let references = finder.find(objects, schema, call);
        let names = CallNames::in_objects(objects, schema, (call, &references));
        (references, names)
    }
}

/// Compares values of two calls.
struct Values<'a> {
    sequence: &'a Sequence,
    references: (&'a [Reference], &'a [Reference]),
    /// The function as `cuGetProcAddress` names it.
    base: &'a str,
}

impl Values<'_> {
    fn are_alike(&self, number: usize, a: &Argument<'_>, b: &Argument<'_>) -> bool {
        let param = u8::try_from(number).unwrap_or(u8::MAX);
        let content = |argument: &Argument<'_>| argument.payload.as_ref()?.hash;
        if let (Some(a), Some(b)) = (content(a), content(b))
            && a != b
        {
            return false;
        }
        if !self.are_same_kernels(param, &a.kernels, &b.kernels) {
            return false;
        }
        match (volatile(self.base, &a.name), &a.value, &b.value) {
            (_, Value::NotCaptured(_), Value::NotCaptured(_)) => true,
            (_, Value::NotCaptured(_), _) | (_, _, Value::NotCaptured(_)) => false,
            (Some(Volatile::FreeMemory), Value::Uint(a), Value::Uint(b)) => is_alike(*a, *b),
            (Some(Volatile::FreeMemory) | None, a, b) => self.is_same(param, a, b),
            (Some(_), a, b) => (*a == Value::Null) == (*b == Value::Null),
        }
    }

    /// Whether kernels were given the same. One recording may have kept arguments that the other has not.
    fn are_same_kernels(&self, param: u8, a: &[KernelArguments], b: &[KernelArguments]) -> bool {
        let has_none =
            |kernels: &[KernelArguments]| kernels.iter().all(|kernel| kernel.params.is_empty());
        if has_none(a) || has_none(b) {
            return true;
        }
        let arguments = |kernels: &[KernelArguments]| -> Vec<KernelArgument> {
            let params = kernels.iter().flat_map(|kernel| &kernel.params);
            params.cloned().collect()
        };
        let (a, b) = (arguments(a), arguments(b));
        a.len() == b.len()
            && a.iter()
                .zip(&b)
                .all(|(a, b)| self.is_same_argument(param, a, b))
    }

    fn is_same_argument(&self, param: u8, a: &KernelArgument, b: &KernelArgument) -> bool {
        let of_a = parts(a, |word| reference(self.references.0, param, word));
        let of_b = parts(b, |word| reference(self.references.1, param, word));
        let (of_a, of_b) = match (of_a, of_b) {
            (Some(of_a), Some(of_b)) => (of_a, of_b),
            (of_a, of_b) => return of_a.is_none() && of_b.is_none(),
        };
        let alike = |(a, b): (Part, Part)| match (a, b) {
            (Part::Object(a), Part::Object(b)) => self.are_counterparts(a, b),
            (Part::Address, Part::Address) => true,
            (Part::Value(a), Part::Value(b)) => a == b,
            _ => false,
        };
        a.size == b.size && of_a.zip(of_b).all(alike)
    }

    fn is_same(&self, param: u8, a: &Value<'_>, b: &Value<'_>) -> bool {
        match (a, b) {
            (
                Value::Handle(a) | Value::DevicePointer(a),
                Value::Handle(b) | Value::DevicePointer(b),
            ) => self.is_same_object(param, *a, *b),
            (Value::Address(a), Value::Address(b)) => self.is_same_address(param, *a, *b),
            (Value::NotCaptured(_), Value::NotCaptured(_)) => true,
            (Value::Struct(a), Value::Struct(b)) => {
                let counts = |field: &&(&str, Value<'_>)| !is_spare(field.0);
                let (a, b) = (a.iter().filter(counts), b.iter().filter(counts));
                self.are_same(param, a.map(|field| &field.1), b.map(|field| &field.1))
            }
            // As in the fingerprint of a call: nothing says which member holds.
            (Value::Union(a), Value::Union(b)) => {
                let first = |members: &[(&str, Value<'_>)]| {
                    members.iter().position(|member| !is_spare(member.0))
                };
                match (first(a), first(b)) {
                    (Some(at), Some(other)) => self.is_same(param, &a[at].1, &b[other].1),
                    (at, other) => at == other,
                }
            }
            (
                Value::Array {
                    items: a,
                    full_items,
                },
                Value::Array {
                    items: b,
                    full_items: other,
                },
            ) => full_items == other && self.are_same(param, a.iter(), b.iter()),
            (
                Value::InOut { before, after },
                Value::InOut {
                    before: other_before,
                    after: other_after,
                },
            ) => {
                self.is_same(param, before, other_before) && self.is_same(param, after, other_after)
            }
            (Value::Enum { value: a, .. }, Value::Enum { value: b, .. }) => a == b,
            (Value::Flags { value: a, .. }, Value::Flags { value: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }

    fn are_same<'v>(
        &self,
        param: u8,
        a: impl Iterator<Item = &'v Value<'v>>,
        mut b: impl Iterator<Item = &'v Value<'v>>,
    ) -> bool {
        let mut all = a.into_iter();
        all.all(|a| b.next().is_some_and(|b| self.is_same(param, a, b))) && b.next().is_none()
    }

    fn is_same_object(&self, param: u8, a: u64, b: u64) -> bool {
        match self.found(param, a, b) {
            (Some(a), Some(b)) => self.are_counterparts(a, b),
            (None, None) => a == b || a.min(b) >= LEAST_HANDLE,
            _ => false,
        }
    }

    fn is_same_address(&self, param: u8, a: u64, b: u64) -> bool {
        match self.found(param, a, b) {
            (Some(a), Some(b)) => self.are_counterparts(a, b),
            (None, None) => (a == 0) == (b == 0),
            _ => false,
        }
    }

    fn found(&self, param: u8, a: u64, b: u64) -> (Option<Reference>, Option<Reference>) {
        (
            reference(self.references.0, param, a),
            reference(self.references.1, param, b),
        )
    }

    fn are_counterparts(&self, a: Reference, b: Reference) -> bool {
        let counterparts = &self.sequence.counterparts;
        a.offset == b.offset && counterparts.are_pairs(&[a.object.0], &[b.object.0])
    }
}
