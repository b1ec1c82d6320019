//! Work on all processors.

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
