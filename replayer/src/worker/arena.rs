//! Memory for what arguments point to, one arena a thread: used for one call, then for the next.

use std::cell::Cell;
use std::io;
use std::ptr::NonNull;

use crate::skip::SkipReason;

/// Bytes behind each piece of memory that the driver gets; it must leave them alone.
pub const FENCE_BYTES: usize = 16;
/// What the fence is made of.
pub const FENCE: u8 = 0xfd;

/// Room of one thread. Pages are taken when they are first touched.
const ARENA_BYTES: usize = 64 << 20;
const ALIGNMENT: usize = 64;

/// Memory that is given out piece by piece, and taken back all at once.
pub struct Arena {
    start: NonNull<u8>,
    used: Cell<usize>,
}

// SAFETY: the memory is the arena's own, and the arena moves as a whole.
unsafe impl Send for Arena {}

/// How much was used at a time.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Arena {
    /// A new one.
    ///
    /// # Errors
    /// The system has no more address space.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            start: map(ARENA_BYTES)?,
            used: Cell::new(0),
        })
    }

    /// What is used now.
    pub fn mark(&self) -> Mark {
        Mark(self.used.get())
    }

    /// Takes back all that was given since.
    pub fn reset(&self, mark: Mark) {
        self.used.set(mark.0);
    }

    /// Memory of so many bytes, with a fence behind it.
    ///
    /// # Errors
    /// There is not so much left.
    pub fn take(&self, bytes: usize) -> Result<Piece, SkipReason> {
        let start = self.used.get();
        let end = bytes
            .checked_add(start + FENCE_BYTES)
            .map(|end| end.next_multiple_of(ALIGNMENT))
            .filter(|&end| end <= ARENA_BYTES)
            .ok_or(SkipReason::TooLarge)?;
        self.used.set(end);
        // SAFETY: within the mapping.
        let address = unsafe { self.start.add(start) };
        // SAFETY: the fence is within the mapping, and nobody has it.
        unsafe { address.add(bytes).write_bytes(FENCE, FENCE_BYTES) };
        Ok(Piece { address, bytes })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours. Pieces of it don't outlive their call.
        unsafe { libc::munmap(self.start.as_ptr().cast(), ARENA_BYTES) };
    }
}

/// New memory, all zeros, that costs nothing until it is touched.
///
/// # Errors
/// The system has no more address space.
pub fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at a place that the kernel chooses.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// A piece of an arena.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    address: NonNull<u8>,
    bytes: usize,
}

impl Piece {
    /// Its address, for the driver.
    pub fn address(self) -> u64 {
        self.address.as_ptr().addr() as u64
    }

    /// Fills it.
    pub fn fill(self, byte: u8) {
        // SAFETY: the piece is the call's own, and as long.
        unsafe { self.address.write_bytes(byte, self.bytes) };
    }

    /// Copies bytes to its start, as many as it has room for.
    pub fn write(self, bytes: &[u8]) {
        let count = bytes.len().min(self.bytes);
        // SAFETY: the piece is the call's own, and has room for that many.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.address.as_ptr(), count);
        }
    }

    /// Its content. The driver is done with it: the call has returned, or has not begun.
    pub fn content<'a>(self) -> &'a mut [u8] {
        // SAFETY: memory of the arena stays mapped while its thread plays, and a call looks at its pieces one after another.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.bytes) }
    }

    /// Whether nobody wrote behind it.
    pub fn is_fenced(self) -> bool {
        // SAFETY: the fence is part of the mapping.
        let fence = unsafe {
            std::slice::from_raw_parts(self.address.add(self.bytes).as_ptr(), FENCE_BYTES)
        };
        fence.iter().all(|&byte| byte == FENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_too_far_is_noticed() {
        let arena = Arena::new().expect("memory");
        let mark = arena.mark();
        let piece = arena.take(4).expect("room");
        piece.write(&[1, 2, 3, 4, 5, 6]);
        assert!(piece.is_fenced());
        assert_eq!(piece.content(), [1, 2, 3, 4]);
        // SAFETY: the fence is memory of the arena.
        unsafe { piece.address.add(4).write(0) };
        assert!(!piece.is_fenced());
        arena.reset(mark);
        assert_eq!(arena.take(8).expect("room").address(), piece.address());
        assert_eq!(arena.take(usize::MAX).err(), Some(SkipReason::TooLarge));
        assert_eq!(arena.take(ARENA_BYTES).err(), Some(SkipReason::TooLarge));
    }
}
