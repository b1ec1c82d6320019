//! From tokens to a tree. docs/filter.md has the grammar.

use std::ops::Range;

use super::check;
use super::error::FilterError;
use super::field::{ARGUMENT_PREFIX, FIELDS, Field, Sort};
use super::lexer::{Lexer, Token};
use super::literal::Number;
use super::suggest::nearest;
use super::syntax::{Literal, Node, Op, Subject, Test};

/// Brackets and negations that a filter may nest.
const MAX_DEPTH: u32 = 200;

/// What can come next, for whoever offers completions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A test: a field, a function, `not`, `(`.
    Operand,
    /// An operator that goes with the field, or what follows a test.
    Operator(Subject),
    /// A value of the field.
    Value(Subject, Op),
    /// A value of the field or `}`, inside of braces.
    ValueInBraces(Subject),
    /// The `{` of `in`.
    Brace,
    /// `,` or `}`.
    Comma,
    /// `and`, `or`, `)`.
    Connective,
}

/// A filter as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub root: Node,
    pub tests: Vec<Test>,
}

/// Reads a filter.
pub(crate) fn parse(text: &str) -> Result<Parsed, FilterError> {
    let mut parser = Parser::new(text)?;
    let root = parser.any()?;
    match &parser.token {
        Token::End => Ok(Parsed {
            root,
            tests: parser.tests,
        }),
        _ => Err(parser.no_connective()),
    }
}

