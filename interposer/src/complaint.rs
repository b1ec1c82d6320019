//! The one message that a traced program's user may see from us.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

static SAID: AtomicBool = AtomicBool::new(false);

/// Says once in this process, on standard error, that recording is off and why. Says nothing if standard error is closed.
pub fn say(reason: &dyn fmt::Display) {
    if SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let line = format!(
        "cutape: recording is off in process {} ({}): {reason}. The program goes on unrecorded.\n",
        std::process::id(),
        name.trim_end(),
    );
    // SAFETY: the bytes are ours. A closed descriptor gives EBADF, which is all right here.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// Says once that there is no real driver to pass calls on to.
pub fn say_missing(missing: &dyn fmt::Display) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let line = format!("cutape: {missing}. Calls answer that there is no driver.\n");
    // SAFETY: as in `say`.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}
