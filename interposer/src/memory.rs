//! Reading the program's memory without ever being the one who crashes: through `process_vm_readv`, which answers EFAULT where we would
//! fault.

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
