//! Work on all processors.

/// Threads that work is spread over at most.
const MAX_WORKERS: usize = 32;

/// Number of threads for so many pieces of work.
pub(crate) fn workers(pieces: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors.min(MAX_WORKERS).min(pieces)
}
