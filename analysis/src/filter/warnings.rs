//! What a filter says that no call of a trace can be meant by: more likely a slip than a wish.

use cutape_trace_format::trace::Trace;

use super::field::Field;
use super::suggest::nearest;
use super::syntax::{Op, Subject, Test, Wanted};
use super::{Filter, scalar};

impl Filter {
    /// Names of functions, families and threads that nothing in the trace has, with what may have been meant.
    pub fn warnings(&self, trace: &Trace) -> Vec<String> {
        let tests = self.parsed.tests.iter();
        tests.filter_map(|test| warning(test, trace)).collect()
    }
}

fn warning(test: &Test, trace: &Trace) -> Option<String> {
    let Subject::Field(field) = test.subject else {
        return None;
    };
    let functions = || trace.schema().functions().iter();
    let (known, what): (Vec<&str>, _) = match field {
        Field::Api => (
            functions()
                .flat_map(|function| [function.name.as_str(), function.base.as_str()])
                .collect(),
            "function",
        ),
        Field::Family => (
            functions()
                .map(|function| function.family.as_str())
                .collect(),
            "family",
        ),
        Field::Comm => (
            trace
                .threads()
                .iter()
                .map(|thread| thread.name.as_str())
                .collect(),
            "thread",
        ),
        _ => return None,
    };
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
    Some(format!(
        "no {what} of the trace is {} {word}{hint}",
        called(test.op)
    ))
}

fn called(op: Op) -> &'static str {
    match op {
        Op::Contains => "called something with",
        Op::Glob | Op::Regex => "called like",
        _ => "called",
    }
}
