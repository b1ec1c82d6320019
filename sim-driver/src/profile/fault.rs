//! A fault: calls of a function that answer something else than the simulated GPU would.

use std::sync::atomic::{AtomicU64, Ordering};

use super::When;

/// One `[[fault]]` of a profile, for one function.
#[derive(Debug)]
pub struct Fault {
    /// The exported name that it applies to.
    pub function: String,
    /// What those calls answer.
    pub answer: FaultAnswer,
    /// Which calls.
    pub when: When,
    calls: AtomicU64,
}

/// What a call answers that a fault hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultAnswer {
    /// The code that is returned without doing the work; `None` if the work is done and only values are replaced.
    pub error: Option<u32>,
    /// What is written through out parameters, by the parameter's place, with the bytes of the value.
    pub set: Vec<(usize, Vec<u8>)>,
}

impl Fault {
    /// A fault that has not seen a call yet.
    pub fn new(function: String, answer: FaultAnswer, when: When) -> Self {
        Self {
            function,
            answer,
            when,
            calls: AtomicU64::new(0),
        }
    }

    /// Counts a call, and says whether it is hit.
    pub fn next_call_is_hit(&self) -> bool {
        self.when
            .hits(self.calls.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Clone for Fault {
    fn clone(&self) -> Self {
        Self::new(
            self.function.clone(),
            self.answer.clone(),
            self.when.clone(),
        )
    }
}
