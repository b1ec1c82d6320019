//! One value of a call against what a test wants.

use std::borrow::Cow;

use super::literal::{Amount, Dimension};
use super::names::named_value;
use super::syntax::{Literal, Op, Test, Wanted};

/// A value of a call: a number, texts that stand for it, or both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scalar<'a> {
    pub number: Option<Amount>,
    /// Any of them may be what is asked for.
    pub texts: Vec<Cow<'a, str>>,
    /// Names that the number's kind has, for literals.
    pub names: &'a [(String, i64)],
    /// Nanoseconds that a step of the number is, if it counts time.
    pub step_ns: Option<f64>,
}

impl<'a> Scalar<'a> {
    /// A number without a name.
    pub(crate) fn number(number: impl Into<i128>) -> Self {
        Self {
            number: Some(Amount::Whole(number.into())),
            ..Self::default()
        }
    }

    /// A text.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            texts: vec![text.into()],
            ..Self::default()
        }
    }
}

/// Whether a test holds for a call that has these values: for `!=` none may be the one that is named, for all other operators one is enough.
/// Without any value it is false.
pub(crate) fn holds(test: &Test, values: &[Scalar<'_>]) -> bool {
    match test.op {
        Op::Holds => !values.is_empty(),
        Op::Differs => {
            !values.is_empty() && !values.iter().any(|value| is_wanted(test, Op::Equal, value))
        }
        op => values.iter().any(|value| is_wanted(test, op, value)),
    }
}

fn is_wanted(test: &Test, op: Op, value: &Scalar<'_>) -> bool {
    test.values.iter().any(|wanted| match wanted {
        Wanted::Pattern(pattern) => value.texts.iter().any(|text| pattern.matches(text)),
        Wanted::Literal(literal) if op == Op::Contains => {
            value.texts.iter().any(|text| text.contains(&literal.text))
        }
        Wanted::Literal(literal) => compare(op, literal, value),
        Wanted::Between(from, to) => {
            let inside = |op: Op, end: Amount| order(op, end, value.number);
            inside(Op::AtLeast, from.amount) && inside(Op::AtMost, to.amount)
        }
    })
}

fn compare(op: Op, literal: &Literal, value: &Scalar<'_>) -> bool {
    if let (Some(wanted), Some(number)) = (literal.number, value.number) {
        let number = match (wanted.dimension, value.step_ns) {
            (Dimension::Time, Some(step)) if step != 1.0 => {
                Amount::Fraction(number.as_float() * step)
            }
            // A time is no number of anything else.
            (Dimension::Time, None) => return false,
            _ => number,
        };
        return order(op, wanted.amount, Some(number));
    }
    if let Some(number) = value.number
        && let Some(named) = named_value(value.names, &literal.text)
    {
        return order(op, Amount::Whole(named.into()), Some(number));
    }
    let is_equality = matches!(op, Op::Equal | Op::In);
    is_equality && value.texts.iter().any(|text| *text == literal.text)
}

fn order(op: Op, wanted: Amount, number: Option<Amount>) -> bool {
    number
        .and_then(|number| wanted.order_of(number))
        .and_then(|order| op.holds_for(order))
        .unwrap_or(false)
}
