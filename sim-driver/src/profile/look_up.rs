//! Which functions a driver lets a program find, and where it finds another one than it asked for.

use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with `cuGetProcAddress` and with the library's exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookUps {
    /// Exported names that are not there.
    pub missing: BTreeSet<&'static str>,
    /// The exported function that is found where another one should be: a library with names of one version and code of another.
    pub found_as: BTreeMap<&'static str, &'static str>,
    /// The version that the caller was built for is not looked at: the newest form is found.
    pub ignores_version: bool,
    /// The per-thread stream flag is not looked at: the legacy form is found.
    pub ignores_stream: bool,
}
