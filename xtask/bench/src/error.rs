//! Why something was not measured.

use std::io;
use std::path::PathBuf;

/// Why something was not measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A program could not be started.
    #[error("expected to run {program}: {error}")]
    NotStarted {
        /// Its name or path.
        program: String,
        /// What the system says.
        error: io::Error,
    },
    /// A program ended badly.
    #[error("{program} ended with {status}: {said}")]
    Failed {
        /// Its name or path.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it wrote to stderr.
        said: String,
    },
    /// A program wrote something else than samples.
    #[error("expected lines of a name and a number from the benchmark's client, found {line:?}")]
    Output {
        /// The line.
        line: String,
    },
    /// A program did not write all its samples.
    #[error("the benchmark's client gave no samples named {name}")]
    NoSamples {
        /// Their name.
        name: String,
    },
    /// A file or folder.
    #[error("{}: {error}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The trace that was recorded can't be read or sealed.
    #[error("the recorded trace: {0}")]
    Trace(String),
    /// The trace is not what the program did.
    #[error("{made} calls were made and {recorded} are in the trace; {losses}")]
    Lost {
        /// Calls that the program counted.
        made: u64,
        /// Calls in the trace.
        recorded: u64,
        /// What the trace says of losses.
        losses: String,
    },
}

impl BenchError {
    /// For `map_err` on file operations.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, error }
    }
}
