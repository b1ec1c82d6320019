//! A loop that was found in a sequence of calls.

/// A sequence that is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Where its first iteration starts, from 0.
    pub start: u64,
    /// Calls of one iteration.
    pub body: u64,
    /// Iterations, two at least.
    pub count: u64,
}

impl Loop {
    /// Calls of all iterations.
    pub fn calls(&self) -> u64 {
        self.body.saturating_mul(self.count)
    }

    /// Where it has ended.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.calls())
    }
}
