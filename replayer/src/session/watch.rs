//! Notices calls that don't return.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::session::chunks::{Chunks, Posted};
use crate::wire::board::Board;
use crate::wire::slot::state;

/// How often calls are looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// A call that took long when it was recorded may take this many times as long.
const PATIENCE: u64 = 4;

/// How long calls may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// One call.
    pub call: Duration,
    /// When all must be over.
    pub deadline: Option<Instant>,
}

/// A call that does not return.
#[derive(Clone, Debug)]
pub struct Hang {
    /// Its number.
    pub seq: u64,
    /// How long it was waited for, for people.
    pub detail: String,
}

/// Remembers since when calls are seen going on.
#[derive(Debug)]
pub struct Watch {
    /// Number and first sight of calls that go on, by the offset of their slots.
    going: HashMap<usize, (u64, Instant)>,
    looked: Instant,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            going: HashMap::new(),
            looked: Instant::now(),
        }
    }
}

impl Watch {
    /// A call that has gone on for too long, if it is time to look and there is one.
    pub fn look(&mut self, board: &Board, chunks: &Chunks, limits: Limits) -> Option<Hang> {
        if self.looked.elapsed() < INTERVAL {
            return None;
        }
        let now = Instant::now();
        self.looked = now;
        let mut going = HashMap::new();
        for slot in chunks.open() {
            if state_of(board, slot) != state::STARTED {
                continue;
            }
            let seq = slot.site.seq;
            let known = self.going.get(&slot.offset).filter(|known| known.0 == seq);
            let since = known.map_or(now, |known| known.1);
            going.insert(slot.offset, (seq, since));
            let recorded_ns = slot.site.recorded_ns.unwrap_or(0);
            let recorded = Duration::from_nanos(recorded_ns.saturating_mul(PATIENCE));
            let limit = limits.call.max(recorded);
            if now.duration_since(since) >= limit {
                let detail = format!("did not return within {} s", limit.as_secs_f64());
                return Some(Hang { seq, detail });
            }
        }
        self.going = going;
        let is_late = limits.deadline.is_some_and(|deadline| now >= deadline);
        let first = chunks.open().map(|slot| slot.site.seq).min();
        first.filter(|_| is_late).map(|seq| Hang {
            seq,
            detail: "the time for the whole replay was over".to_owned(),
        })
    }
}

/// The state of a slot.
pub fn state_of(board: &Board, slot: &Posted) -> u32 {
    let state = board.slot_state(slot.offset);
    state.map_or(state::WAITING, |state| state.load(Ordering::Acquire))
}
