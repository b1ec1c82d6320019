//! Host memory that stands in for the recorded program's.

use std::collections::HashMap;
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

/// Memory in place of the program's own for copies that may go on after their call: each piece stays for as long as the process lives.
#[derive(Debug)]
pub struct KeptMemory {
    /// By recorded address, and whether the driver writes there.
    pieces: HashMap<(u64, bool), OwnMemory>,
    /// Pieces that were too small for a later copy; an earlier one may still be under way.
    outgrown: Vec<OwnMemory>,
    /// Bytes that may still be taken.
    left: u64,
}

impl KeptMemory {
    /// At most so many bytes in all.
    pub fn new(bytes: u64) -> Self {
        Self {
            pieces: HashMap::new(),
            outgrown: Vec::new(),
            left: bytes,
        }
    }

    /// What stands in for memory at a recorded address; `None` if that would be too much.
    pub fn address(&mut self, recorded: u64, bytes: u64, is_written: bool) -> Option<u64> {
        let key = (recorded, is_written);
        if let Some(piece) = self.pieces.get(&key)
            && piece.bytes() >= bytes
        {
            return Some(piece.address());
        }
        let piece = OwnMemory::for_range(recorded, bytes, self.left).ok()?;
        self.left = self.left.saturating_sub(piece.size as u64);
        let address = piece.address();
        self.outgrown.extend(self.pieces.insert(key, piece));
        Some(address)
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

    /// Bytes from that address on.
    fn bytes(&self) -> u64 {
        self.size as u64 - self.offset
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
