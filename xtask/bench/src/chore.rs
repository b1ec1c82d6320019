//! What the chores that measure have in common: results are printed, written into a document where that is asked for, and the exit code says
//! whether a measurement failed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::document;
use crate::error::BenchError;

/// What came out of a chore.
pub struct Outcome {
    /// The results, as Markdown.
    pub text: String,
    /// A measurement went wrong.
    pub has_failed: bool,
}

/// Prints what came out. `part` is the document and the part of it that it is written into, if anywhere.
pub fn finish(measured: Result<Outcome, BenchError>, part: Option<(&str, &str)>) -> ExitCode {
    let outcome = match measured {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("xtask: nothing could be measured: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{}", outcome.text);
    if let Some((path, name)) = part
        && let Err(error) = document::write(path, name, &outcome.text)
    {
        eprintln!("xtask: {error}");
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(outcome.has_failed))
}

/// Measures in a folder that is there meanwhile.
///
/// # Errors
/// Those of the measurement; the folder can't be made or removed.
pub fn in_folder<R>(measure: impl FnOnce(&Path) -> Result<R, BenchError>) -> Result<R, BenchError> {
    let folder = std::env::temp_dir().join(format!("cutape-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(BenchError::file(&folder))?;
    let results = measure(&folder);
    let removed = fs::remove_dir_all(&folder).map_err(BenchError::file(&folder));
    results.and_then(|results| removed.map(|()| results))
}
