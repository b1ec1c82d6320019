//! Patterns of text: globs and regular expressions.

use regex_lite::{Regex, RegexBuilder};

/// Memory that a compiled regular expression may take.
const REGEX_BYTES: usize = 1 << 20;

/// A pattern.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// The whole text, with `*`, `?` and `[a-z]`; as written, and its parts.
    Glob(String, Vec<Piece>),
    /// Some part of the text. regex-lite: a pattern is tried once for each name that calls have in common, so that the speed of the big
    /// engine would buy nothing for ten times the code; both take linear time, whatever the pattern.
    Regex(Regex),
}

/// A part of a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Itself.
    Letter(char),
    /// `?`
    AnyLetter,
    /// `*`
    AnyText,
    /// `[a-z_]`, or `[!a-z_]` if the first is true.
    Class(bool, Vec<(char, char)>),
}

impl Pattern {
    /// A glob.
    ///
    /// # Errors
    /// A bracket that is not closed.
    pub(crate) fn glob(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let piece = match letter {
                '*' => Piece::AnyText,
                '?' => Piece::AnyLetter,
                '[' => {
                    let rest = letters.as_str();
                    let (class, rest) = read_class(rest)
                        .ok_or_else(|| "a ] for the [ of the pattern".to_owned())?;
                    letters = rest.chars();
                    class
                }
                letter => Piece::Letter(letter),
            };
            pieces.push(piece);
        }
        Ok(Self::Glob(text.to_owned(), pieces))
    }

    /// A regular expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn regex(text: &str) -> Result<Self, String> {
        RegexBuilder::new(text)
            .size_limit(REGEX_BYTES)
            .build()
            .map(Self::Regex)
            .map_err(|error| error.to_string())
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Glob(text, _) => text,
            Self::Regex(regex) => regex.as_str(),
        }
    }

    /// Whether a text is as the pattern says.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Glob(_, pieces) => glob_matches(pieces, text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Whether a word has letters that mean something in a glob.
pub(crate) fn is_glob(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// What comes after `[`: the class and the text behind its `]`. A `]` right at the beginning is one of the letters.
fn read_class(text: &str) -> Option<(Piece, &str)> {
    let (negated, text) = match text.strip_prefix('!').or_else(|| text.strip_prefix('^')) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let first = text.chars().next()?.len_utf8();
    let end = first + text[first..].find(']')?;
    let mut ranges = Vec::new();
    let mut letters = text[..end].chars().peekable();
    while let Some(from) = letters.next() {
        let mut ahead = letters.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) => {
                letters = ahead;
                to
            }
            _ => from,
        };
        ranges.push((from, to));
    }
    Some((Piece::Class(negated, ranges), &text[end + 1..]))
}

/// Goes through both once, and after a mismatch back to the last star only: never more than their lengths' product.
fn glob_matches(pieces: &[Piece], text: &str) -> bool {
    let (mut piece, mut rest) = (0, text.chars());
    let mut star: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let mut ahead = rest.clone();
        let letter = ahead.next();
        match (pieces.get(piece), letter) {
            (Some(Piece::AnyText), _) => {
                piece += 1;
                star = Some((piece, rest.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(letter)) if piece_matches(wanted, letter) => {
                piece += 1;
                rest = ahead;
                continue;
            }
            _ => {}
        }
        let Some((behind_star, taken)) = &mut star else {
            return false;
        };
        if taken.next().is_none() {
            return false;
        }
        (piece, rest) = (*behind_star, taken.clone());
    }
}

fn piece_matches(piece: &Piece, letter: char) -> bool {
    match piece {
        Piece::Letter(wanted) => *wanted == letter,
        Piece::AnyLetter | Piece::AnyText => true,
        Piece::Class(negated, ranges) => {
            let inside = ranges
                .iter()
                .any(|&(from, to)| (from..=to).contains(&letter));
            inside != *negated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        Pattern::glob(pattern).expect("a glob").matches(text)
    }

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text) in [
            ("cuMem*", "cuMemAlloc_v2"),
            ("cuMem*", "cuMem"),
            ("*Async*", "cuMemcpyAsync_ptsz"),
            ("cu???nit", "cuXyZnit"),
            ("cu[A-Z]nit", "cuInit"),
            ("cu[!a-z]nit", "cuInit"),
            ("*a*b*c", "xxaybzabc"),
            ("[]x]", "]"),
            ("\u{e4}?", "\u{e4}\u{f6}"),
            ("", ""),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("cuMem", "cuMemAlloc"),
            ("Mem*", "cuMem"),
            ("cu?nit", "cunit"),
            ("*a*b", "ba"),
            ("", "x"),
        ] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
        assert!(Pattern::glob("cu[abc").is_err());
    }

    #[test]
    fn a_glob_of_many_stars_takes_no_exponential_time() {
        assert!(!glob(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!glob(&format!("{}b", "*a".repeat(100)), &"a".repeat(4000)));
    }
}
