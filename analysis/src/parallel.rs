//! Work on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that work is spread over at most.
const MAX_WORKERS: usize = 32;

/// Number of threads for so many pieces of work.
pub(crate) fn workers(pieces: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors.min(MAX_WORKERS).min(pieces)
}

/// Does two pieces of work at the same time.
pub(crate) fn both<A, B: Send>(
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(second);
        (first(), second.join())
    });
    match second {
        Ok(second) => (first, second),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What something gives for each item, in their order; found on all processors.
pub(crate) fn map_all<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        while let place = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(place)
        {
            done.push((place, work(item)));
        }
        done
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers(items.len()))
            .map(|_| scope.spawn(some))
            .collect();
        let results = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.flatten().collect()
    });
    all.sort_unstable_by_key(|&(place, _)| place);
    all.into_iter().map(|(_, result)| result).collect()
}
