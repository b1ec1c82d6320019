//! Taking a thread's ring back when the thread ends.

use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use crate::fork_page::fork_page;
use crate::last_thread;
use crate::process::Process;
use crate::recording::BlockedSignals;
use crate::thread::ThreadState;

/// Has [`thread_ends`] run when the calling thread ends. A call that comes later, from another library's destructor, attaches the
/// thread anew and sets the value again; POSIX gives destructors several rounds for that.
pub fn watch(thread: &mut ThreadState) {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is ours. A process may have no keys left; then rings of ended threads are not used again.
        (unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ends)) } == 0).then_some(key)
    });
    if let Some(key) = key {
        // SAFETY: the key was made above and is never deleted. The value only has to be other than null.
        unsafe { libc::pthread_setspecific(*key, std::ptr::from_mut(thread).cast::<c_void>()) };
    }
}

unsafe extern "C" fn thread_ends(_: *mut c_void) {
    let thread = ThreadState::current();
    // SAFETY: the state is the ending thread's own; its ring lives for ever.
    unsafe {
        let ours = (*thread).epoch == fork_page().epoch.load(Ordering::Acquire);
        let (Some(process), Some(ring), true) = (Process::get(), (*thread).ring.as_ref(), ours)
        else {
            return;
        };
        // A handler's call on this thread must not find the ring half given away.
        let _signals = BlockedSignals::new();
        ThreadState::forget_ring(thread);
        process.give_back(ring);
        if last_thread::thread_ends() {
            process.wake_flusher();
        }
    }
}