/// What can come behind a text that is the beginning of a filter.
pub(crate) fn next_after(text: &str) -> Option<Next> {
    let mut parser = Parser::new(text).ok()?;
    let result = parser.any();
    // Where the text ends, the parser stands at the end token, whether it was content with that or not.
    (parser.token == Token::End && parser.is_plain(&result)).then_some(parser.next)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    span: Range<usize>,
    tests: Vec<Test>,
    depth: u32,
    /// What the token may be.
    next: Next,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, FilterError> {
        let mut lexer = Lexer::new(text);
        let (token, span) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            span,
            tests: Vec::new(),
            depth: 0,
            next: Next::Operand,
        })
    }

    /// Whether reading stopped because there was no more text, not because something is wrong with what there is.
    fn is_plain(&self, result: &Result<Node, FilterError>) -> bool {
        let end = self.lexer.text().len();
        result
            .as_ref()
            .map_or_else(|error| error.span().start == end, |_| true)
    }

    /// Goes to the next token, which may be what `next` says.
    fn advance(&mut self, next: Next) -> Result<(Token, Range<usize>), FilterError> {
        let (token, span) = self.lexer.next()?;
        self.next = next;
        Ok((
            std::mem::replace(&mut self.token, token),
            std::mem::replace(&mut self.span, span),
        ))
    }

    fn expected(&self, what: impl Into<String>) -> FilterError {
        FilterError::new(
            self.lexer.text(),
            self.span.clone(),
            what,
            self.token.text(),
        )
    }

    fn any(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.token == Token::Or {
            self.advance(Next::Operand)?;
            nodes.push(self.all()?);
        }
        Ok(single(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.not()?];
        while self.token == Token::And {
            self.advance(Next::Operand)?;
            nodes.push(self.not()?);
        }
        Ok(single(nodes, Node::All))
    }

    fn not(&mut self) -> Result<Node, FilterError> {
        if !matches!(self.token, Token::Not | Token::Open) {
            return self.test();
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.expected(format!("at most {MAX_DEPTH} brackets in each other")));
        }
        let node = if self.token == Token::Not {
            self.advance(Next::Operand)?;
            Node::Not(Box::new(self.not()?))
        } else {
            let (_, open) = self.advance(Next::Operand)?;
            let node = self.any()?;
            self.close(&open)?;
            node
        };
        self.depth -= 1;
        Ok(node)
    }

    fn close(&mut self, open: &Range<usize>) -> Result<(), FilterError> {
        if self.token == Token::Close {
            self.advance(Next::Connective)?;
            return Ok(());
        }
        if self.token == Token::End {
            let hint = format!("the ( at column {} is not closed", self.column(open.start));
            return Err(self.expected("and, or, or )").with_hint(Some(hint)));
        }
        Err(self.no_connective())
    }

    fn column(&self, at: usize) -> usize {
        self.lexer.text()[..at].chars().count() + 1
    }

    /// Something stands behind a whole test that can't.
    fn no_connective(&self) -> FilterError {
        let hint = match &self.token {
            Token::Word(word) => nearest(word, ["and", "or", "in", "contains"])
                .filter(|near| near.len() > 1)
                .map(|near| format!("did you mean {near}?")),
            Token::Close => Some("there is no ( for it".to_owned()),
            Token::Op(_) => Some("an operator compares a field with a value".to_owned()),
            _ => None,
        };
        self.expected("and, or, or the end").with_hint(hint)
    }

    fn test(&mut self) -> Result<Node, FilterError> {
        let (word, span) = match &self.token {
            Token::Word(word) => (word.clone(), self.span.clone()),
            Token::Quoted(_) => {
                let hint = "a text is compared with a field: api == \"cuInit\"".to_owned();
                return Err(self.expected("a field or a function").with_hint(Some(hint)));
            }
            Token::End if self.lexer.text().trim().is_empty() => {
                let hint = "such as: cuMem* and ret != 0".to_owned();
                return Err(self.expected("a filter").with_hint(Some(hint)));
            }
            _ => return Err(self.expected("a field, a function, not, or (")),
        };
        let test = match self.subject(&word, &span) {
            Ok(subject) => {
                self.advance(Next::Operator(subject.clone()))?;
                self.comparison(subject, &span)?
            }
            Err(unknown) => {
                self.advance(Next::Connective)?;
                if matches!(self.token, Token::Op(_)) || word.starts_with(ARGUMENT_PREFIX) {
                    return Err(unknown);
                }
                // A bare word that is no field is a function.
                let literal = literal(word, span);
                check::glob(self.lexer.text(), Subject::Field(Field::Api), literal)?
            }
        };
        self.tests.push(test);
        Ok(Node::Test(self.tests.len() - 1))
    }

    fn subject(&self, word: &str, span: &Range<usize>) -> Result<Subject, FilterError> {
        if let Some(path) = word.strip_prefix(ARGUMENT_PREFIX) {
            return check::argument(self.lexer.text(), path, span);
        }
        Field::named(word).map(Subject::Field).ok_or_else(|| {
            let known = FIELDS.iter().map(|info| info.name);
            let hint = nearest(word, known).map_or_else(
                || "fields are ".to_owned() + &field_list(),
                |near| format!("did you mean {near}?"),
            );
            FilterError::new(self.lexer.text(), span.clone(), "a field", word).with_hint(Some(hint))
        })
    }

    /// What comes behind a field.
    fn comparison(&mut self, subject: Subject, span: &Range<usize>) -> Result<Test, FilterError> {
        let text = self.lexer.text();
        let Token::Op(op) = self.token else {
            return check::alone(text, subject, span);
        };
        check::operator(text, &subject, op, &self.span)?;
        if op == Op::Regex {
            let (token, span) = self.lexer.next_regex()?;
            (self.token, self.span) = (token, span);
            self.next = Next::Value(subject.clone(), op);
        } else if op == Op::In {
            self.advance(Next::Brace)?;
            return self.in_braces(subject);
        } else {
            self.advance(Next::Value(subject.clone(), op))?;
        }
        let value = self.value(&subject, op, Next::Connective)?;
        check::comparison(text, subject, op, value)
    }

    fn in_braces(&mut self, subject: Subject) -> Result<Test, FilterError> {
        if self.token != Token::OpenBrace {
            let hint = "such as: ret in {3, 100}".to_owned();
            return Err(self.expected("{").with_hint(Some(hint)));
        }
        let inside = Next::ValueInBraces(subject.clone());
        self.advance(inside.clone())?;
        let mut values = Vec::new();
        while self.token != Token::CloseBrace {
            values.push(self.value(&subject, Op::In, Next::Comma)?);
            match self.token {
                Token::Comma => {
                    self.advance(inside.clone())?;
                }
                Token::CloseBrace => {}
                _ => return Err(self.expected(", or }")),
            }
        }
        if values.is_empty() {
            return Err(self.expected("at least one value"));
        }
        self.advance(Next::Connective)?;
        check::set(self.lexer.text(), subject, values)
    }

    /// Takes a value; what comes behind it may be `next`.
    fn value(&mut self, subject: &Subject, op: Op, next: Next) -> Result<Literal, FilterError> {
        match &self.token {
            Token::Word(_) | Token::Quoted(_) => {}
            // Where a value must stand, a keyword is just a word: comm == not.
            Token::And | Token::Or | Token::Not | Token::Op(Op::In | Op::Contains)
                if self.lexer.text()[self.span.clone()].starts_with(char::is_alphabetic) => {}
            _ => {
                let what = match op {
                    Op::Glob => "a pattern, such as cuMem*",
                    Op::Regex => "a regular expression, such as ^cuMem.*Async",
                    Op::Contains => "a text",
                    _ => sort_of(subject).value_text(),
                };
                return Err(self.expected(what));
            }
        }
        let (token, span) = self.advance(next)?;
        Ok(match token {
            Token::Quoted(text) => Literal {
                text,
                number: None,
                span,
            },
            other => literal(other.text(), span),
        })
    }
}

fn literal(text: String, span: Range<usize>) -> Literal {
    let number = match text.as_str() {
        "NULL" => Some(Number::whole(0)),
        word => Number::read(word),
    };
    Literal { text, number, span }
}

/// What the values of a subject are.
pub(crate) fn sort_of(subject: &Subject) -> Sort {
    match subject {
        Subject::Field(field) => field.info().sort,
        Subject::Argument(_) => Sort::Any,
    }
}

fn field_list() -> String {
    let names: Vec<&str> = FIELDS.iter().map(|info| info.name).collect();
    names.join(", ") + " and arg.NAME"
}

fn single(mut nodes: Vec<Node>, several: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            several(nodes)
        }
        None => several(nodes),
    }
}
