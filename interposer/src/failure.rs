//! What went wrong on our side. None of it ever becomes the traced program's failure.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why recording could not start or go on.
#[derive(Debug)]
pub enum Failure {
    /// A system call on one of our files failed.
    File {
        /// What was being done, "make the ring file".
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// Memory or a thread could not be had.
    Resource {
        /// What was wanted.
        wanted: &'static str,
        /// The system's answer.
        error: io::Error,
    },
    /// The trace was deleted or replaced while it was being written.
    Removed(PathBuf),
    /// A setting in the environment makes no sense.
    Setting(String),
    /// `--max-size` is reached.
    SizeLimit {
        /// The limit in bytes.
        bytes: u64,
    },
    /// An error in cutape itself.
    Bug(String),
}

impl Failure {
    /// A failed operation on a file.
    pub fn file(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Self::File {
            doing,
            path: path.to_owned(),
            error,
        }
    }

    /// The last system call's failure to give something.
    pub fn resource(wanted: &'static str) -> Self {
        Self::Resource {
            wanted,
            error: io::Error::last_os_error(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { doing, path, error } => {
                write!(f, "could not {doing} {}: {error}", path.display())
            }
            Self::Resource { wanted, error } => write!(f, "could not get {wanted}: {error}"),
            Self::Removed(path) => write!(
                f,
                "{} was removed while it was being written",
                path.display()
            ),
            Self::Setting(text) => f.write_str(text),
            Self::SizeLimit { bytes } => write!(
                f,
                "the trace reached its size limit of {bytes} bytes (--max-size)"
            ),
            Self::Bug(text) => write!(f, "an error in cutape: {text}"),
        }
    }
}
