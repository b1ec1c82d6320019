//! The index: a few bytes for each call of a trace, in columns: who called what, when, how long it took and what came back. Arguments stay
//! in the trace and are decoded where they are looked at.
//!
//! An index is a list of parts, one for each Calls block, which are shared between copies: whoever builds one can hand copies of the
//! beginning to others meanwhile.

mod build;
mod chunk;
mod packed;
mod rows;

use std::ops::Range;
use std::sync::Arc;

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, FunctionId, ProcessId, ThreadId};

pub(crate) use chunk::Chunk;
pub use rows::Rows;

use crate::survey::MAX_DAMAGES;

/// Calls that wait to be packed.
const TAIL_ROWS: usize = 8192;

/// What an index knows of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The process.
    pub process: ProcessId,
    /// The thread.
    pub thread: ThreadId,
    /// The function.
    pub function: FunctionId,
    /// Begin, CLOCK_MONOTONIC nanoseconds.
    pub begin_ns: u64,
    /// Duration, nanoseconds; `None` for a call that never returned.
    pub duration_ns: Option<u64>,
    /// Return value, zero-extended; `None` for a call that never returned.
    pub returned: Option<u64>,
}

impl Row {
    /// What it shares with other calls.
    pub fn kind(&self) -> CallKind {
        CallKind {
            process: self.process,
            thread: self.thread,
            function: self.function,
            returned: self.returned,
        }
    }
}

impl From<&Call> for Row {
    fn from(call: &Call) -> Self {
        Self {
            process: call.process,
            thread: call.thread,
            function: call.function,
            begin_ns: call.begin_ns,
            // A call has both or none; a trace that says otherwise is not believed.
            duration_ns: call.returned.map(|_| call.duration_ns.unwrap_or(0)),
            returned: call.returned,
        }
    }
}

/// What many calls have in common: a few dozen kinds make up most traces, so that what is asked of them is answered once for each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallKind {
    /// The process.
    pub process: ProcessId,
    /// The thread.
    pub thread: ThreadId,
    /// The function.
    pub function: FunctionId,
    /// Return value; `None` if it never returned.
    pub returned: Option<u64>,
}

/// A stretch of call numbers.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Calls.
    Calls(Arc<Chunk>),
    /// So many calls that can't be read.
    Hole(u64),
}

impl Part {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Calls(chunk) => chunk.len() as u64,
            Self::Hole(calls) => *calls,
        }
    }
}

/// Rows of the calls of a trace, by number. Copies share what they hold.
#[derive(Clone, Debug, Default)]
pub struct Index {
    parts: Vec<Part>,
    /// Number of the first call of each part, from 1.
    starts: Vec<u64>,
    /// Calls in parts.
    packed: u64,
    /// The last calls, not packed yet.
    tail: Vec<Row>,
    damages: Vec<Damage>,
}

impl Index {
    /// Number of calls, those that can't be read included: the highest number of a call.
    pub fn len(&self) -> u64 {
        self.packed + self.tail.len() as u64
    }

    /// Whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of a call by its number, from 1; `None` beyond the last one, and where the call can't be read.
    pub fn row(&self, seq: u64) -> Option<Row> {
        if seq > self.packed {
            let place = usize::try_from(seq - self.packed - 1).ok()?;
            return self.tail.get(place).copied();
        }
        let part = self.part_of(seq)?;
        match &self.parts[part] {
            Part::Calls(chunk) => Some(chunk.row((seq - self.starts[part]) as usize)),
            Part::Hole(_) => None,
        }
    }

    /// All rows that can be read, with their numbers, from number `seq` on.
    pub fn rows_from(&self, seq: u64) -> Rows<'_> {
        Rows::new(self, seq)
    }

    /// Numbers of calls that can't be read.
    pub fn holes(&self) -> impl Iterator<Item = Range<u64>> {
        let parts = self.parts.iter().zip(&self.starts);
        parts.filter_map(|(part, &start)| match part {
            Part::Hole(calls) => Some(start..start + calls),
            Part::Calls(_) => None,
        })
    }

    /// The number of the first call that began at `at_ns` (CLOCK_MONOTONIC) or later; one more than the last number if none did.
    pub fn seq_at(&self, at_ns: u64) -> u64 {
        let later = self.first_part_from(at_ns);
        // The call may lie in the last part with calls that begins earlier.
        let earlier = self.parts[..later]
            .iter()
            .rposition(|part| matches!(part, Part::Calls(_)));
        let start = earlier.map_or(1, |part| self.starts[part]);
        self.rows_from(start)
            .find(|(_, row)| row.begin_ns >= at_ns)
            .map_or(self.len() + 1, |(seq, _)| seq)
    }

    /// Place of the first part whose first call began then or later. A hole has no times and counts as what is before it; neighbouring
    /// holes are one part, so that is never far.
    fn first_part_from(&self, at_ns: u64) -> usize {
        let begin_ns = |place: usize| match self.parts.get(place)? {
            Part::Calls(chunk) => Some(chunk.row(0).begin_ns),
            Part::Hole(_) => None,
        };
        let (mut low, mut high) = (0, self.parts.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let begin = begin_ns(middle).or_else(|| begin_ns(middle.checked_sub(1)?));
            if begin.is_some_and(|begin| begin >= at_ns) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// What could not be read while it was built, the first thousand.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Adds the next call of a recording that is going on. Numbers left out are calls that can't be read; a call with a number that is
    /// there already is passed over.
    pub fn push(&mut self, call: &Call) {
        let expected = self.len() + 1;
        if call.seq < expected {
            return;
        }
        if call.seq > expected {
            self.push_hole(call.seq - expected);
        }
        self.tail.push(Row::from(call));
        if self.tail.len() == TAIL_ROWS {
            self.pack_tail();
        }
    }

    /// Memory that it takes, what it shares with copies included.
    pub fn heap_bytes(&self) -> usize {
        let chunks: usize = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Calls(chunk) => size_of::<Chunk>() + chunk.heap_bytes(),
                Part::Hole(_) => 0,
            })
            .sum();
        let lists = self.parts.capacity() * size_of::<Part>() + self.starts.capacity() * 8;
        chunks + lists + self.tail.capacity() * size_of::<Row>()
    }

    /// The parts, each with the number of its first call. What [`Self::push`] added last may not be in one yet.
    pub(crate) fn parts(&self) -> Vec<(u64, &Part)> {
        self.starts.iter().copied().zip(&self.parts).collect()
    }

    /// The same calls, all of them in parts.
    pub(crate) fn packed(&self) -> Self {
        let mut packed = self.clone();
        packed.pack_tail();
        packed
    }

    fn part_of(&self, seq: u64) -> Option<usize> {
        self.starts
            .partition_point(|&start| start <= seq)
            .checked_sub(1)
    }

    fn push_part(&mut self, part: Part) {
        let calls = part.len();
        if let (Some(Part::Hole(hole)), Part::Hole(more)) = (self.parts.last_mut(), &part) {
            *hole += more;
        } else if calls > 0 {
            self.starts.push(self.packed + 1);
            self.parts.push(part);
        }
        self.packed += calls;
    }

    fn push_hole(&mut self, calls: u64) {
        self.pack_tail();
        self.push_part(Part::Hole(calls));
    }

    fn pack_tail(&mut self) {
        let chunk = Chunk::of_rows(&self.tail);
        self.tail.clear();
        self.push_part(Part::Calls(Arc::new(chunk)));
    }

    fn push_damage(&mut self, damage: Damage) {
        if self.damages.len() < MAX_DAMAGES {
            self.damages.push(damage);
        }
    }
}
