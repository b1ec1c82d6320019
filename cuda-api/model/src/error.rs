//! What is wrong with a table, and where.

/// A line of a table or of the overlay that doesn't say what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: expected {expected}, found {found}")]
pub struct TableError {
    /// The file as the caller named it.
    pub file: String,
    /// Line number, from 1.
    pub line: usize,
    /// What would have been right.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl TableError {
    /// An error at a line of a file.
    pub fn new(
        file: &str,
        line: usize,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line,
            expected: expected.into(),
            found: found.into(),
        }
    }
}
