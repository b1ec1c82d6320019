//! Which divergences are no news.

use crate::divergence::Divergence;

/// Says which divergences are expected: a policy.
pub trait Expectations {
    /// The reason to expect this divergence. Asked once for each divergence that is not a consequence of another one, in the order of
    /// call numbers, also for those that the report will only count.
    fn reason(&mut self, divergence: &Divergence) -> Option<String>;
}

/// No divergence is expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingExpected;

impl Expectations for NothingExpected {
    fn reason(&mut self, _: &Divergence) -> Option<String> {
        None
    }
}
