//! From text to tokens.

use std::ops::Range;

use super::error::FilterError;
use super::syntax::Op;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Letters without a meaning of their own: a field, a glob, a value.
    Word(String),
    /// What stood between quotes.
    Quoted(String),
    /// An operator.
    Op(Op),
    /// `and`, `&&`
    And,
    /// `or`, `||`
    Or,
    /// `not`, `!`
    Not,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `,`
    Comma,
    /// Nothing is left.
    End,
}

impl Token {
    /// As it is called in a message.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Quoted(text) => format!("{text:?}"),
            Self::Op(op) => op.text().to_owned(),
            Self::And => "and".to_owned(),
            Self::Or => "or".to_owned(),
            Self::Not => "not".to_owned(),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::OpenBrace => "{".to_owned(),
            Self::CloseBrace => "}".to_owned(),
            Self::Comma => ",".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Symbols, the longer before those that they begin with.
const SYMBOLS: [(&str, Token); 18] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("==", Token::Op(Op::Equal)),
    ("!=", Token::Op(Op::Differs)),
    ("=~", Token::Op(Op::Regex)),
    ("<=", Token::Op(Op::AtMost)),
    (">=", Token::Op(Op::AtLeast)),
    ("<", Token::Op(Op::Less)),
    (">", Token::Op(Op::Greater)),
    ("~", Token::Op(Op::Glob)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    ("{", Token::OpenBrace),
    ("}", Token::CloseBrace),
    (",", Token::Comma),
    ("\u{2264}", Token::Op(Op::AtMost)),
    ("\u{2265}", Token::Op(Op::AtLeast)),
];

/// Words with a meaning of their own.
const KEYWORDS: [(&str, Token); 5] = [
    ("and", Token::And),
    ("or", Token::Or),
    ("not", Token::Not),
    ("in", Token::Op(Op::In)),
    ("contains", Token::Op(Op::Contains)),
];

/// Letters that end a word. A `!` may stand inside of one, as in `cu[!a-z]*`.
const NOT_IN_WORDS: [char; 16] = [
    '(', ')', '{', '}', ',', '<', '>', '=', '~', '"', '\'', '&', '|', '!', '\u{2264}', '\u{2265}',
];

/// Splits a filter into tokens.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The whole filter.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token and where it stands.
    pub(crate) fn next(&mut self) -> Result<(Token, Range<usize>), FilterError> {
        let rest = self.skip_space();
        let start = self.at;
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, start..start));
        };
        if matches!(first, '"' | '\'') {
            return self.quoted(first);
        }
        if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
            self.at += symbol.len();
            return Ok((token.clone(), start..self.at));
        }
        let mut before = first;
        let ends_word = |letter: char| {
            let in_class = letter == '!' && before == '[';
            before = letter;
            letter.is_whitespace() || (NOT_IN_WORDS.contains(&letter) && !in_class)
        };
        let end = rest.find(ends_word).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.stray(first));
        }
        self.at += end;
        let word = &rest[..end];
        let keyword = KEYWORDS.iter().find(|(keyword, _)| *keyword == word);
        let token =
            keyword.map_or_else(|| Token::Word(word.to_owned()), |(_, token)| token.clone());
        Ok((token, start..self.at))
    }

    /// A regular expression: up to the next space, or to a `)` that it did not open.
    pub(crate) fn next_regex(&mut self) -> Result<(Token, Range<usize>), FilterError> {
        let rest = self.skip_space();
        let start = self.at;
        if rest.is_empty() || rest.starts_with(['"', '\'']) {
            return self.next();
        }
        let (mut open, mut escaped) = (0u32, false);
        let ends = |letter: char| {
            let ends = letter.is_whitespace() || (letter == ')' && open == 0 && !escaped);
            match letter {
                '(' if !escaped => open += 1,
                ')' if !escaped => open = open.saturating_sub(1),
                _ => {}
            }
            escaped = letter == '\\' && !escaped;
            ends
        };
        let end = rest.find(ends).unwrap_or(rest.len());
        if end == 0 {
            return self.next();
        }
        self.at += end;
        Ok((Token::Word(rest[..end].to_owned()), start..self.at))
    }

    fn skip_space(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    /// `\"` and `\\` stand for the letters behind the stroke; any other stroke is itself, so that `"\d+"` is a regular expression.
    fn quoted(&mut self, quote: char) -> Result<(Token, Range<usize>), FilterError> {
        let start = self.at;
        let mut content = String::new();
        let mut letters = self.text[start + 1..].char_indices();
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                self.at = start + 1 + at + 1;
                return Ok((Token::Quoted(content), start..self.at));
            }
            let mut ahead = letters.clone();
            match ahead.next() {
                Some((_, next)) if letter == '\\' && (next == quote || next == '\\') => {
                    content.push(next);
                    letters = ahead;
                }
                _ => content.push(letter),
            }
        }
        Err(FilterError::new(
            self.text,
            start..self.text.len(),
            format!("a second {quote}"),
            "the end",
        ))
    }

    fn stray(&self, letter: char) -> FilterError {
        let at = self.at..self.at + letter.len_utf8();
        let hint = match letter {
            '=' => Some("did you mean ==?"),
            '&' => Some("did you mean && or and?"),
            '|' => Some("did you mean || or or?"),
            _ => None,
        };
        FilterError::new(self.text, at, "a field, an operator or a value", letter)
            .with_hint(hint.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            match lexer.next().expect("tokens").0 {
                Token::End => return tokens,
                token => tokens.push(token),
            }
        }
    }

    fn word(text: &str) -> Token {
        Token::Word(text.to_owned())
    }

    #[test]
    fn symbols_need_no_space_and_words_take_what_names_have() {
        assert_eq!(
            tokens("!(ret!=3&&obj==dptr#7+0x40)"),
            [
                Token::Not,
                Token::Open,
                word("ret"),
                Token::Op(Op::Differs),
                word("3"),
                Token::And,
                word("obj"),
                Token::Op(Op::Equal),
                word("dptr#7+0x40"),
                Token::Close,
            ]
        );
        assert_eq!(
            tokens("api in {cu[!a-z]*,cuInit}"),
            [
                word("api"),
                Token::Op(Op::In),
                Token::OpenBrace,
                word("cu[!a-z]*"),
                Token::Comma,
                word("cuInit"),
                Token::CloseBrace,
            ]
        );
        assert_eq!(
            tokens(r#"comm == "a \"b\" \d" or 'x'"#)[2..],
            [
                Token::Quoted(r#"a "b" \d"#.to_owned()),
                Token::Or,
                Token::Quoted("x".to_owned())
            ]
        );
    }

    #[test]
    fn a_regular_expression_keeps_its_signs() {
        let mut lexer = Lexer::new(r"(api =~ ^cu(Mem|Ctx)\)x{2}$) and x");
        let mut read = |regex: bool| {
            let token = if regex {
                lexer.next_regex()
            } else {
                lexer.next()
            };
            token.expect("a token").0
        };
        (0..3).for_each(|_| {
            read(false);
        });
        assert_eq!(read(true), word(r"^cu(Mem|Ctx)\)x{2}$"));
        assert_eq!(read(false), Token::Close);
        assert_eq!(read(false), Token::And);
    }
}
