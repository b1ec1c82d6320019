//! Waiting for a process that is not our child.

use std::time::Duration;

/// Waits until the process has ended, at most for `limit`.
pub fn wait(pid: u32, limit: Duration) {
    // SAFETY: pidfd_open takes a process id and flags; a process that is gone gives -1.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32;
    if descriptor < 0 {
        return;
    }
    let mut poll = libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one pollfd that is ours; the descriptor was opened above and is closed once.
    unsafe {
        libc::poll(&raw mut poll, 1, milliseconds);
        libc::close(descriptor);
    }
}
