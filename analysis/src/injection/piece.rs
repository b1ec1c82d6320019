//! A part of a rule's text that knows where it stands, for messages.

use std::ops::Range;

use super::RuleError;

/// A part of a rule.
#[derive(Clone, Debug)]
pub(super) struct Piece<'t> {
    rule: &'t str,
    span: Range<usize>,
}

impl<'t> Piece<'t> {
    /// The whole rule.
    pub(super) fn whole(rule: &'t str) -> Self {
        Self {
            rule,
            span: 0..rule.len(),
        }
        .trimmed()
    }

    /// Its text.
    pub(super) fn text(&self) -> &'t str {
        &self.rule[self.span.clone()]
    }

    /// Its text without the quotes around it.
    pub(super) fn unquoted(&self) -> &'t str {
        let text = self.text();
        let inner = ['"', '\'']
            .iter()
            .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
        inner.unwrap_or(text)
    }

    /// Something is wrong with it.
    pub(super) fn error(&self, expected: impl Into<String>) -> RuleError {
        let found = match self.text() {
            "" => "nothing".to_owned(),
            text => text.to_owned(),
        };
        RuleError::new(self.rule, self.span.clone(), expected, found)
    }

    /// The same, with what to do about it.
    pub(super) fn error_with(
        &self,
        expected: impl Into<String>,
        hint: Option<String>,
    ) -> RuleError {
        self.error(expected).with_hint(hint)
    }

    /// From the beginning of this one to the end of another.
    pub(super) fn up_to(&self, other: &Self) -> Self {
        self.part(self.span.start..other.span.end)
    }

    /// The parts between separators that stand neither in quotes nor in brackets, without the spaces around them.
    pub(super) fn split(&self, separators: &[char]) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = self.span.start;
        for at in self.places(separators) {
            parts.push(self.part(start..at).trimmed());
            start = at + 1;
        }
        parts.push(self.part(start..self.span.end).trimmed());
        parts
    }

    /// What stands before and behind the first `=` that is neither in quotes nor in brackets.
    pub(super) fn assignment(&self) -> Option<(Self, Self)> {
        let at = *self.places(&['=']).first()?;
        Some((
            self.part(self.span.start..at).trimmed(),
            self.part(at + 1..self.span.end).trimmed(),
        ))
    }

    /// What stands before a bracket at the end, and in it.
    ///
    /// # Errors
    /// A bracket that is not closed, or has something behind it.
    pub(super) fn bracketed(&self) -> Result<(Self, Option<Self>), RuleError> {
        let Some(open) = self.text().find('[') else {
            return Ok((self.clone(), None));
        };
        let open = self.span.start + open;
        if !self.text().ends_with(']') {
            let rest = self.part(open..self.span.end);
            return Err(rest.error("conditions in brackets at the end of the name, [NAME=VALUE]"));
        }
        let inside = self.part(open + 1..self.span.end - 1).trimmed();
        Ok((self.part(self.span.start..open).trimmed(), Some(inside)))
    }

    fn part(&self, span: Range<usize>) -> Self {
        Self {
            rule: self.rule,
            span,
        }
    }

    fn trimmed(self) -> Self {
        let text = self.text();
        let start = self.span.start + (text.len() - text.trim_start().len());
        let end = start + text.trim().len();
        self.part(start..end)
    }

    fn places(&self, separators: &[char]) -> Vec<usize> {
        let (mut quote, mut depth) = (None, 0u32);
        let mut places = Vec::new();
        for (at, letter) in self.text().char_indices() {
            match (letter, quote) {
                (_, Some(open)) if letter == open => quote = None,
                (_, Some(_)) => {}
                ('"' | '\'', None) => quote = Some(letter),
                ('[', None) => depth += 1,
                (']', None) => depth = depth.saturating_sub(1),
                _ if depth == 0 && separators.contains(&letter) => {
                    places.push(self.span.start + at);
                }
                _ => {}
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_and_brackets_separate_nothing() {
        let whole = Piece::whole(" f[a=1,b=2],g: x = \"1:2,3\" ,y='=' ");
        let texts = |parts: Vec<Piece<'static>>| -> Vec<&'static str> {
            parts.iter().map(Piece::text).collect()
        };
        let parts = whole.split(&[':', ',']);
        assert_eq!(
            texts(parts.clone()),
            ["f[a=1,b=2]", "g", "x = \"1:2,3\"", "y='='"]
        );
        let (name, value) = parts[2].assignment().expect("an assignment");
        assert_eq!((name.text(), value.unquoted()), ("x", "1:2,3"));
        let (function, inside) = parts[0].bracketed().expect("brackets");
        assert_eq!(function.text(), "f");
        assert_eq!(
            texts(inside.expect("conditions").split(&[','])),
            ["a=1", "b=2"]
        );
        assert!(parts[0].assignment().is_none());
        assert!(Piece::whole("f[a").bracketed().is_err());
        assert!(Piece::whole("f[a]b").bracketed().is_err());
    }
}
