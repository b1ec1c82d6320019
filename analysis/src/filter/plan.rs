//! What a filter's tests have to look at in calls of one function, found out once for each function.

use cutape_cuda_api::{Direction, Param, Signature, Type, TypeKind, Unit};
use cutape_trace_format::call::FunctionId;
use cutape_trace_format::decode::words_of;
use cutape_trace_format::schema::TraceSchema;

use super::Filter;
use super::arguments;
use super::field::Field;
use super::syntax::Subject;

/// Where a test finds its values in calls of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// There are none.
    Nowhere,
    /// In the argument that it names: in that argument word alone, if that is given.
    Argument(Option<usize>),
    /// In that argument word of a function whose prototype is not known.
    Word(usize),
    /// In these parameters.
    Params(Vec<usize>),
    /// Wherever the test's field says.
    Elsewhere,
}

/// For each test, where it finds its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionPlan {
    sources: Vec<Source>,
}

impl FunctionPlan {
    /// What there is for the tests of a filter in calls of a function.
    pub(crate) fn new(filter: &Filter, schema: &TraceSchema, function: FunctionId) -> Self {
        let known = schema.function(function);
        let signature = known.and_then(|function| function.signature.as_ref());
        let source = |subject: &Subject| match (subject, signature) {
            (Subject::Argument(path), Some(signature)) => {
                let found = arguments::find(schema, signature, path);
                found.map_or(Source::Nowhere, |place| {
                    Source::Argument(single_word(schema, signature, place.param))
                })
            }
            (Subject::Argument(path), None) => path
                .first()
                .filter(|_| path.len() == 1)
                .and_then(|name| arguments::raw_word(name))
                .map_or(Source::Nowhere, Source::Word),
            (Subject::Field(Field::Bytes), Some(signature)) => Source::Params(bytes(signature)),
            (Subject::Field(Field::Stream), Some(signature)) => {
                Source::Params(streams(schema, signature))
            }
            // Nobody knows what the words of a function without a prototype are.
            (Subject::Field(Field::Bytes | Field::Stream | Field::Obj | Field::Kernel), None) => {
                Source::Nowhere
            }
            (Subject::Field(_), _) => Source::Elsewhere,
        };
        let tests = filter.parsed.tests.iter();
        Self {
            sources: tests.map(|test| source(&test.subject)).collect(),
        }
    }

    /// Where a test finds its values.
    pub(crate) fn source(&self, test: usize) -> &Source {
        self.sources.get(test).unwrap_or(&Source::Nowhere)
    }
}

/// The place of the word that a parameter is, if it is passed by value and nothing else decides about it.
fn single_word(schema: &TraceSchema, signature: &Signature, param: usize) -> Option<usize> {
    let words = |param: &Param| words_of(schema, param);
    let before = &signature.params[..param];
    let param = &signature.params[param];
    let single = param.direction == Direction::Value && words(param) == 1;
    single.then(|| before.iter().map(words).sum())
}

/// Parameters that say how many bytes something has.
fn bytes(signature: &Signature) -> Vec<usize> {
    let params = signature.params.iter().enumerate();
    params
        .filter(|(_, param)| param.direction == Direction::Value && param.unit == Some(Unit::Bytes))
        .map(|(place, _)| place)
        .collect()
}

/// Parameters that are streams.
fn streams(schema: &TraceSchema, signature: &Signature) -> Vec<usize> {
    let is_stream = |ty: &Type| {
        matches!(ty, Type::Named(name) if name == "CUstream"
            && schema.type_named(name).is_some_and(|definition| definition.kind == TypeKind::Handle))
    };
    let params = signature.params.iter().enumerate();
    params
        .filter(|(_, param)| param.direction == Direction::Value && is_stream(&param.ty))
        .map(|(place, _)| place)
        .collect()
}
