//! From the text of a policy file to its entries.

use cutape_call_choice::pattern::fits;
use std::fmt;

use chrono::NaiveDate;
use cutape_analysis::suggestion::suggestion;
use cutape_cuda_api::{Api, TypeKind};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::value::Datetime;

use super::entry::Entry;
use super::error::PolicyError;
use crate::skip::SkipReason;
use crate::verdict::Verdict;

/// The types whose values are codes.
const CODE_TYPES: [&str; 2] = ["CUresult", "nvmlReturn_t"];
/// What codes' names begin with, and what may be left out.
const CODE_PREFIXES: [&str; 3] = ["CUDA_ERROR_", "CUDA_", "NVML_ERROR_"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expect: Vec<Spanned<Written>>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    function: Spanned<Words>,
    verdict: Option<Spanned<Words>>,
    skipped: Option<Spanned<Words>>,
    recorded: Option<Spanned<CodeWord>>,
    replayed: Option<Spanned<CodeWord>>,
    argument: Option<Spanned<Words>>,
    reason: Spanned<String>,
    until: Option<Spanned<Datetime>>,
}

/// One text or a list of texts.
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Words;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text, or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = texts.next_element()? {
                    words.push(word);
                }
                Ok(Words(words))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// A code by number or by name.
enum CodeWord {
    Number(i64),
    Name(String),
}

impl<'de> Deserialize<'de> for CodeWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrName;
        impl Visitor<'_> for NumberOrName {
            type Value = CodeWord;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a code's number or name")
            }

            fn visit_i64<E>(self, number: i64) -> Result<CodeWord, E> {
                Ok(CodeWord::Number(number))
            }

            fn visit_str<E>(self, name: &str) -> Result<CodeWord, E> {
                Ok(CodeWord::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(NumberOrName)
    }
}

/// The entries of a policy file.
pub fn entries(path: &str, text: &str) -> Result<Vec<Entry>, PolicyError> {
    let reader = Reader { path, text };
    // Two steps, so that what is no TOML and what is no policy are told apart.
    toml::de::DeTable::parse(text).map_err(|error| {
        reader.complain(
            &error.span().unwrap_or(text.len()..text.len()),
            format!("not TOML: {}", error.message().trim_end()),
        )
    })?;
    let file: File = toml::from_str(text).map_err(|error| {
        reader.complain(
            &error.span().unwrap_or(0..0),
            error.message().trim_end().to_owned(),
        )
    })?;
    file.expect
        .iter()
        .map(|written| reader.entry(written))
        .collect()
}

