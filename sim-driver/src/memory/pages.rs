//! Pages of the process, from and to the kernel.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;

/// Fresh zeroed pages, mapped when touched, at an address that is a multiple of `align` (a power of two). `None` where the address
/// space or its limit is used up.
pub fn map(bytes: u64, align: u64) -> Option<u64> {
    anonymous(
        bytes,
        align,
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE,
    )
}

/// Addresses without memory behind them.
pub fn reserve(bytes: u64, align: u64) -> Option<u64> {
    anonymous(bytes, align, libc::PROT_NONE, libc::MAP_PRIVATE)
}

/// Pages that can be mapped a second time with [`map_again`].
pub fn map_shareable(bytes: u64) -> Option<u64> {
    anonymous(
        bytes,
        PAGE_BYTES,
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_SHARED,
    )
}

/// Gives pages and addresses back.
pub fn unmap(base: u64, bytes: u64) {
    // SAFETY: callers pass a range that one of the functions above returned and that nothing uses any more.
    unsafe { libc::munmap(base as usize as *mut libc::c_void, round_up(bytes) as usize) };
}

/// Shows shareable pages a second time, at a reserved address. `false` if the kernel refuses.
pub fn map_again(pages: u64, bytes: u64, at: u64) -> bool {
    // SAFETY: a size of 0 leaves the old mapping in place and makes a second one of the same shared pages; the target lies inside a
    // reservation of ours, whose pages hold nothing.
    let made = unsafe {
        libc::mremap(
            pages as usize as *mut libc::c_void,
            0,
            bytes as usize,
            libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED,
            at as usize as *mut libc::c_void,
        )
    };
    made != libc::MAP_FAILED && protect(at, bytes, Access::None)
}

/// Copies pages of ours into a file of that size and maps the file in their place. `false`, with the pages as they were, if the kernel
/// refuses.
pub fn move_into_file(at: u64, bytes: u64, file: &File) -> bool {
    const ZERO: [u8; PAGE_BYTES as usize] = [0; PAGE_BYTES as usize];
    for offset in (0..bytes).step_by(PAGE_BYTES as usize) {
        // SAFETY: the range is a mapping of ours that may be read, and callers see to it that nobody writes to it meanwhile.
        let page = unsafe {
            std::slice::from_raw_parts((at + offset) as usize as *const u8, PAGE_BYTES as usize)
        };
        // What was never touched stays a hole in the file, and costs nothing.
        if page != ZERO && file.write_all_at(page, offset).is_err() {
            return false;
        }
    }
    // SAFETY: replaces the mapping of ours by one of the same size with the same bytes.
    let made = unsafe {
        libc::mmap(
            at as usize as *mut libc::c_void,
            bytes as usize,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_FIXED,
            file.as_raw_fd(),
            0,
        )
    };
    made != libc::MAP_FAILED
}

/// Maps a whole file at a place of the kernel's choice.
pub fn map_file(file: &File, bytes: u64) -> Option<u64> {
    // SAFETY: a new mapping at a place of the kernel's choice touches no memory of anyone else.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            usize::try_from(bytes).ok()?,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    (start != libc::MAP_FAILED).then_some(start as u64)
}

/// Turns a range of a reservation back into addresses without memory.
pub fn reserve_again(at: u64, bytes: u64) -> bool {
    // SAFETY: the range lies inside a reservation of ours; what was mapped there is being unmapped by the program's own request.
    let made = unsafe {
        libc::mmap(
            at as usize as *mut libc::c_void,
            bytes as usize,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    made != libc::MAP_FAILED
}

/// What may be done with mapped memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    None,
    Read,
    ReadWrite,
}

/// Sets what may be done with a range of a reservation.
pub fn protect(at: u64, bytes: u64, access: Access) -> bool {
    let bits = match access {
        Access::None => libc::PROT_NONE,
        Access::Read => libc::PROT_READ,
        Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
    };
    // SAFETY: the range lies inside a reservation of ours.
    unsafe { libc::mprotect(at as usize as *mut libc::c_void, bytes as usize, bits) == 0 }
}

/// The next multiple of the page size.
pub fn round_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE_BYTES)
}

fn anonymous(bytes: u64, align: u64, access: libc::c_int, sharing: libc::c_int) -> Option<u64> {
    let bytes = bytes.checked_next_multiple_of(PAGE_BYTES)?;
    let spare = align.saturating_sub(PAGE_BYTES);
    let whole = bytes.checked_add(spare)?;
    // SAFETY: a new mapping at a place of the kernel's choice touches no memory of anyone else.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            usize::try_from(whole).ok()?,
            access,
            sharing | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    let start = start as u64;
    let base = start.next_multiple_of(align.max(PAGE_BYTES));
    if base > start {
        unmap(start, base - start);
    }
    if base + bytes < start + whole {
        unmap(base + bytes, start + whole - base - bytes);
    }
    Some(base)
}
