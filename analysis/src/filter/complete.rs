//! What can be typed next.

use std::collections::BTreeSet;
use std::ops::Range;

use cutape_cuda_api::{Api, TypeKind};
use cutape_trace_format::trace::Trace;

use super::arguments::{self, Leaf};
use super::check::CODE_TYPES;
use super::field::{ARGUMENT_PREFIX, FIELDS, Field, Sort};
use super::parser::{Next, next_after, sort_of};
use super::syntax::Subject;

/// Something that can stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// What to write.
    pub text: String,
    /// What it is, in a few words; may be empty.
    pub what: String,
}

/// What can stand at a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// Bytes of the text that a candidate replaces: the word before the cursor.
    pub replaces: Range<usize>,
    /// Those that go on from what is there, best first.
    pub candidates: Vec<Candidate>,
}

/// What can stand at byte `cursor` of a filter that is being typed. Names come from a trace, where there is one.
pub fn complete(text: &str, cursor: usize, trace: Option<&Trace>) -> Completions {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let before = &text[..cursor];
    let ends_word = |letter: char| letter.is_whitespace() || "(){},<>=!~&|\"'".contains(letter);
    let start = before
        .char_indices()
        .rev()
        .find(|&(_, letter)| ends_word(letter))
        .map_or(0, |(at, letter)| at + letter.len_utf8());
    let Some(next) = next_after(&before[..start]) else {
        return Completions {
            replaces: start..cursor,
            candidates: Vec::new(),
        };
    };
    let word = before[start..].to_lowercase();
    let mut candidates = candidates(&next, &before[start..], trace);
    candidates.retain(|candidate| candidate.text.to_lowercase().contains(&word));
    // What begins with the word comes before what has it in the middle.
    candidates.sort_by_key(|candidate| !candidate.text.to_lowercase().starts_with(&word));
    candidates.retain(|candidate| candidate.text != before[start..]);
    Completions {
        replaces: start..cursor,
        candidates,
    }
}

fn candidates(next: &Next, word: &str, trace: Option<&Trace>) -> Vec<Candidate> {
    match next {
        Next::Operand if word.starts_with(ARGUMENT_PREFIX) => argument_names(word),
        Next::Operand => {
            let mut candidates: Vec<_> = FIELDS
                .iter()
                .map(|info| plain(info.name, info.what))
                .collect();
            candidates.push(plain(ARGUMENT_PREFIX, "an argument by its name"));
            candidates.push(plain("not", "the opposite"));
            candidates.extend(functions(trace));
            candidates
        }
        Next::Operator(subject) => {
            let operators = sort_of(subject).operators().iter();
            let mut candidates: Vec<_> = operators.map(|op| plain(op.text(), "")).collect();
            candidates.extend(connectives());
            candidates
        }
        Next::Value(subject, _) => values(subject, trace),
        Next::ValueInBraces(subject) => {
            let mut candidates = values(subject, trace);
            candidates.push(plain("}", ""));
            candidates
        }
        Next::Brace => vec![plain("{", "")],
        Next::Comma => vec![plain(",", ""), plain("}", "")],
        Next::Connective => connectives(),
    }
}

fn plain(text: &str, what: &str) -> Candidate {
    Candidate {
        text: text.to_owned(),
        what: what.to_owned(),
    }
}

fn connectives() -> Vec<Candidate> {
    vec![
        plain("and", "both"),
        plain("or", "at least one"),
        plain(")", ""),
    ]
}

/// `arg.prop.loc` goes on with the fields of `arg.prop`.
fn argument_names(word: &str) -> Vec<Candidate> {
    let path: Vec<String> = word[ARGUMENT_PREFIX.len()..]
        .split('.')
        .map(str::to_owned)
        .collect();
    let above = &path[..path.len() - 1];
    let names = arguments::names_below(Api::get(), above).into_iter();
    let prefix = above
        .iter()
        .fold(ARGUMENT_PREFIX.to_owned(), |text, name| text + name + ".");
    names
        .filter(|name| !name.is_empty())
        .map(|name| plain(&format!("{prefix}{name}"), ""))
        .collect()
}

fn functions(trace: Option<&Trace>) -> Vec<Candidate> {
    let all = match trace {
        Some(trace) => trace.schema().functions(),
        None => Api::get().functions(),
    };
    let names: BTreeSet<&str> = all.iter().map(|function| function.name.as_str()).collect();
    names.into_iter().map(|name| plain(name, "")).collect()
}

fn values(subject: &Subject, trace: Option<&Trace>) -> Vec<Candidate> {
    let field = match subject {
        Subject::Field(field) => *field,
        Subject::Argument(path) => return value_names(path),
    };
    match field {
        Field::Api => functions(trace),
        Field::Family => {
            let all = match trace {
                Some(trace) => trace.schema().functions(),
                None => Api::get().functions(),
            };
            distinct(all.iter().map(|function| function.family.clone()))
        }
        Field::Ret => {
            let enums = CODE_TYPES
                .iter()
                .filter_map(|name| Api::get().type_def(name));
            let names = enums.flat_map(|definition| match &definition.kind {
                TypeKind::Enum { values, .. } => values.as_slice(),
                _ => &[],
            });
            names
                .map(|(name, value)| plain(name, &value.to_string()))
                .collect()
        }
        Field::Pid => {
            let processes = trace.map_or(&[][..], Trace::processes).iter();
            distinct(processes.map(|entry| entry.process.pid.to_string()))
        }
        Field::Tid => {
            let threads = trace.map_or(&[][..], Trace::threads).iter();
            distinct(threads.map(|thread| thread.tid.to_string()))
        }
        Field::Comm => {
            let threads = trace.map_or(&[][..], Trace::threads).iter();
            distinct(threads.map(|thread| quoted_if_needed(&thread.name)))
        }
        Field::Caller => {
            let processes = trace.map_or(&[][..], Trace::processes).iter();
            let maps = processes.flat_map(|process| &process.libraries);
            let libraries = maps.flat_map(|map| &map.libraries);
            let file = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
            distinct(libraries.map(|library| quoted_if_needed(&file(&library.path))))
        }
        _ if field.info().sort == Sort::Truth => vec![plain("true", ""), plain("false", "")],
        _ => Vec::new(),
    }
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<Candidate> {
    let names: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
    names.iter().map(|name| plain(name, "")).collect()
}

fn quoted_if_needed(name: &str) -> String {
    let is_word = |letter: char| letter.is_alphanumeric() || "_-.+/:#".contains(letter);
    if !name.is_empty() && name.chars().all(is_word) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Names that values of an argument have, in all functions with an argument of that name.
fn value_names(path: &[String]) -> Vec<Candidate> {
    let mut names = BTreeSet::new();
    for leaf in arguments::leaves(Api::get(), path) {
        if let Leaf::Enum(values) = leaf {
            names.extend(values.iter().map(|(name, value)| (name.as_str(), *value)));
        }
    }
    names
        .into_iter()
        .map(|(name, value)| plain(name, &value.to_string()))
        .collect()
}
