//! A file that stays open inside somebody else's process.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cutape_driver_search::FileId;

use crate::failure::Failure;

/// Programs expect the lowest free descriptor; ours lie above this where the limit allows, and below 1024, so that the process's
/// descriptor table doesn't grow.
const PREFERRED_DESCRIPTOR: u64 = 900;

/// An open file of ours. The program may close its descriptor, or close it and open something else under the same number, so each
/// use first makes sure that it still is our file.
pub struct HeldFile {
    file: File,
    identity: FileId,
    path: PathBuf,
    doing: &'static str,
}

impl HeldFile {
    /// Makes the file, which must not exist yet, readable by its owner only. `doing` names the work in failures: "write the blocks".
    ///
    /// # Errors
    /// The file can't be made, or no descriptor is free.
    pub fn create(path: &Path, doing: &'static str) -> Result<Self, Failure> {
        let open = || {
            OpenOptions::new()
                .read(true)
                .append(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
        };
        let file = open()
            .and_then(lift)
            .map_err(|error| Failure::file(doing, path, error))?;
        let metadata = file
            .metadata()
            .map_err(|error| Failure::file(doing, path, error))?;
        Ok(Self {
            file,
            identity: FileId::from(&metadata),
            path: path.to_owned(),
            doing,
        })
    }

    /// The file, surely ours, with its length.
    ///
    /// # Errors
    /// It was removed, or its descriptor was closed and it can't be opened again.
    pub fn checked(&mut self) -> Result<(&File, u64), Failure> {
        let metadata = match self.file.metadata() {
            Ok(metadata) if FileId::from(&metadata) == self.identity => metadata,
            _ => self.open_again()?,
        };
        if metadata.nlink() == 0 {
            return Err(Failure::Removed(self.path.clone()));
        }
        Ok((&self.file, metadata.len()))
    }

    fn open_again(&mut self) -> Result<std::fs::Metadata, Failure> {
        let failed = |error| Failure::file(self.doing, &self.path, error);
        let open = || OpenOptions::new().read(true).append(true).open(&self.path);
        let file = match open().and_then(lift) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::Removed(self.path.clone()));
            }
            other => other.map_err(failed)?,
        };
        let metadata = file.metadata().map_err(failed)?;
        // The old descriptor is the program's business now: it must not be closed a second time by us.
        std::mem::forget(std::mem::replace(&mut self.file, file));
        if FileId::from(&metadata) == self.identity {
            Ok(metadata)
        } else {
            Err(Failure::Removed(self.path.clone()))
        }
    }

    /// Appends all of `bytes`, or leaves the file as it was.
    ///
    /// # Errors
    /// The file is gone, the disk is full, or the process's file size limit is reached.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let (_, before) = self.checked()?;
        let result = within_size_limit(before + bytes.len() as u64)
            .and_then(|()| io::Write::write_all(&mut &self.file, bytes));
        result.map_err(|error| {
            // A torn block would only cost its reader a search, but the space is better given back.
            let _ = self.file.set_len(before);
            Failure::file(self.doing, &self.path, error)
        })
    }

    /// Gives back what was appended beyond `length`.
    pub fn cut(&mut self, length: u64) {
        if let Ok((file, _)) = self.checked() {
            let _ = file.set_len(length);
        }
    }

    /// Makes the file longer, its new space on disk for sure: writing to a mapping of a hole on a full disk would be a SIGBUS.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn grow(&mut self, length: u64) -> Result<(), Failure> {
        let (file, before) = self.checked()?;
        let descriptor = file.as_raw_fd();
        let result = within_size_limit(length).and_then(|()| allocate(descriptor, before, length));
        result.map_err(|error| Failure::file(self.doing, &self.path, error))
    }
}

/// Moves a fresh file to a high descriptor that is closed on exec.
fn lift(file: File) -> io::Result<File> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is ours.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let lowest = PREFERRED_DESCRIPTOR.min(limit.rlim_cur.saturating_sub(16)) as RawFd;
    // SAFETY: duplicating a descriptor that we own.
    let lifted = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
    if lifted < 0 {
        return Ok(file);
    }
    // SAFETY: the new descriptor is nobody else's.
    Ok(unsafe { File::from_raw_fd(lifted) })
}

/// A write beyond RLIMIT_FSIZE would not only fail: it would send SIGXFSZ to the program. Asked before each write.
///
/// # Errors
/// EFBIG, as the write would give.
pub fn within_size_limit(length: u64) -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is ours.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    if known && length > limit.rlim_cur {
        Err(io::Error::from_raw_os_error(libc::EFBIG))
    } else {
        Ok(())
    }
}

fn allocate(descriptor: RawFd, from: u64, to: u64) -> io::Result<()> {
    let (offset, length) = (from as libc::off_t, (to - from) as libc::off_t);
    // SAFETY: plain system calls on a descriptor that we own. posix_fallocate writes zeros where the file system can't reserve.
    match unsafe { libc::posix_fallocate(descriptor, offset, length) } {
        0 => Ok(()),
        error => {
            let error = io::Error::from_raw_os_error(error);
            // SAFETY: as above.
            unsafe { libc::ftruncate(descriptor, offset) };
            Err(error)
        }
    }
}

/// A path for the C library.
pub fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}
