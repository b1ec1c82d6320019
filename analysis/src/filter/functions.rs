//! What a filter says of functions alone: which are worth recording.

use cutape_cuda_api::Function;

use super::arguments;
use super::evaluate::{Known, evaluate};
use super::field::Field;
use super::scalar::{Scalar, holds};
use super::syntax::{Subject, Test};
use super::{Filter, Level};

/// Whether calls of a function can be meant by a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them are.
    All,
    /// That depends on the call.
    Some,
    /// None is.
    None,
}

impl Filter {
    /// Whether calls of a function can be meant, as far as its name and prototype tell.
    pub fn wants(&self, function: &Function) -> Wanted {
        let tests = self.parsed.tests.iter();
        let known: Known = tests.map(|test| answer(test, function)).collect();
        match evaluate(&self.parsed.root, &known) {
            Some(true) => Wanted::All,
            Some(false) => Wanted::None,
            None => Wanted::Some,
        }
    }

    /// Functions whose calls need not be recorded, by place in the list: none of them can be meant, and no other call's answer depends on
    /// them.
    pub fn unrecorded(&self, functions: &[Function]) -> Vec<bool> {
        let depends = self.level() == Level::Objects || self.asks_for(Field::Gap);
        functions
            .iter()
            .map(|function| !depends && self.wants(function) == Wanted::None)
            .collect()
    }
}

/// The answer for all calls of a function; `None` if they differ.
fn answer(test: &Test, function: &Function) -> Option<bool> {
    match &test.subject {
        Subject::Field(Field::Api) => {
            let names = vec![function.name.as_str().into(), function.base.as_str().into()];
            let scalar = Scalar {
                texts: names,
                ..Scalar::default()
            };
            Some(holds(test, &[scalar]))
        }
        Subject::Field(Field::Family) => {
            let family = (!function.family.is_empty()).then(|| Scalar::text(&function.family));
            Some(holds(test, family.as_slice()))
        }
        Subject::Field(_) => None,
        Subject::Argument(path) => {
            let api = cutape_cuda_api::Api::get();
            let found = match &function.signature {
                Some(signature) => arguments::find(api, signature, path).is_some(),
                None => arguments::is_raw(path),
            };
            (!found).then_some(false)
        }
    }
}
