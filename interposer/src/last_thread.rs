//! Noticing that all threads but our own have gone.
//!
//! A program whose main thread ended by `pthread_exit` ends when its last thread does, and the C library counts ours as one. So ours
//! must go when the others have; the C library then ends the process from it, as it would have done from the program's last thread.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

/// The main thread has begun to end while the others go on.
static MAIN_ENDS: AtomicBool = AtomicBool::new(false);

/// Called by each traced thread as it ends; true if it is the main thread. (A `main` that returns runs no thread's destructors.)
pub fn thread_ends() -> bool {
    // SAFETY: both only return a number.
    let is_main = unsafe { libc::gettid() == libc::getpid() };
    if is_main {
        MAIN_ENDS.store(true, Ordering::Relaxed);
    }
    is_main
}

/// Whether the program goes on without its main thread, so that [`is_alone`] is worth asking.
pub fn main_has_ended() -> bool {
    MAIN_ENDS.load(Ordering::Relaxed) || main_is_zombie()
}

/// Whether the calling thread is the only one left. False where that can't be told.
pub fn is_alone() -> bool {
    // SAFETY: only returns a number.
    let own = unsafe { libc::gettid() };
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return false;
    };
    let mut others = tasks
        .flatten()
        .filter_map(|task| task.file_name().to_str()?.parse::<libc::pid_t>().ok())
        .filter(|&task| task != own);
    // The main thread stays in the list until the process ends.
    main_is_zombie() && others.all(|task| task as u32 == std::process::id())
}

/// The third field of the main thread's `stat`, behind a name that may hold anything.
fn main_is_zombie() -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", std::process::id()));
    stat.is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z"))
    })
}
