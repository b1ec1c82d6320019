//! What a kind of calls answers to a filter, as far as that is the same for all of them.

use super::evaluate::{Known, evaluate};
use super::field::Field;
use super::syntax::{Node, Subject, Test};

/// Tests of columns for which all combinations of answers are worked out.
const MAX_TABLED: usize = 6;

/// What all calls of a kind answer.
#[derive(Clone, Debug)]
pub(crate) struct KindAnswers {
    /// The answers to tests, as far as they are known.
    pub known: Known,
    /// Tests of columns that calls of the kind differ in.
    pub open: Vec<usize>,
    /// The whole filter's answer by those of the open tests, a bit for each, the first one lowest. Empty where there are too many of them.
    pub table: Vec<Option<bool>>,
}

impl KindAnswers {
    /// Works them out.
    pub(crate) fn new(root: &Node, tests: &[Test], known: Known) -> Self {
        let is_open = |&place: &usize| known[place].is_none() && is_column(&tests[place]);
        let open: Vec<usize> = (0..tests.len()).filter(is_open).collect();
        let table = if open.len() <= MAX_TABLED {
            (0..1usize << open.len())
                .map(|answers| {
                    let mut known = known.clone();
                    for (bit, &test) in open.iter().enumerate() {
                        known[test] = Some(answers >> bit & 1 != 0);
                    }
                    evaluate(root, &known)
                })
                .collect()
        } else {
            Vec::new()
        };
        Self { known, open, table }
    }

    /// The answer if it does not depend on the call.
    pub(crate) fn decided(&self) -> Option<bool> {
        match self.table.split_first() {
            Some((&first, rest)) if rest.iter().all(|&answer| answer == first) => first,
            _ => None,
        }
    }
}

/// Whether a test looks at a column of the index.
pub(crate) fn is_column(test: &Test) -> bool {
    matches!(
        test.subject,
        Subject::Field(Field::Seq | Field::T | Field::Dur | Field::Gap)
    )
}
