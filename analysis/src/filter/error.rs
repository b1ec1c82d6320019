//! What is wrong with a filter, and where.

use std::fmt;
use std::ops::Range;

/// A filter that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The filter.
    text: String,
    /// Bytes of it that are wrong.
    at: Range<usize>,
    expected: String,
    found: String,
    hint: Option<String>,
}

impl FilterError {
    pub(crate) fn new(
        text: &str,
        at: Range<usize>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            text: text.to_owned(),
            at,
            expected: expected.into(),
            found: found.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Bytes of the filter that are wrong; empty at its end where something is missing.
    pub fn span(&self) -> Range<usize> {
        self.at.clone()
    }

    /// What was expected, what was found, and what to do, in one line.
    pub fn message(&self) -> String {
        let mut message = format!("expected {}, found {}", self.expected, self.found);
        if let Some(hint) = &self.hint {
            message.push_str("; ");
            message.push_str(hint);
        }
        message
    }
}

impl fmt::Display for FilterError {
    /// The message, the line of the filter with the place, and a mark under it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line_start = self.text[..self.at.start]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let before = self.text[line_start..self.at.start].chars().count();
        let marked = self.text[self.at.clone()]
            .chars()
            .take_while(|&letter| letter != '\n')
            .count();
        let shown: String = line.chars().map(crate::printable::printable).collect();
        write!(
            f,
            "{}\n  {shown}\n  {:before$}{}",
            self.message(),
            "",
            "^".repeat(marked.max(1))
        )
    }
}

impl std::error::Error for FilterError {}
