//! What can go wrong while the table is made, in words that say what to do.

use cutape_api_model::TableError;
use std::path::{Path, PathBuf};

/// A failure of the generator.
#[derive(Debug, thiserror::Error)]
pub enum GenError {
    /// An input isn't where it was looked for.
    #[error(
        "expected {what} at {path}, found nothing; run `cargo xtask fetch-clients`, or name a folder with {option}"
    )]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The option that names another place.
        option: &'static str,
    },
    /// Neither XDG_CACHE_HOME nor HOME says where the user's cache folder is.
    #[error(
        "expected XDG_CACHE_HOME or HOME in the environment, found neither; name the inputs with options (see --help)"
    )]
    NoCacheFolder,
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The C preprocessor failed.
    #[error("`cc -E` failed on the headers in {folder}:\n{message}")]
    Preprocessor {
        /// The header folder.
        folder: PathBuf,
        /// What it wrote to stderr.
        message: String,
    },
    /// The preprocessed headers don't parse.
    #[error("{folder}: not understood as C: {message}")]
    Syntax {
        /// The header folder.
        folder: PathBuf,
        /// Line, column, expected tokens.
        message: String,
    },
    /// A declaration uses C that the generator doesn't know.
    #[error("{declaration}: expected {expected}, found {found}")]
    Declaration {
        /// The name being declared.
        declaration: String,
        /// What the generator understands there.
        expected: &'static str,
        /// What it met.
        found: String,
    },
    /// The two headers disagree and nobody has said which is right.
    #[error(
        "{name}: CUDA {older_version} says {older}, CUDA {newer_version} says {newer}; say which one in cuda-api/table/sources.api"
    )]
    Disagreement {
        /// The symbol or type.
        name: String,
        /// Version of the older header.
        older_version: u32,
        /// What the older says.
        older: String,
        /// Version of the newer header.
        newer_version: u32,
        /// What the newer says.
        newer: String,
    },
    /// A function-pointer type of cudaTypedefs.h has no exported symbol, or several.
    #[error(
        "{pointer}: expected one declared function of that base name and signature, found {found}"
    )]
    UnmatchedPointer {
        /// The name of the function-pointer type.
        pointer: String,
        /// The candidates.
        found: String,
    },
    /// A library can't be read as ELF.
    #[error("{path}: expected a 64-bit ELF library, found {message}")]
    Library {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A committed input of the generator is wrong.
    #[error(transparent)]
    Table(#[from] TableError),
    /// `--check` found that the committed files aren't what the inputs give.
    #[error("{path} is not what the headers give; run `cargo xtask table` and commit the result")]
    OutOfDate {
        /// The committed file.
        path: PathBuf,
    },
}

impl GenError {
    /// An I/O failure at a path.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
