//! A call in its place among the others of its process, as rules look at it.

use std::ops::Deref;

use super::driver_exports::DriverExports;
use super::facts::ProcessFacts;
use super::seen_call::SeenCall;

/// A call, with what its process did up to and including it.
pub struct Moment<'a> {
    /// The call.
    pub seen: SeenCall<'a>,
    /// What its process did.
    pub facts: &'a ProcessFacts,
    /// What the driver exports, if the trace says it.
    pub exports: &'a DriverExports,
}

impl<'a> Deref for Moment<'a> {
    type Target = SeenCall<'a>;

    fn deref(&self) -> &Self::Target {
        &self.seen
    }
}