type Span = std::ops::Range<usize>;

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }

    fn complain(&self, span: &Span, what: String) -> PolicyError {
        PolicyError::Invalid {
            path: self.path.to_owned(),
            line: self.line(span.start),
            what,
        }
    }

    fn entry(&self, written: &Spanned<Written>) -> Result<Entry, PolicyError> {
        let line = self.line(written.span().start);
        let written = written.get_ref();
        let reason = written.reason.get_ref().trim();
        if reason.is_empty() {
            return Err(self.complain(
                &written.reason.span(),
                "`reason`: expected why this is all right, found nothing".to_owned(),
            ));
        }
        Ok(Entry {
            line,
            functions: self.functions(&written.function)?,
            verdicts: self.names(&written.verdict, "verdict", &expectable())?,
            skipped: self.names(
                &written.skipped,
                "skipped",
                &named(SkipReason::ALL, SkipReason::name),
            )?,
            recorded: self.code(&written.recorded, "recorded")?,
            replayed: self.code(&written.replayed, "replayed")?,
            arguments: written
                .argument
                .as_ref()
                .map(|words| words.get_ref().0.clone()),
            reason: reason.to_owned(),
            until: self.until(&written.until)?,
            matched: 0,
        })
    }

    fn functions(&self, written: &Spanned<Words>) -> Result<Vec<String>, PolicyError> {
        let known = Api::get().functions();
        for word in &written.get_ref().0 {
            let is_known = known.iter().any(|function| fits(word, &function.name));
            if !is_known {
                let names = known.iter().map(|function| function.name.as_str());
                return Err(self.complain(
                    &written.span(),
                    format!(
                        "`function`: expected the exported name of a function, or a pattern with `*` that fits one, found \"{word}\"{}",
                        suggestion(word, names)
                    ),
                ));
            }
        }
        Ok(written.get_ref().0.clone())
    }

    fn names<T: Copy>(
        &self,
        written: &Option<Spanned<Words>>,
        key: &str,
        known: &[(&'static str, T)],
    ) -> Result<Vec<T>, PolicyError> {
        let Some(written) = written else {
            return Ok(Vec::new());
        };
        let named = |word: &String| {
            let found = known.iter().find(|(name, _)| name == word);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let names = known.iter().map(|(name, _)| *name);
                let all = names.clone().collect::<Vec<_>>().join(", ");
                self.complain(
                    &written.span(),
                    format!(
                        "`{key}`: expected one of {all}, found \"{word}\"{}",
                        suggestion(word, names)
                    ),
                )
            })
        };
        written.get_ref().0.iter().map(named).collect()
    }

    fn code(
        &self,
        written: &Option<Spanned<CodeWord>>,
        key: &str,
    ) -> Result<Option<u32>, PolicyError> {
        let Some(written) = written else {
            return Ok(None);
        };
        match written.get_ref() {
            CodeWord::Number(number) => u32::try_from(*number).map(Some).map_err(|_| {
                self.complain(
                    &written.span(),
                    format!("`{key}`: expected the number of a code, found {number}"),
                )
            }),
            CodeWord::Name(name) => code_named(name).map(Some).ok_or_else(|| {
                self.complain(
                    &written.span(),
                    format!(
                        "`{key}`: expected the name of a code such as CUDA_ERROR_NOT_INITIALIZED, found \"{name}\"{}",
                        suggestion(name, codes().flat_map(|(name, _)| ways_to_write(name)))
                    ),
                )
            }),
        }
    }

    fn until(&self, written: &Option<Spanned<Datetime>>) -> Result<Option<NaiveDate>, PolicyError> {
        let Some(written) = written else {
            return Ok(None);
        };
        let found = written.get_ref();
        let date = found
            .date
            .filter(|_| found.time.is_none() && found.offset.is_none())
            .and_then(|date| {
                NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
            });
        match date {
            Some(date) => Ok(Some(date)),
            None => Err(self.complain(
                &written.span(),
                format!("`until`: expected a date such as 2026-12-31, found {found}"),
            )),
        }
    }
}

/// What may be expected: all but that a call answered the same.
fn expectable() -> Vec<(&'static str, Verdict)> {
    let mut verdicts = named(Verdict::ALL, Verdict::name);
    verdicts.retain(|(_, verdict)| *verdict != Verdict::Same);
    verdicts
}

/// Values with their names.
fn named<T: Copy, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> Vec<(&'static str, T)> {
    values
        .into_iter()
        .map(|value| (name(value), value))
        .collect()
}

/// Codes of both libraries, by name.
fn codes() -> impl Iterator<Item = (&'static str, i64)> {
    CODE_TYPES
        .iter()
        .filter_map(|name| Api::get().type_def(name))
        .flat_map(|definition| match &definition.kind {
            TypeKind::Enum { values, .. } => values.as_slice(),
            _ => &[],
        })
        .map(|(name, value)| (name.as_str(), *value))
}

/// A code's name, and what is left of it without what all names begin with.
fn ways_to_write(name: &str) -> impl Iterator<Item = &str> {
    let short = CODE_PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    [name].into_iter().chain(short)
}

/// The code of that name, in either way.
fn code_named(name: &str) -> Option<u32> {
    let (_, value) = codes().find(|(known, _)| ways_to_write(known).any(|way| way == name))?;
    u32::try_from(value).ok()
}
