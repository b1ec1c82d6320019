//! The process's ring file: making rings and mapping them.

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use cutape_trace_format::ring::{
    FILE_MAGIC, FileHeader, HEADER_BYTES, RING_MAGIC, RING_VERSION, RingHeader,
};

use cutape_trace_format::clock::AnchorReading;

use crate::clock;
use crate::failure::Failure;
use crate::held_file::HeldFile;

/// Bytes of a thread's first ring.
pub const FIRST_CAPACITY: u64 = 1 << 20;
/// Bytes of the ring that a thread gets when its first one fills: rings of 1 MiB cost the producer 11 ns a record where 16 MiB cost 2,
/// and many threads can't all have 16 MiB.
pub const LARGE_CAPACITY: u64 = 16 << 20;

/// One ring, mapped. Never unmapped: a thread may be about to write to it.
pub struct Ring {
    header: *const RingHeader,
    data: *mut u8,
    /// Bytes of data.
    pub capacity: u64,
    /// Number in the file.
    pub index: u16,
    /// A larger ring, made by the flusher, that the owner moves to at its next opportunity.
    pub larger: AtomicPtr<Ring>,
}

// SAFETY: the pointers lead to a mapping that lives as long as the process; header fields are atomics, data is written by the owning
// thread and read by the flusher within the bounds that `head` and `tail` give.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// The shared header.
    pub fn header(&self) -> &'static RingHeader {
        // SAFETY: the mapping is never removed.
        unsafe { &*self.header }
    }

    /// First byte of the data, which is mapped twice in a row.
    pub fn data(&self) -> *mut u8 {
        self.data
    }

    /// Positions that are complete and in no block yet.
    pub fn pending(&self) -> (u64, u64) {
        let header = self.header();
        let tail = header.tail.load(Ordering::Relaxed);
        let head = header.head.load(Ordering::Acquire);
        (tail, head)
    }

    /// The bytes between two positions.
    ///
    /// # Safety
    /// The caller is the consumer, and the positions come from [`Self::pending`].
    pub unsafe fn bytes(&self, from: u64, to: u64) -> &[u8] {
        let start = (from & (self.capacity - 1)) as usize;
        // SAFETY: at most `capacity` bytes from below `capacity`, within the double mapping; the producer doesn't write below `head`.
        unsafe { std::slice::from_raw_parts(self.data.add(start), (to - from) as usize) }
    }

    /// Touches the data so that the producer takes no page faults; in pieces, because a large one would keep others from the
    /// process's memory map for too long.
    pub fn populate(&self) {
        const PIECE: usize = 256 << 10;
        for offset in (0..self.capacity as usize).step_by(PIECE) {
            // SAFETY: within the mapping; populating changes nothing that anybody sees. Before Linux 5.14 it fails, harmlessly.
            unsafe {
                libc::madvise(
                    self.data.add(offset).cast(),
                    PIECE,
                    libc::MADV_POPULATE_WRITE,
                )
            };
        }
    }
}

/// The file and its first page.
pub struct RingFile {
    file: HeldFile,
    header: *mut FileHeader,
    length: u64,
    rings: u16,
}

// SAFETY: the header is in a mapping that is never removed; its changing fields are atomics.
unsafe impl Send for RingFile {}

impl RingFile {
    /// Makes the file with a first reading of the clocks.
    ///
    /// # Errors
    /// The disk is full, the folder can't be written, memory can't be mapped.
    pub fn create(
        path: &Path,
        ticks_are_tsc: bool,
        first: &AnchorReading,
    ) -> Result<Self, Failure> {
        let mut file = HeldFile::create(path, "make the ring file")?;
        file.grow(HEADER_BYTES as u64)?;
        let (descriptor, _) = file.checked()?;
        let page = map_file(ptr::null_mut(), HEADER_BYTES, descriptor.as_raw_fd(), 0)?;
        keep_from_children(page, HEADER_BYTES);
        let header = page.cast::<FileHeader>();
        // SAFETY: a fresh page of zeros, larger than the header; nobody else knows of it.
        unsafe {
            (*header).version = RING_VERSION;
            (*header).ticks_are_tsc = ticks_are_tsc.into();
            (*header).pid = std::process::id();
            clock::store(first, &(*header).first_anchor);
            (*header).magic = FILE_MAGIC;
        }
        Ok(Self {
            file,
            header,
            length: HEADER_BYTES as u64,
            rings: 0,
        })
    }

