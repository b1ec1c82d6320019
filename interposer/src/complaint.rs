//! The one message that a traced program's user may see from us.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

static SAID: AtomicBool = AtomicBool::new(false);

/// Says once in this process, on standard error, that recording is off and why. Says nothing if standard error is closed.
pub fn say(reason: &dyn fmt::Display) {
    if SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let line = format!(
        "cutape: recording is off in process {} ({}): {reason}. The program goes on unrecorded.\n",
        std::process::id(),
        program_name().to_string_lossy(),
    );
    // SAFETY: the bytes are ours. A closed descriptor gives EBADF, which is all right here.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// The program's short name. Not read from /proc: the program may have no descriptor left.
fn program_name() -> &'static CStr {
    unsafe extern "C" {
        static program_invocation_short_name: *const c_char;
    }
    // SAFETY: glibc points it to the end of argv[0] before any code of ours runs.
    unsafe { CStr::from_ptr(program_invocation_short_name) }
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

/// Says once that the recording's own rules for calls are not carried out, and why.
pub fn say_rules_ignored(reason: &str) {
    let line = format!(
        "cutape: nothing is injected in process {} ({}): {reason}; `cutape env` prints all variables that belong together.\n",
        std::process::id(),
        program_name().to_string_lossy(),
    );
    // SAFETY: as in `say`.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}
