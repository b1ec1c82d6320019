//! The folder of real clients: `$XDG_CACHE_HOME/cutape/clients`, shared by all clones of the repository.
//!
//! A client is there or it is not: it is unpacked in a staging folder beside its place and renamed into it with its [`MARKER`] inside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::Client;
use crate::python::PythonVersion;

/// File in a client's folder that lists what was unpacked there, as [`marker_text`] writes it.
pub const MARKER: &str = ".cutape-complete";

/// The folder of clients.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// Neither `XDG_CACHE_HOME` nor `HOME` names a folder.
#[derive(Debug, thiserror::Error)]
#[error("no cache folder: expected XDG_CACHE_HOME or HOME to hold an absolute path, found neither")]
pub struct NoCacheFolder;

/// What is in a client's place.
#[derive(Debug, PartialEq, Eq)]
pub enum Presence {
    /// All of it, as pinned.
    Complete,
    /// Something else: left by another version of the manifest, or by hand.
    Different,
    /// Nothing.
    Absent,
}

impl Cache {
    /// The user's: in `$XDG_CACHE_HOME`, or in `~/.cache`.
    pub fn of_user() -> Result<Self, NoCacheFolder> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or(NoCacheFolder)?;
        Ok(Self::at(base.join("cutape").join("clients")))
    }

    /// A cache in the given folder, which need not exist yet.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A client's place, whether it is there or not.
    pub fn place(&self, client: &Client, python: Option<&PythonVersion>) -> PathBuf {
        self.root.join(client.folder_name(python))
    }

    /// A client's folder if it is complete.
    pub fn find(&self, client: &Client, python: Option<&PythonVersion>) -> Option<PathBuf> {
        let complete = self.presence(client, python) == Presence::Complete;
        complete.then(|| self.place(client, python))
    }

    /// What is in a client's place.
    pub fn presence(&self, client: &Client, python: Option<&PythonVersion>) -> Presence {
        let place = self.place(client, python);
        let expected = marker_text(client, python);
        match fs::read_to_string(place.join(MARKER)) {
            Ok(found) if Some(&found) == expected.as_ref() => Presence::Complete,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !place.exists() => {
                Presence::Absent
            }
            _ => Presence::Different,
        }
    }
}

/// A line for each archive: SHA-256, package, version. `None` when an archive is not pinned for this Python.
pub fn marker_text(client: &Client, python: Option<&PythonVersion>) -> Option<String> {
    let line = |archive: &crate::manifest::Archive| {
        let sum = archive.pinned_sha256(python)?;
        Some(format!("{sum}  {} {}\n", archive.package, archive.version))
    };
    client.archives.iter().map(line).collect()
}
