//! What can be wrong with a policy file.

/// A policy file can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The file can't be read.
    #[error("the policy file {path} can't be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// The operating system's reason.
        cause: String,
    },
    /// What the file says is no policy.
    #[error("{path}:{line}: {what}")]
    Invalid {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What was expected and what was found.
        what: String,
    },
}
