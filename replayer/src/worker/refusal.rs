//! Why the player does not make a call.

use crate::skip::SkipReason;
use crate::wire::slot::Outcome;

/// Why a call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: SkipReason,
    /// For a consequence the causing call's number, for an unknown handle its recorded word.
    pub detail: u64,
    /// Which parameter's.
    pub param: u32,
}

impl Refusal {
    /// For that reason.
    pub fn new(reason: SkipReason) -> Self {
        Self {
            reason,
            detail: 0,
            param: 0,
        }
    }

    /// An object that an earlier call did not bring.
    pub fn consequence_of(cause: u64) -> Self {
        Self {
            detail: cause,
            ..Self::new(SkipReason::Consequence)
        }
    }

    /// A handle or device pointer that nobody answered.
    pub fn unknown(word: u64) -> Self {
        Self {
            detail: word,
            ..Self::new(SkipReason::UnknownHandle)
        }
    }

    /// As an answer.
    pub fn outcome(self) -> Outcome {
        Outcome::Skipped {
            reason: self.reason as u32,
            detail: self.detail,
            param: self.param,
        }
    }
}

impl From<SkipReason> for Refusal {
    fn from(reason: SkipReason) -> Self {
        Self::new(reason)
    }
}
