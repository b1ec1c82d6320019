//! Where the calling thread's stack lies.

use std::ffi::c_void;

unsafe extern "C" {
    /// Stack pointer at program start, kept by the dynamic loader (glibc, ld.so): everything above it up to the kernel's strings is
    /// mapped.
    static __libc_stack_end: *const c_void;
}

/// The main thread's stack may grow this far at least when its limit is "unlimited".
const USUAL_STACK_BYTES: usize = 8 << 20;

/// Lowest and highest address; the same twice where they can't be told.
///
/// For the main thread `pthread_getattr_np` would open and parse /proc/self/maps, so its bounds come from the loader and the limit.
pub fn bounds() -> (usize, usize) {
    // SAFETY: both calls only return numbers.
    let is_main = unsafe { libc::getpid() == libc::gettid() };
    if is_main {
        main_thread()
    } else {
        other_thread().unwrap_or((0, 0))
    }
}

fn main_thread() -> (usize, usize) {
    // SAFETY: set by the loader before any code of ours runs, never changed.
    let end = unsafe { __libc_stack_end } as usize;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is ours.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } == 0;
    let bytes = if known && limit.rlim_cur != libc::RLIM_INFINITY {
        limit.rlim_cur as usize
    } else {
        USUAL_STACK_BYTES
    };
    (end.saturating_sub(bytes), end)
}

fn other_thread() -> Option<(usize, usize)> {
    // SAFETY: the attributes are initialised by pthread_getattr_np and destroyed after use.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let mut start = std::ptr::null_mut();
        let mut bytes = 0;
        let known =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut bytes) == 0;
        libc::pthread_attr_destroy(&raw mut attributes);
        known.then(|| (start as usize, start as usize + bytes))
    }
}
