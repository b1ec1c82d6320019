//! One client from its registry into its place: download, compare, unpack, rename.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cutape_test_clients::cache::{Cache, MARKER, Presence, marker_text};
use cutape_test_clients::manifest::{Archive, Client};
use cutape_test_clients::python::PythonVersion;

use super::archive;
use super::registry::Download;
use super::staging::Staging;

/// How a client came to be in the cache.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    AlreadyThere,
    /// It was fetched now.
    Fetched,
}

/// Why it is not in the cache.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It can't be had here: registry out of reach, no such version any more, no client program, another system.
    #[error("{0}")]
    Unavailable(String),
    /// The registry gave another file than the pinned one.
    #[error("{package}: expected SHA-256 {expected}, found {found}; nothing was unpacked")]
    WrongChecksum {
        /// Whose file.
        package: String,
        /// As pinned.
        expected: String,
        /// As downloaded.
        found: String,
    },
    /// Its place is taken by something that is not it.
    #[error("{path} holds something else than clients.toml pins: remove it and run this again", path = .0.display())]
    PlaceTaken(PathBuf),
    /// It can't be unpacked.
    #[error("{0}")]
    Unpack(String),
    /// The cache can't be written.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What went wrong with it.
        error: io::Error,
    },
}

/// Brings one client into the cache if it is not there yet.
pub fn install(
    cache: &Cache,
    staging: &Staging,
    registries: &impl Download,
    client: &Client,
    python: Option<&PythonVersion>,
) -> Result<Outcome, InstallError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(InstallError::Unavailable(
            "the pinned files are for x86-64 Linux only".to_owned(),
        ));
    }
    let place = cache.place(client, python);
    match cache.presence(client, python) {
        Presence::Complete => return Ok(Outcome::AlreadyThere),
        Presence::Different => return Err(InstallError::PlaceTaken(place)),
        Presence::Absent => {}
    }
    let Some(marker) = marker_text(client, python) else {
        let python = python.map_or("no Python".to_owned(), |version| {
            format!("Python {version}")
        });
        return Err(InstallError::Unavailable(format!(
            "not pinned for {python} (CUTAPE_PYTHON names another)"
        )));
    };
    let unpacked = new_folder(staging)?;
    for archive in &client.archives {
        let pinned = archive.pinned_sha256(python).unwrap_or_default();
        let downloads = new_folder(staging)?;
        let file = registries
            .download(client.registry, archive, &downloads)
            .map_err(InstallError::Unavailable)?;
        compare(archive, pinned, &file)?;
        archive::unpack(&file, &unpacked).map_err(InstallError::Unpack)?;
        fs::remove_dir_all(&downloads).map_err(at(&downloads))?;
    }
    fs::write(unpacked.join(MARKER), marker).map_err(at(&unpacked))?;
    put_in_place(&unpacked, &place, || cache.presence(client, python))
}

fn compare(archive: &Archive, pinned: &str, file: &Path) -> Result<(), InstallError> {
    let found = archive::sha256_of(file).map_err(at(file))?;
    match found == pinned {
        true => Ok(()),
        false => Err(InstallError::WrongChecksum {
            package: format!("{} {}", archive.package, archive.version),
            expected: pinned.to_owned(),
            found,
        }),
    }
}

/// A rename is all or nothing, and it refuses when another run was faster; that is as good.
fn put_in_place(
    unpacked: &Path,
    place: &Path,
    presence: impl Fn() -> Presence,
) -> Result<Outcome, InstallError> {
    match fs::rename(unpacked, place) {
        Ok(()) => Ok(Outcome::Fetched),
        Err(_) if presence() == Presence::Complete => Ok(Outcome::AlreadyThere),
        Err(error) => Err(at(place)(error)),
    }
}

fn new_folder(staging: &Staging) -> Result<PathBuf, InstallError> {
    staging.new_folder().map_err(at(staging.folder()))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |error| InstallError::File { path, error }
}
