//! Work that wants more stack than a thread may have: programs start threads with as little as 16 KiB, and any of them may make the first
//! call. Reading a profile takes 40 KiB in a debug build (measured); everything else fits.

use crate::stream::with_signals_blocked;

/// What such work may use.
const ROOM_BYTES: usize = 256 << 10;

/// Does the work here if there is room, and else on a thread of its own, for which the caller waits.
pub fn with_room<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if left_bytes().is_none_or(|left| left >= ROOM_BYTES) {
        return work();
    }
    let mut work = Some(work);
    let mut result = None;
    let is_started = std::thread::scope(|scope| {
        let run = || result = work.take().map(|work| work());
        let builder = std::thread::Builder::new()
            .name("cuda-sim".to_owned())
            .stack_size(ROOM_BYTES);
        with_signals_blocked(|| builder.spawn_scoped(scope, run)).is_ok()
    });
    match (is_started, result, work) {
        (true, Some(result), _) => result,
        // No thread can be had: it may fit all the same.
        (_, _, Some(work)) => work(),
        _ => unreachable!("the thread has run the work to its end: the scope waited for it"),
    }
}

/// Bytes of the calling thread's stack below this function; `None` where the system does not say.
fn left_bytes() -> Option<usize> {
    let local = 0u8;
    let here = std::ptr::from_ref(std::hint::black_box(&local)).addr();
    // SAFETY: the attributes are local, filled by the first call and given back by the last; a thread may always ask about itself.
    let lowest = unsafe {
        let mut attributes = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let (mut lowest, mut bytes) = (std::ptr::null_mut(), 0);
        let code =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut bytes);
        libc::pthread_attr_destroy(&raw mut attributes);
        (code == 0).then_some(lowest.addr())?
    };
    here.checked_sub(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_whatever_room_the_caller_has() {
        for bytes in [16 << 10, 1 << 20] {
            let builder = std::thread::Builder::new().stack_size(bytes);
            let thread = builder.spawn(|| {
                with_room(|| {
                    let large = [1u8; 128 << 10];
                    std::hint::black_box(&large)
                        .iter()
                        .map(|byte| usize::from(*byte))
                        .sum::<usize>()
                })
            });
            assert_eq!(
                thread.expect("a thread").join().expect("it ends"),
                128 << 10
            );
        }
    }
}
