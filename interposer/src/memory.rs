//! Reading and writing the program's memory without ever being the one who crashes: through `process_vm_readv` and its twin, which answer
//! EFAULT where we would fault.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::capture::{errno, set_errno};

/// What lies behind the end of a page may not be mapped.
pub const PAGE: usize = 4096;

/// The kernel doesn't let us read our own memory through it: a sandbox.
static FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Reads `to.len()` bytes at an address; false if not all of them can be read, or the kernel doesn't check addresses for us.
pub fn read(from: usize, to: &mut [u8]) -> bool {
    // SAFETY: the slice is ours to write.
    unsafe {
        read_checked(
            ptr::with_exposed_provenance(from),
            to.as_mut_ptr(),
            to.len(),
        )
    }
}

/// The same, but where a sandbox forbids the call, memory is read directly.
///
/// # Safety
/// `to` has room for `bytes` bytes. The driver follows the same pointer next.
pub unsafe fn read_to(from: *const u8, to: *mut u8, bytes: usize) -> bool {
    // SAFETY: the caller's promises.
    unsafe {
        if read_checked(from, to, bytes) {
            return true;
        }
        if !FORBIDDEN.load(Ordering::Relaxed) {
            return false;
        }
        ptr::copy_nonoverlapping(from, to, bytes);
    }
    true
}

/// The text at an address with its NUL, at most `limit` bytes; what can be read of it if it runs into unmapped memory.
pub fn text(from: *const u8, limit: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < limit {
        let start = text.len();
        text.resize((start + STEP).min(limit), 0);
        let read = text_into(from.wrapping_add(start), &mut text[start..]);
        let is_whole = start + read == text.len() && text.last() != Some(&0);
        text.truncate(start + read);
        if !is_whole {
            break;
        }
    }
    text
}

/// Bytes of text read at once.
const STEP: usize = 256;

/// [`text`], as far as there is room; returns how many bytes it is. Nothing is allocated.
pub fn text_into(from: *const u8, room: &mut [u8]) -> usize {
    let mut start = 0;
    while start < room.len() {
        let at = from.wrapping_add(start);
        let step = (PAGE - at as usize % PAGE)
            .min(room.len() - start)
            .min(STEP);
        let part = &mut room[start..start + step];
        // SAFETY: the part is as long as that.
        if !unsafe { read_to(at, part.as_mut_ptr(), step) } {
            return start;
        }
        if let Some(end) = part.iter().position(|&byte| byte == 0) {
            return start + end + 1;
        }
        start += step;
    }
    start
}

/// Writes bytes to an address.
///
/// # Safety
/// The memory is there, and the program's to be written to.
pub unsafe fn write_directly(to: usize, bytes: &[u8]) {
    let to: *mut u8 = ptr::with_exposed_provenance_mut(to);
    // SAFETY: the caller's promise; our bytes lie elsewhere.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

/// Writes bytes to an address, unless that can't be written to. Where a sandbox forbids asking, only memory is written to that the driver
/// has `just_written` to.
pub fn write(to: usize, bytes: &[u8], just_written: bool) {
    if bytes.is_empty() {
        return;
    }
    let local = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(),
        iov_len: bytes.len(),
    };
    let to: *mut u8 = ptr::with_exposed_provenance_mut(to);
    let remote = libc::iovec {
        iov_base: to.cast::<c_void>(),
        iov_len: bytes.len(),
    };
    let kept = errno();
    // SAFETY: the slice is readable; the kernel checks `to`.
    let written = unsafe {
        libc::process_vm_writev(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    let error = errno();
    set_errno(kept);
    let is_forbidden = written < 0 && (error == libc::ENOSYS || error == libc::EPERM);
    if is_forbidden && just_written {
        // SAFETY: the driver has just written there.
        unsafe { write_directly(to as usize, bytes) };
    }
}

/// # Safety
/// `to` has room for `bytes` bytes.
unsafe fn read_checked(from: *const u8, to: *mut u8, bytes: usize) -> bool {
    if bytes == 0 {
        return true;
    }
    if FORBIDDEN.load(Ordering::Relaxed) {
        return false;
    }
    let local = libc::iovec {
        iov_base: to.cast::<c_void>(),
        iov_len: bytes,
    };
    let remote = libc::iovec {
        iov_base: from.cast_mut().cast::<c_void>(),
        iov_len: bytes,
    };
    let kept = errno();
    // SAFETY: the caller's promise about `to`; the kernel checks `from`.
    let read = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    let error = errno();
    set_errno(kept);
    if read < 0 && (error == libc::ENOSYS || error == libc::EPERM) {
        FORBIDDEN.store(true, Ordering::Relaxed);
    }
    read == bytes as isize
}
