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

/// Is told how many calls were read of how many; false stops the comparison. Called from several threads.
pub type Report<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// How far a comparison is.
pub(crate) struct Watch<'a> {
    report: Report<'a>,
    done: AtomicU64,
    all: u64,
}

/// Calls between two reports.
const INTERVAL: u64 = 1 << 16;

impl<'a> Watch<'a> {
    /// Of work on so many calls.
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

    /// `more` calls were read.
    pub fn report(&self, more: u64) -> Result<(), DiffError> {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        if (self.report)(done.min(self.all), self.all) {
            Ok(())
        } else {
            Err(DiffError::Stopped)
        }
    }
}
