//! Anonymous files that hold what two processes share. The one that made a file tells the other, in the bytes of a handle, how to find it;
//! it can be opened as long as the first process keeps it open.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// Bytes of an IPC handle.
pub const HANDLE_BYTES: usize = 64;
const HANDLE_WORDS: usize = HANDLE_BYTES / 8;

/// What a handle says of a file: whose it is, and how to recognise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    process: u64,
    descriptor: u64,
    inode: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Told {
    /// Words of a handle that it takes.
    pub const WORDS: usize = 4;

    /// About a file of this process.
    pub fn about(file: &File) -> Option<Self> {
        let found = file.metadata().ok()?;
        Some(Self {
            process: u64::from(std::process::id()),
            descriptor: file.as_raw_fd() as u64,
            inode: found.ino(),
            bytes: found.len(),
        })
    }

    /// As words of a handle.
    pub fn words(&self) -> [u64; Self::WORDS] {
        [self.process, self.descriptor, self.inode, self.bytes]
    }

    /// From words of a handle, whatever they hold.
    pub fn from_words([process, descriptor, inode, bytes]: [u64; Self::WORDS]) -> Self {
        Self {
            process,
            descriptor,
            inode,
            bytes,
        }
    }

    /// Whether this process made the file.
    pub fn is_of_this_process(&self) -> bool {
        self.process == u64::from(std::process::id())
    }

    /// Opens it. `None` once its process has ended or has closed it.
    pub fn open(&self) -> Option<File> {
        let path = format!("/proc/{}/fd/{}", self.process, self.descriptor);
        let file = File::options().read(true).write(true).open(path).ok()?;
        let found = file.metadata().ok()?;
        (found.ino() == self.inode && found.len() == self.bytes).then_some(file)
    }
}

/// An anonymous file of that size, full of zeros.
pub fn make(bytes: u64) -> Option<File> {
    // SAFETY: makes a new descriptor from a literal name.
    let descriptor = unsafe { libc::memfd_create(c"cuda-sim-ipc".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the descriptor is new and nobody else's.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    file.set_len(bytes).ok()?;
    Some(file)
}

/// A handle of these words; the first says what it is a handle of.
pub fn handle_of_words(words: [u64; HANDLE_WORDS]) -> [u8; HANDLE_BYTES] {
    let mut bytes = [0; HANDLE_BYTES];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// The words of a handle.
pub fn words_of_handle(bytes: &[u8; HANDLE_BYTES]) -> [u64; HANDLE_WORDS] {
    std::array::from_fn(|place| {
        let word = bytes[8 * place..8 * place + 8].try_into();
        word.map_or(0, u64::from_ne_bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_by_what_was_told_of_it_and_no_other_is() {
        let file = make(4096).expect("a file");
        let told = Told::about(&file).expect("a file that can be asked");
        let words = handle_of_words([7, told.process, told.descriptor, told.inode, 4096, 0, 0, 0]);
        let [mark, process, descriptor, inode, bytes, ..] = words_of_handle(&words);
        assert_eq!(mark, 7);
        let again = Told::from_words([process, descriptor, inode, bytes]);
        assert_eq!(again, told);
        assert!(again.is_of_this_process());
        assert!(again.open().is_some());
        let other = Told {
            inode: inode + 1,
            ..told
        };
        assert!(other.open().is_none());
        drop(file);
        assert!(told.open().is_none());
    }
}
