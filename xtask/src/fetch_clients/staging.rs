//! The folder in which one run works before anything is put in place: `.staging-PID` in the cache, removed at the end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = ".staging-";

/// A run's own folder. Lies in the cache, so that a finished client is moved by rename.
pub struct Staging {
    folder: PathBuf,
    next: AtomicU32,
}

/// The folder can't be made.
#[derive(Debug, thiserror::Error)]
#[error("{path}: expected to write there, {error}", path = path.display())]
pub struct StagingError {
    path: PathBuf,
    error: io::Error,
}

impl Staging {
    /// Makes the folder, after removing those of runs that were killed.
    pub fn new(cache: &Path) -> Result<Self, StagingError> {
        let folder = cache.join(format!("{PREFIX}{}", process::id()));
        let made = fs::create_dir_all(cache).and_then(|()| {
            remove_abandoned(cache)?;
            fs::create_dir(&folder)
        });
        match made {
            Ok(()) => Ok(Self {
                folder,
                next: AtomicU32::new(0),
            }),
            Err(error) => Err(StagingError {
                path: folder,
                error,
            }),
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new empty folder in it.
    pub fn new_folder(&self) -> io::Result<PathBuf> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(number.to_string());
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing depends on it: the next run removes what is left.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of runs whose process is gone, and of one that had this process's number before.
fn remove_abandoned(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        let abandoned = |owner: u32| owner == process::id() || !is_running(owner);
        if owner.is_some_and(abandoned) {
            match fs::remove_dir_all(entry.path()) {
                // Another run was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

/// Whether a process of this user runs. Not its mere presence in /proc: a killed process stays there until its parent asks for its end,
/// but without a program.
fn is_running(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok()
}
