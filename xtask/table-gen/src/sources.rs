//! `cuda-api/table/sources.api`: what the generator has to be told before it reads the headers. One line each:
//!
//! ```text
//! flags NAME PREFIX...      an enumeration of bits, made from the macros with these prefixes
//! enum NAME PREFIX...       the same for plain values
//! bits NAME...              enumerations of the headers whose values are combined with `|`
//! handle NAME...            integer types that stand for an object of the driver
//! version NAME VERSION      the version that introduced a function, where no header says
//! ```

use crate::error::GenError;
use cutape_api_model::TableError;
use std::collections::{BTreeMap, BTreeSet};

/// The file, read.
#[derive(Debug, Default)]
pub struct Sources {
    /// Enumerations to make from macros.
    pub macro_enums: Vec<MacroEnum>,
    /// Enumerations of bits.
    pub bits: BTreeSet<String>,
    /// Integer types that are handles.
    pub handles: BTreeSet<String>,
    /// `since` by function name.
    pub versions: BTreeMap<String, u32>,
}

/// An enumeration made from macros.
#[derive(Debug)]
pub struct MacroEnum {
    /// The name it gets; not in any header.
    pub name: String,
    /// Which macros belong to it: all with one of these prefixes, or the whole name after `=`; `-` excludes a prefix.
    prefixes: Vec<String>,
    /// Whether values are combined.
    pub flags: bool,
}

impl MacroEnum {
    /// Whether a macro of that name belongs to it.
    pub fn takes(&self, name: &str) -> bool {
        let matches = |prefix: &str| match prefix.strip_prefix('=') {
            Some(whole) => name == whole,
            None => name.starts_with(prefix),
        };
        let excluded = self
            .prefixes
            .iter()
            .filter_map(|prefix| prefix.strip_prefix('-'))
            .any(matches);
        !excluded
            && self
                .prefixes
                .iter()
                .filter(|prefix| !prefix.starts_with('-'))
                .any(|prefix| matches(prefix))
    }
}

impl Sources {
    /// Reads the file's text; `file` is for messages.
    ///
    /// # Errors
    /// The first line that doesn't follow the grammar.
    pub fn parse(file: &str, text: &str) -> Result<Self, GenError> {
        let mut sources = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("");
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let error =
                |expected: &str| TableError::new(file, index + 1, expected, format!("`{line}`"));
            match words.as_slice() {
                [] => {}
                [keyword @ ("flags" | "enum"), name, prefixes @ ..] if !prefixes.is_empty() => {
                    sources.macro_enums.push(MacroEnum {
                        name: (*name).to_owned(),
                        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
                        flags: *keyword == "flags",
                    })
                }
                ["bits", names @ ..] => sources
                    .bits
                    .extend(names.iter().map(|name| (*name).to_owned())),
                ["handle", names @ ..] => sources
                    .handles
                    .extend(names.iter().map(|name| (*name).to_owned())),
                ["version", name, version] => {
                    let version = version.parse().map_err(|_| {
                        error("`version NAME VERSION` with a version such as 12090")
                    })?;
                    sources.versions.insert((*name).to_owned(), version);
                }
                _ => {
                    return Err(error(
                        "`flags`, `enum`, `bits`, `handle` or `version` with their names",
                    )
                    .into());
                }
            }
        }
        Ok(sources)
    }
}
