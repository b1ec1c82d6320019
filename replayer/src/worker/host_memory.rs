//! Host memory that stands in for the recorded program's.

use std::io;
use std::ptr::NonNull;

use crate::skip::SkipReason;
use crate::worker::arena;

const PAGE_BYTES: u64 = 4096;

/// Memory that data of copies comes from and goes to. It is there for the whole process, so a copy that is still going on after its call
/// has returned meets valid memory.
#[derive(Debug)]
pub struct CopyMemory {
    source: NonNull<u8>,
    sink: NonNull<u8>,
    bytes: u64,
}

// SAFETY: plain memory; the driver alone looks into it, and what it finds there does not matter.
unsafe impl Send for CopyMemory {}
// SAFETY: as above.
unsafe impl Sync for CopyMemory {}

impl CopyMemory {
    /// For copies of that size at most. Pages are taken when they are first written to.
    ///
    /// # Errors
    /// The system has no more address space.
    pub fn new(bytes: u64) -> io::Result<Self> {
        // A page more, so that addresses can keep their place in a page.
        let size = usize::try_from(bytes.saturating_add(PAGE_BYTES))
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            source: arena::map(size)?,
            sink: arena::map(size)?,
            bytes,
        })
    }

    /// An address that stands in for a recorded one, with so many bytes behind it.
    ///
    /// # Errors
    /// There is not so much.
    pub fn stand_in(&self, recorded: u64, bytes: u64, is_written: bool) -> Result<u64, SkipReason> {
        if bytes > self.bytes {
            return Err(SkipReason::TooLarge);
        }
        let memory = if is_written { self.sink } else { self.source };
        Ok(memory.as_ptr().addr() as u64 + recorded % PAGE_BYTES)
    }
}

/// Memory that is registered with the driver in place of the program's.
#[derive(Debug)]
pub struct OwnMemory {
    start: NonNull<u8>,
    size: usize,
    /// Where the recorded start lies.
    offset: u64,
}

// SAFETY: plain memory of its own.
unsafe impl Send for OwnMemory {}

impl OwnMemory {
    /// For a recorded address and so many bytes.
    ///
    /// # Errors
    /// It is more than `limit`, or the system has no more address space.
    pub fn for_range(recorded: u64, bytes: u64, limit: u64) -> Result<Self, SkipReason> {
        if bytes > limit {
            return Err(SkipReason::TooLarge);
        }
        let offset = recorded % PAGE_BYTES;
        let size = (bytes + offset).next_multiple_of(PAGE_BYTES) as usize;
        let start = arena::map(size).map_err(|_| SkipReason::TooLarge)?;
        Ok(Self {
            start,
            size,
            offset,
        })
    }

    /// The address that stands in for the recorded one.
    pub fn address(&self) -> u64 {
        self.start.as_ptr().addr() as u64 + self.offset
    }
}

impl Drop for OwnMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and the driver has been told that it goes.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}
