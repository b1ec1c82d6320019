//! The Python interpreter that tests run scripts with, and that chooses among a package's files.

use std::fmt;
use std::process::Command;
use std::str::FromStr;

use serde::Deserialize;

use crate::manifest::Client;

/// A Python version as far as it matters to compiled packages: 3.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct PythonVersion {
    major: u32,
    minor: u32,
}

/// Why there is no interpreter to be had.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// It can't be started.
    #[error("no Python: expected a program named {0} (set CUTAPE_PYTHON to use another), {1}")]
    Absent(String, std::io::Error),
    /// It answered something else than its version.
    #[error("{0}: expected a version such as 3.11, found {1:?}")]
    NoVersion(String, String),
}

/// The interpreter: `$CUTAPE_PYTHON`, or `python3`.
pub fn interpreter() -> String {
    std::env::var("CUTAPE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// The interpreter's version.
pub fn version() -> Result<PythonVersion, PythonError> {
    let program = interpreter();
    let output = Command::new(&program)
        .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        .output()
        .map_err(|error| PythonError::Absent(program.clone(), error))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    text.parse()
        .map_err(|_| PythonError::NoVersion(program, text))
}

/// The interpreter's version if the client's files depend on it.
pub fn version_for(client: &Client) -> Result<Option<PythonVersion>, PythonError> {
    match client.depends_on_python() {
        true => version().map(Some),
        false => Ok(None),
    }
}

impl PythonVersion {
    /// The tag of compiled packages, `cp311`.
    pub fn tag(&self) -> String {
        format!("cp{}{}", self.major, self.minor)
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for PythonVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(major, minor)| {
            Some(Self {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
            })
        });
        parts.ok_or_else(|| format!("expected a Python version such as 3.11, found {text:?}"))
    }
}

impl TryFrom<String> for PythonVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
