//! Reads the dynamic symbols of NVIDIA's libraries, and keeps them in `cuda-api/table/exports.api`: names that libraries export and no
//! header declares can't be had from headers, and whoever regenerates the table may not have the libraries.
//!
//! ```text
//! library cuda 535.261.03
//! NAME            a function
//! NAME BYTES      a data object
//! ```

use crate::error::GenError;
use cutape_api_model::TableError;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _, SymbolKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Symbols that one library file exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// Function names.
    pub functions: BTreeSet<String>,
    /// Data symbols with their sizes in bytes.
    pub objects: BTreeMap<String, u32>,
}

/// Exports by `(library, release)`: `("cuda", "535.261.03")`.
pub type ExportLists = BTreeMap<(String, String), Exports>;

/// Reads the dynamic symbol table of a library.
///
/// # Errors
/// The file can't be read, or isn't a 64-bit ELF library.
pub fn read_library(path: &Path) -> Result<Exports, GenError> {
    let data = fs::read(path).map_err(GenError::io(path))?;
    let not_elf = |message: String| GenError::Library {
        path: path.to_owned(),
        message,
    };
    let file = ElfFile64::<Endianness>::parse(data.as_slice())
        .map_err(|error| not_elf(error.to_string()))?;
    if file.elf_header().e_type(file.endian()) != object::elf::ET_DYN {
        return Err(not_elf("another kind of ELF file".to_owned()));
    }
    let mut exports = Exports::default();
    for symbol in file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && !symbol.is_local())
    {
        let Ok(name) = symbol.name() else { continue };
        match symbol.kind() {
            SymbolKind::Text => {
                exports.functions.insert(name.to_owned());
            }
            SymbolKind::Data => {
                exports.objects.insert(
                    name.to_owned(),
                    u32::try_from(symbol.size()).unwrap_or(u32::MAX),
                );
            }
            _ => {}
        }
    }
    Ok(exports)
}

/// Reads the committed lists; `file` is for messages.
///
/// # Errors
/// The first line that doesn't follow the grammar.
pub fn parse_lists(file: &str, text: &str) -> Result<ExportLists, GenError> {
    let mut lists = ExportLists::new();
    let mut current = None;
    for (index, line) in text.lines().enumerate() {
        let error =
            |expected: &str| TableError::new(file, index + 1, expected, format!("`{line}`"));
        let words: Vec<&str> = line
            .split('#')
            .next()
            .unwrap_or("")
            .split_ascii_whitespace()
            .collect();
        match (words.as_slice(), &mut current) {
            ([], _) => {}
            (["library", library, release], _) => {
                current = Some(
                    lists
                        .entry(((*library).to_owned(), (*release).to_owned()))
                        .or_default(),
                );
            }
            ([name], Some(exports)) => {
                exports.functions.insert((*name).to_owned());
            }
            ([name, size], Some(exports)) => {
                let size = size.parse().map_err(|_| error("`NAME BYTES`"))?;
                exports.objects.insert((*name).to_owned(), size);
            }
            _ => {
                return Err(
                    error("`library NAME RELEASE`, then `NAME` or `NAME BYTES` lines").into(),
                );
            }
        }
    }
    Ok(lists)
}

/// Writes lists as [`parse_lists`] reads them.
pub fn write_lists(lists: &ExportLists) -> String {
    let mut text = String::new();
    for ((library, release), exports) in lists {
        let _ = writeln!(text, "library {library} {release}");
        for name in &exports.functions {
            let _ = writeln!(text, "{name}");
        }
        for (name, size) in &exports.objects {
            let _ = writeln!(text, "{name} {size}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written() {
        let text = "library cuda 535.261.03\ncuInit\ncudbgMain\ncudbgFlag 4\nlibrary nvml 535.261.03\nnvmlInit\n";
        let lists = parse_lists("exports.api", text).expect("a right list");
        assert_eq!(write_lists(&lists), text);
    }

    #[test]
    fn a_name_without_a_library_is_refused() {
        let error = parse_lists("exports.api", "cuInit\n").expect_err("no library");
        assert_eq!(
            error.to_string(),
            "exports.api:1: expected `library NAME RELEASE`, then `NAME` or `NAME BYTES` lines, found `cuInit`"
        );
    }
}
