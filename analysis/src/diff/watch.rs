//! Going along with a comparison: how far it is, and stopping it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::word_lists::Full;

/// Why a comparison has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffError {
    /// Whoever watched it stopped it.
    Stopped,
    /// A trace has more calls, or more different ones, than can be numbered.
    TooLong,
}

impl std::fmt::Display for DiffError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Stopped => "the comparison was stopped",
            Self::TooLong => {
                "expected traces of fewer than 4,294,967,295 calls, found more; compare parts of them (`cutape trim --calls A..B`)"
            }
        })
    }
}

impl std::error::Error for DiffError {}

impl From<Full> for DiffError {
    fn from(_: Full) -> Self {
        Self::TooLong
    }
}

/// Is told how much of the work is done, of how much; false stops the comparison. Called from several threads.
pub type Report<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// How far a comparison is: a call counts when it was read, and again in each of the passes in which calls are aligned.
pub(crate) struct Watch<'a> {
    report: Report<'a>,
    done: AtomicU64,
    all: u64,
}

/// Passes over all calls in which they are aligned.
const PASSES: u64 = 4;

/// Nobody watches.
#[cfg(test)]
pub(crate) static IDLE: Watch<'static> = Watch {
    report: &|_, _| true,
    done: AtomicU64::new(0),
    all: 0,
};

/// Calls between two reports.
const INTERVAL: u64 = 1 << 16;

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Watch")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Of reading and aligning so many calls.
    pub fn of_comparison(report: Report<'a>, calls: u64) -> Self {
        Self::new(report, calls.saturating_mul(1 + PASSES))
    }

    /// Of so much work.
    pub fn new(report: Report<'a>, all: u64) -> Self {
        Self {
            report,
            done: AtomicU64::new(0),
            all,
        }
    }

    /// One more call was read, the `count`th of its trace.
    #[inline]
    pub fn read(&self, count: u64) -> Result<(), DiffError> {
        if count.is_multiple_of(INTERVAL) {
            return self.report(INTERVAL);
        }
        Ok(())
    }

    /// One pass over so many calls is done.
    pub fn passed(&self, calls: usize) -> Result<(), DiffError> {
        self.report(calls as u64)
    }

    /// `more` is done.
    pub fn report(&self, more: u64) -> Result<(), DiffError> {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        if (self.report)(done.min(self.all), self.all) {
            Ok(())
        } else {
            Err(DiffError::Stopped)
        }
    }

    /// Whether the work is still wanted. Told in the midst of work of which nobody knows how far it is.
    pub fn look(&self) -> Result<(), DiffError> {
        self.report(0)
    }

    /// The same after so many symbols; most of the time that costs nothing.
    #[inline]
    pub fn look_at(&self, count: usize) -> Result<(), DiffError> {
        if (count as u64).is_multiple_of(INTERVAL) {
            return self.look();
        }
        Ok(())
    }
}
