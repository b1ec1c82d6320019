//! A TOML text whose values know their line, so that every complaint can name it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ProfileError;
use super::error::suggestion;

/// Where a text comes from, for messages.
pub struct Source<'a> {
    /// A path, or a shipped profile's name.
    pub path: &'a str,
    /// The whole text.
    pub text: &'a str,
}

impl Source<'_> {
    /// A complaint about the text at that place.
    pub fn complain(&self, at: Range<usize>, what: impl Into<String>) -> ProfileError {
        let line = 1 + self.text.as_bytes()[..at.start.min(self.text.len())]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        ProfileError::Invalid {
            path: self.path.to_owned(),
            line,
            what: what.into(),
        }
    }

    /// The parsed text.
    pub fn parse(&self) -> Result<Spanned<DeTable<'_>>, ProfileError> {
        DeTable::parse(self.text).map_err(|error| {
            let end = self.text.len();
            self.complain(
                error.span().unwrap_or(end..end),
                format!("not TOML: {}", error.message().trim_end()),
            )
        })
    }
}

/// A value with where it stands and what it belongs to.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    source: &'a Source<'a>,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

/// The keys of a table.
pub struct Keys<'a> {
    source: &'a Source<'a>,
    table: &'a DeTable<'a>,
}

impl<'a> Keys<'a> {
    /// The keys of the whole document.
    pub fn new(source: &'a Source<'a>, table: &'a DeTable<'a>) -> Self {
        Self { source, table }
    }

    /// Every key with its value, after a check that no key is outside `known`.
    pub fn checked(&self, known: &[&str]) -> Result<Vec<Item<'a>>, ProfileError> {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let hint = suggestion(name, known.iter().copied());
                let what = format!(
                    "unknown key `{name}`: expected one of {}{hint}",
                    known.join(", ")
                );
                return Err(self.source.complain(key.span(), what));
            }
        }
        Ok(self.all())
    }

    /// Every key with its value, whatever the keys are.
    pub fn all(&self) -> Vec<Item<'a>> {
        self.table
            .iter()
            .map(|(key, value)| Item {
                source: self.source,
                key: key.get_ref(),
                value,
            })
            .collect()
    }
}

impl<'a> Item<'a> {
    /// The key.
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// A complaint about this value.
    pub fn complain(&self, what: impl Into<String>) -> ProfileError {
        self.source.complain(self.value.span(), what)
    }

    /// A complaint that says what was expected; what was found is added.
    pub fn expected(&self, what: &str) -> ProfileError {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("\"{text}\""),
            DeValue::Integer(number) => format!("the number {}", number.as_str()),
            other => format!("a value of type {}", other.type_str()),
        };
        self.complain(format!("`{}`: expected {what}, found {found}", self.key))
    }

    /// A string.
    pub fn text(&self, what: &str) -> Result<&'a str, ProfileError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.expected(what)),
        }
    }

    /// A string or a number, as text.
    pub fn text_or_number(&self, what: &str) -> Result<String, ProfileError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(_) => Ok(self.integer(what)?.to_string()),
            _ => Err(self.expected(what)),
        }
    }

    /// A whole number.
    pub fn integer(&self, what: &str) -> Result<i128, ProfileError> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            return Err(self.expected(what));
        };
        i128::from_str_radix(number.as_str(), number.radix()).map_err(|_| self.expected(what))
    }

    /// A whole number that fits the wanted type.
    pub fn number<T: TryFrom<i128>>(&self, what: &str) -> Result<T, ProfileError> {
        T::try_from(self.integer(what)?).map_err(|_| self.expected(what))
    }

    /// Bytes: a number, or text like `80 GiB`.
    pub fn bytes(&self) -> Result<u64, ProfileError> {
        const WHAT: &str = "bytes, or a size such as \"80 GiB\"";
        match self.value.get_ref() {
            DeValue::String(text) => size(text).ok_or_else(|| self.expected(WHAT)),
            _ => self.number(WHAT),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Result<bool, ProfileError> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.expected("true or false")),
        }
    }

    /// The values of an array, or the value itself.
    pub fn one_or_many(&self) -> Vec<Self> {
        match self.value.get_ref() {
            DeValue::Array(values) => values.iter().map(|value| Item { value, ..*self }).collect(),
            _ => vec![*self],
        }
    }

    /// The keys of a table value.
    pub fn table(&self) -> Result<Keys<'a>, ProfileError> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(Keys {
                source: self.source,
                table,
            }),
            _ => Err(self.expected("a table")),
        }
    }

    /// The tables of an array of tables, each with its own place.
    pub fn tables(&self) -> Result<Vec<Item<'a>>, ProfileError> {
        match self.value.get_ref() {
            DeValue::Array(values) => {
                Ok(values.iter().map(|value| Item { value, ..*self }).collect())
            }
            _ => Err(self.expected(&format!("an array of tables (`[[{}]]`)", self.key))),
        }
    }
}

/// `80 GiB`, `512MiB`, `4096`: a whole number and a binary multiple.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_whole_numbers_of_binary_multiples() {
        assert_eq!(size("80 GiB"), Some(85_899_345_920));
        assert_eq!(size("512MiB"), Some(512 << 20));
        assert_eq!(size("4096"), Some(4096));
        for wrong in ["", "GiB", "80 GB", "1.5 GiB", "99999999999 TiB", "-1"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }
}
