//! A filter as it was understood: a tree of tests.

use std::ops::Range;

use super::field::Field;
use super::literal::Number;
use super::pattern::Pattern;

/// A filter's tree. Tests are places in a list beside it, so that what is known of each can be kept in a row.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// All of them.
    All(Vec<Node>),
    /// At least one of them.
    Any(Vec<Node>),
    /// Not this one.
    Not(Box<Node>),
    /// The test with this place.
    Test(usize),
}

/// A comparison.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// What is compared.
    pub subject: Subject,
    /// How.
    pub op: Op,
    /// With what: one value, any number for `in`, none where only presence is asked for.
    pub values: Vec<Wanted>,
}

/// What a test looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A field of the table.
    Field(Field),
    /// `arg.prop.location.id`: the argument's name, then fields in it.
    Argument(Vec<String>),
}

/// A value to compare with.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// A word, a text or a number.
    Literal(Literal),
    /// A glob or a regular expression.
    Pattern(Pattern),
    /// `A..B` in braces: from A to B, both included.
    Between(Number, Number),
}

/// A word, a text or a number as written.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    /// Without quotes.
    pub text: String,
    /// What it is as a number, unless it was quoted.
    pub number: Option<Number>,
    /// Where it stands.
    pub span: Range<usize>,
}

/// How a test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The field alone: true, or there.
    Holds,
    /// `==`
    Equal,
    /// `!=`
    Differs,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `~`
    Glob,
    /// `=~`
    Regex,
    /// `contains`
    Contains,
    /// `in`
    In,
}

impl Op {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Holds => "",
            Self::Equal => "==",
            Self::Differs => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Glob => "~",
            Self::Regex => "=~",
            Self::Contains => "contains",
            Self::In => "in",
        }
    }

    /// What it says about an order; `None` for operators that are not about order or equality.
    pub(crate) fn holds_for(self, order: std::cmp::Ordering) -> Option<bool> {
        Some(match self {
            Self::Equal | Self::In => order.is_eq(),
            Self::Differs => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Holds | Self::Glob | Self::Regex | Self::Contains => return None,
        })
    }
}
