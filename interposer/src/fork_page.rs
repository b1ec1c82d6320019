//! How a call knows that it runs in a forked child.
//!
//! A child must not write to its parent's rings. `pthread_atfork` handlers miss `clone` and Go's own fork, and asking for the
//! process id costs a system call; but a page marked `MADV_WIPEONFORK` reads as zeros in every child that has memory of its own,
//! however it was made. The page holds the number that each thread compares with its own at every call.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::process::Process;

/// What is wiped in a child.
#[repr(C)]
pub struct ForkPage {
    /// Number of the recording that is going on in this process; [`NOT_STARTED`] before the first call, [`OFF`] once recording was turned off.
    pub epoch: AtomicU64,
    /// The recording's state; null before the first call.
    pub process: AtomicPtr<Process>,
    /// 1 while a thread starts the recording.
    pub starting: AtomicU32,
    /// Kernel id of the thread that starts it.
    pub starting_thread: AtomicU32,
}

/// Value of [`ForkPage::epoch`] before the first call, in a forked child as well as in a new process.
pub const NOT_STARTED: u64 = 0;
/// Value of [`ForkPage::epoch`] that no thread's state ever has: all calls take the slow path and pass unrecorded.
pub const OFF: u64 = u64::MAX;

static BEFORE_FIRST_CALL: ForkPage = ForkPage {
    epoch: AtomicU64::new(0),
    process: AtomicPtr::new(ptr::null_mut()),
    starting: AtomicU32::new(0),
    starting_thread: AtomicU32::new(0),
};

/// Where the process's page is; see [`fork_page`].
pub static PAGE: AtomicPtr<ForkPage> = AtomicPtr::new((&raw const BEFORE_FIRST_CALL).cast_mut());

/// The process's page.
#[inline(always)]
pub fn fork_page() -> &'static ForkPage {
    // SAFETY: PAGE always points to the static or to a mapping that is never unmapped; all fields are atomics.
    unsafe { &*PAGE.load(Ordering::Relaxed) }
}

/// Makes the page if there is none yet. `Err` when memory for it can't be had.
pub fn prepare() -> Result<(), std::io::Error> {
    if !ptr::eq(PAGE.load(Ordering::Acquire), &raw const BEFORE_FIRST_CALL) {
        return Ok(());
    }
    let bytes = 4096;
    // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs nothing.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the mapping was made just now.
    if unsafe { libc::madvise(page, bytes, libc::MADV_WIPEONFORK) } != 0 {
        // Before Linux 4.14: children made by fork() run this handler, others are not told apart.
        // SAFETY: the handler touches atomics only.
        unsafe { libc::pthread_atfork(None, None, Some(wipe_in_child)) };
    }
    let first = (&raw const BEFORE_FIRST_CALL).cast_mut();
    if PAGE
        .compare_exchange(first, page.cast(), Ordering::AcqRel, Ordering::Acquire)
        .is_err()
    {
        // SAFETY: another thread was faster; nobody has seen this mapping.
        unsafe { libc::munmap(page, bytes) };
    }
    Ok(())
}

unsafe extern "C" fn wipe_in_child() {
    let page = fork_page();
    page.epoch.store(0, Ordering::Relaxed);
    page.process.store(ptr::null_mut(), Ordering::Relaxed);
    page.starting.store(0, Ordering::Relaxed);
}

/// A number that no earlier recording of this process or its ancestors had.
pub fn next_epoch() -> u64 {
    // Ordinary memory: a child goes on counting where its parent was.
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