    /// The file's header, as other processes see it.
    pub fn header(&self) -> &'static FileHeader {
        // SAFETY: the mapping is never removed.
        unsafe { &*self.header }
    }

    /// Adds a ring of `capacity` bytes, a power of two.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn add_ring(&mut self, capacity: u64) -> Result<&'static Ring, Failure> {
        let index = self.rings;
        if index == u16::MAX {
            return Err(Failure::Bug(format!("more than {index} threads at once")));
        }
        let length = self.length + HEADER_BYTES as u64 + capacity;
        self.file.grow(length)?;
        let (descriptor, _) = self.file.checked()?;
        let mapped = map_twice(descriptor.as_raw_fd(), self.length, capacity as usize);
        let base = mapped.inspect_err(|_| self.file.cut(self.length))?;
        let header = base.cast::<RingHeader>();
        // SAFETY: fresh pages of zeros that nobody else knows of until `rings` counts them.
        unsafe {
            (*header).capacity = capacity;
            (*header).index = index.into();
            (*header).magic = RING_MAGIC;
        }
        self.length = length;
        self.rings = index + 1;
        self.header()
            .rings
            .store(self.rings.into(), Ordering::Release);
        // SAFETY: the data starts one page into the mapping.
        let data = unsafe { base.cast::<u8>().add(HEADER_BYTES) };
        Ok(Box::leak(Box::new(Ring {
            header,
            data,
            capacity,
            index,
            larger: AtomicPtr::new(ptr::null_mut()),
        })))
    }
}

/// Header page and data, then the data again, so that a record that wraps is contiguous in memory.
fn map_twice(descriptor: i32, offset: u64, capacity: usize) -> Result<*mut c_void, Failure> {
    let once = HEADER_BYTES + capacity;
    // SAFETY: an inaccessible mapping at an address of the kernel's choice only reserves the room.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            once + capacity,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(Failure::resource("memory for a ring"));
    }
    let again = base.wrapping_byte_add(once);
    let mapped = map_file(base, once, descriptor, offset)
        .and_then(|_| map_file(again, capacity, descriptor, offset + HEADER_BYTES as u64));
    if let Err(failure) = mapped {
        // SAFETY: the room was reserved above and is in nobody's use.
        unsafe { libc::munmap(base, once + capacity) };
        return Err(failure);
    }
    keep_from_children(base, once + capacity);
    Ok(base)
}

/// Maps part of the file, at `address` (reserved by us) or, where that is null, anywhere.
fn map_file(
    address: *mut c_void,
    bytes: usize,
    descriptor: i32,
    offset: u64,
) -> Result<*mut c_void, Failure> {
    let fixed = if address.is_null() {
        0
    } else {
        libc::MAP_FIXED
    };
    // SAFETY: a fixed address lies in room that `map_twice` reserved.
    let mapped = unsafe {
        libc::mmap(
            address,
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | fixed,
            descriptor,
            offset as libc::off_t,
        )
    };
    if mapped == libc::MAP_FAILED {
        Err(Failure::resource("memory for a ring"))
    } else {
        Ok(mapped)
    }
}

/// A forked child has no business in its parent's rings.
fn keep_from_children(address: *mut c_void, bytes: usize) {
    // SAFETY: the mapping is ours.
    unsafe { libc::madvise(address, bytes, libc::MADV_DONTFORK) };
}
