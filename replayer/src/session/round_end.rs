//! How a round ended, and what it leaves.

use crate::report::PlayerUsage;
use crate::wire::board::stage;

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoundEnd {
    /// All calls were played.
    Complete,
    /// The driver ended the process, and how.
    Died(String),
    /// A call did not return in time.
    Hung {
        /// The call's number.
        seq: u64,
        /// What was waited for, for people.
        detail: String,
    },
    /// The replay itself can't go on, and why.
    Trouble(String),
}

/// What a round leaves besides verdicts.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Calls of the process that were taken from the trace.
    pub calls: u64,
    /// Times that the driver called back.
    pub called_back: u64,
    /// What it printed.
    pub printed: String,
    /// What the player has used.
    pub player: PlayerUsage,
}

/// Why nothing could be played: the process ended in that stage.
pub fn died_early(now: u32, how: &str) -> String {
    let doing = if now == stage::LOADING {
        "the driver ended the process while it was being loaded"
    } else {
        "the playing process ended before it loaded the driver"
    };
    format!("{doing} ({how})")
}
