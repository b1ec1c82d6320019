//! Filters: `cuMem* and ret != 0 and dur > 1ms`. One grammar and one meaning wherever calls are chosen; docs/filter.md describes both.
//!
//! [`Filter::parse`] reads one. [`Matcher`] goes along with calls in their order; [`Filter::select`] finds all calls of a trace by its
//! index, on all processors, and decodes only those that their columns do not decide.
//!
//! A comparison with something that a call does not have is false, whatever the operator; `not` turns that around like anything else.

mod answers;
mod arguments;
mod check;
mod complete;
mod error;
mod evaluate;
mod field;
mod functions;
mod kind_test;
mod lexer;
pub(crate) mod literal;
mod matcher;
pub(crate) mod names;
mod number_test;
mod object_test;
mod parser;
mod pattern;
mod plan;
mod scalar;
mod select;
mod selection;
pub(crate) mod suggest;
mod syntax;
mod value_test;
mod warnings;
mod word_tests;

use std::str::FromStr;

pub use complete::{Candidate, Completions, complete};
pub use error::FilterError;
pub use field::Field;
pub use functions::Wanted as WantedFunction;
pub use matcher::{Matcher, Seen};
pub use selection::Selection;

use field::FIELDS;
use parser::Parsed;
use syntax::{Subject, Test};

/// What must be looked at to answer a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What many calls have in common.
    Kind,
    /// Times and numbers: columns of the index.
    Row,
    /// Arguments.
    Call,
    /// Objects, which depend on all calls before.
    Objects,
}

/// A filter.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    parsed: Parsed,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it, where, and what was expected.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Ok(Self {
            text: text.to_owned(),
            parsed: parser::parse(text)?,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of all fields, with what they are; arguments are `arg.NAME` besides.
    pub fn fields() -> impl Iterator<Item = (&'static str, &'static str)> {
        FIELDS.iter().map(|info| (info.name, info.what))
    }

    /// What has to be looked at to answer all of it.
    pub(crate) fn level(&self) -> Level {
        let levels = self.parsed.tests.iter().map(Test::level);
        levels.max().unwrap_or(Level::Kind)
    }

    /// Whether it asks for a field.
    pub(crate) fn asks_for(&self, field: Field) -> bool {
        let mut tests = self.parsed.tests.iter();
        tests.any(|test| test.subject == Subject::Field(field))
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl Test {
    fn level(&self) -> Level {
        match self.subject {
            Subject::Argument(_) => Level::Call,
            Subject::Field(field) => match field {
                Field::Api
                | Field::Family
                | Field::Pid
                | Field::Tid
                | Field::Comm
                | Field::Ret
                | Field::Ok => Level::Kind,
                Field::Seq | Field::T | Field::Dur | Field::Gap => Level::Row,
                Field::Bytes | Field::Caller | Field::Injected => Level::Call,
                Field::Ctx | Field::Stream | Field::Obj | Field::Kernel => Level::Objects,
            },
        }
    }
}
