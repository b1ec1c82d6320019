//! A file that is there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file being written under a name of its own beside its place; it takes the place when it is whole.
pub struct OutputFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    finished: bool,
}

impl OutputFile {
    /// Starts a file. One that is at its place is replaced only by `force`.
    ///
    /// # Errors
    /// What was found there, or what the operating system says.
    pub fn create(path: &Path, force: bool) -> Result<Self, String> {
        check_free(path, force)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".writing");
        let partial = path.with_file_name(name);
        // A file of that name is what an earlier attempt left behind when it was killed.
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", partial.display()));
            }
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|error| format!("{}: {error}", partial.display()))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            file,
            finished: false,
        })
    }

    /// Lets the file take its place.
    ///
    /// # Errors
    /// It stays where it was; what the operating system says.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.path)?;
        self.finished = true;
        Ok(())
    }
}

/// Refuses a place that is taken.
///
/// # Errors
/// What was found there and what to do.
pub fn check_free(path: &Path, force: bool) -> Result<(), String> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => Err(format!(
            "{}: expected the name of a file to write, found a folder",
            path.display()
        )),
        Ok(_) if !force => Err(format!(
            "{}: a file of that name exists; choose another name, or --force to replace it",
            path.display()
        )),
        _ => Ok(()),
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
