//! What a filter says that no call of a trace can be meant by: more likely a slip than a wish.

use cutape_cuda_api::Function;
use cutape_trace_format::trace::Trace;

use super::field::Field;
use super::suggest::nearest;
use super::syntax::{Op, Subject, Test, Wanted};
use super::{Filter, scalar};

impl Filter {
    /// Names of functions, families and threads that nothing in the trace has, with what may have been meant.
    pub fn warnings(&self, trace: &Trace) -> Vec<String> {
        let tests = self.parsed.tests.iter();
        let warning = |test| {
            let (known, what) = match field(test)? {
                Field::Comm => (threads(trace), "thread"),
                field => functions(field, trace.schema().functions())?,
            };
            warning(test, &known, &format!("{what} of the trace"))
        };
        tests.filter_map(warning).collect()
    }

    /// Names of functions and families that none of these functions has, before there is a trace.
    pub fn unknown_names(&self, known: &[Function]) -> Vec<String> {
        let tests = self.parsed.tests.iter();
        let warning = |test| {
            let (known, what) = functions(field(test)?, known)?;
            warning(test, &known, &format!("{what} that cutape knows"))
        };
        tests.filter_map(warning).collect()
    }
}

fn field(test: &Test) -> Option<Field> {
    match test.subject {
        Subject::Field(field) => Some(field),
        _ => None,
    }
}

/// What functions have in a field that names them, and what that is.
fn functions(field: Field, functions: &[Function]) -> Option<(Vec<&str>, &'static str)> {
    let functions = functions.iter();
    match field {
        Field::Api => {
            let names = functions.flat_map(|one| [one.name.as_str(), one.base.as_str()]);
            Some((names.collect(), "function"))
        }
        Field::Family => {
            let families = functions.map(|one| one.family.as_str());
            Some((families.collect(), "family"))
        }
        _ => None,
    }
}

fn threads(trace: &Trace) -> Vec<&str> {
    let threads = trace.threads().iter();
    threads.map(|thread| thread.name.as_str()).collect()
}

fn warning(test: &Test, known: &[&str], what: &str) -> Option<String> {
    if matches!(test.op, Op::Differs | Op::Holds) {
        return None;
    }
    let any = known
        .iter()
        .any(|&name| scalar::holds(test, &[scalar::Scalar::text(name)]));
    let word = match (any, test.values.as_slice()) {
        (false, [Wanted::Literal(literal)]) => literal.text.as_str(),
        (false, [Wanted::Pattern(pattern)]) => pattern.text(),
        _ => return None,
    };
    let hint = nearest(word, known.iter().copied())
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    Some(format!("no {what} is {} {word}{hint}", called(test.op)))
}

fn called(op: Op) -> &'static str {
    match op {
        Op::Contains => "called something with",
        Op::Glob | Op::Regex => "called like",
        _ => "called",
    }
}
