//! Waiting for a word of shared memory to change.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Looks at a word this often before the thread sleeps: about a microsecond.
const LOOKS: u32 = 100;

/// Sleeps until the word is other than `seen`, or about `limit` has passed, or for no reason.
pub fn wait(word: &AtomicU32, seen: u32, limit: Duration) {
    let limit = libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: limit.subsec_nanos().into(),
    };
    // SAFETY: the word is valid as long as the borrow; the kernel only reads it, and compares it with `seen` before it sleeps.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            seen,
            &raw const limit,
        )
    };
}

/// Wakes all that wait for the word, in this process and others.
pub fn wake(word: &AtomicU32) {
    // SAFETY: the address is only a name here.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// Waits until `is_enough` holds of the word. `sleepers` is raised while this thread may sleep, so that who changes the word knows
/// whether somebody is to be woken: see [`announce`].
pub fn wait_until(word: &AtomicU32, sleepers: &AtomicU32, is_enough: impl Fn(u32) -> bool) {
    for _ in 0..LOOKS {
        if is_enough(word.load(Ordering::Acquire)) {
            return;
        }
        std::hint::spin_loop();
    }
    sleepers.fetch_add(1, Ordering::SeqCst);
    loop {
        let seen = word.load(Ordering::SeqCst);
        if is_enough(seen) {
            break;
        }
        // The limit is a net under the protocol, not a part of it.
        wait(word, seen, Duration::from_secs(1));
    }
    sleepers.fetch_sub(1, Ordering::SeqCst);
}

/// Wakes those that wait for a word that was changed without announcing it.
pub fn wake_sleepers(word: &AtomicU32, sleepers: &AtomicU32) {
    // Either a sleeper sees the change before it sleeps, or it is seen here.
    std::sync::atomic::fence(Ordering::SeqCst);
    if sleepers.load(Ordering::Relaxed) != 0 {
        wake(word);
    }
}

/// Adds one to the word and wakes those that wait for it. Only one thread may announce on a word.
pub fn announce(word: &AtomicU32, sleepers: &AtomicU32) {
    word.store(
        word.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::SeqCst,
    );
    if sleepers.load(Ordering::SeqCst) != 0 {
        wake(word);
    }
}
