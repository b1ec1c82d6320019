//! A piece of memory that two processes map.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr::NonNull;

/// Memory behind a file that has no name, mapped whole. Pages that nobody touches cost nothing.
#[derive(Debug)]
pub struct SharedMemory {
    start: NonNull<u8>,
    bytes: usize,
    file: Option<File>,
}

// SAFETY: the mapping belongs to no thread; what is read and written in it is up to the users of the pointers.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// New memory, all zeros.
    ///
    /// # Errors
    /// The system has no more of it, or of descriptors.
    pub fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: the name is a C string. The descriptor outlives exec on purpose: the player finds the memory by it.
        let descriptor = unsafe { libc::memfd_create(c"cutape-replay".as_ptr(), 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        let file = unsafe { File::from_raw_fd(descriptor) };
        file.set_len(bytes as u64)?;
        Self::map(file, bytes)
    }

    /// Maps the memory behind an inherited descriptor.
    ///
    /// # Errors
    /// The descriptor is not that of such memory.
    pub fn inherited(descriptor: RawFd) -> io::Result<Self> {
        // SAFETY: asks about a number.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open, and was inherited for this.
        let file = unsafe { File::from_raw_fd(descriptor) };
        let bytes = file.metadata()?.len() as usize;
        let mut memory = Self::map(file, bytes)?;
        // From here on the mapping is enough.
        memory.file = None;
        Ok(memory)
    }

    fn map(file: File, bytes: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at a place that the kernel chooses.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_NORESERVE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            start,
            bytes,
            file: Some(file),
        })
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The descriptor by which a child maps it; `None` in the child.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.file.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The address of the byte at that offset, if the bytes from there on belong to the memory.
    pub fn at(&self, offset: usize, bytes: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(bytes)?;
        // SAFETY: within the mapping.
        (end <= self.bytes).then(|| unsafe { self.start.add(offset) })
    }

    /// A copy of the words there; words of what the other process writes at this moment may be old or new.
    pub fn copy_words(&self, offset: usize, words: &mut Vec<u64>, count: usize) -> Option<()> {
        let from = self.at(offset, count.checked_mul(8)?)?;
        words.clear();
        words.reserve(count);
        // SAFETY: source and target have room for that many words. The other process may write meanwhile: then some of the words are
        // what they were, and whoever reads them takes nothing for granted.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr().cast::<u64>(), words.as_mut_ptr(), count);
            words.set_len(count);
        }
        Some(())
    }

    /// Writes words.
    pub fn write_words(&self, offset: usize, words: &[u64]) -> Option<()> {
        let to = self.at(offset, size_of_val(words))?;
        // SAFETY: there is room, and nobody reads the words before they are announced.
        unsafe {
            std::ptr::copy_nonoverlapping(words.as_ptr(), to.as_ptr().cast::<u64>(), words.len());
        }
        Some(())
    }

    /// Writes bytes.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Option<()> {
        let to = self.at(offset, bytes.len())?;
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
        Some(())
    }

    /// A copy of bytes.
    pub fn read(&self, offset: usize, count: usize) -> Option<Vec<u8>> {
        let from = self.at(offset, count)?;
        let mut bytes = vec![0; count];
        // SAFETY: source and target have room for that many bytes.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), bytes.as_mut_ptr(), count) };
        Some(bytes)
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and pointers into it don't outlive it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
