//! Lines for people, each of a kind, so that a terminal may give it a colour.

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// The name of a part.
    Heading,
    /// Where a difference is.
    Place,
    /// What both have.
    Both,
    /// What A alone has.
    OnlyA,
    /// What B alone has.
    OnlyB,
    /// What became something else.
    Changed,
    /// What to keep in mind: something is missing, or was not looked at.
    Note,
    /// The first thing that one wants to know.
    Key,
}

/// A line, without its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// What it says. The kind is to be seen without colour, too.
    pub text: String,
}

impl Line {
    /// A line.
    pub(super) fn new(kind: LineKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

/// A number of things: `1 call`, `3 calls`.
pub(super) fn counted(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {one}{end}")
}
