//! Calls and news on their way from the rings into blocks.

use super::news::News;
use super::{Input, RingSlice, RingState};
use crate::block::MAX_GROUPS;
use crate::calls_block::Covered;
use crate::clock::ClockFit;
use crate::record::{End, Record};
use crate::ring::{CallId, kind};

/// Rows of a Calls block; smaller blocks compress worse, larger ones hardly better.
const ROWS: usize = 8192;
/// A block is closed when the records in it take this many bytes, so that captures can't blow it up.
const RECORD_BYTES: usize = 8 << 20;
/// In place of the offset of an END record: there is none yet, or one without captures, which need not be looked at again. Rings are
/// far smaller than these offsets.
pub(super) const NOT_RETURNED: u32 = u32::MAX;
/// See [`NOT_RETURNED`].
pub(super) const NO_CAPTURES: u32 = u32::MAX - 1;

/// Rows and news that are not in a block yet.
#[derive(Default)]
pub(super) struct Batch {
    pub rows: Vec<Row>,
    pub groups: Vec<Group>,
    /// Calls of this batch that have not returned, innermost last.
    pub stack: Vec<(CallId, u32)>,
    pub covers: Vec<Covered>,
    pub news: News,
    pub record_bytes: usize,
    pub sorted: bool,
}

/// A call of the batch, and where its records are: slice number and byte offset.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub begin: u64,
    pub duration: u64,
    pub returned: u64,
    pub thread: u32,
    pub group: u32,
    pub begin_slice: u16,
    pub end_slice: u16,
    pub begin_at: u32,
    pub end_at: u32,
}

/// The calls of one function, with one number of argument words.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub function: u32,
    pub args: u8,
    pub rows: u32,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            sorted: true,
            ..Self::default()
        }
    }

    /// Whether a record of that kind must go to the next batch, with `more` bytes of records taken in since the last [`Self::cover`].
    /// Ends still go into a batch that has all its rows: they belong to them.
    #[inline]
    pub fn is_full(&self, kind: u8, more: usize) -> bool {
        let full = self.rows.len() >= ROWS || self.groups.len() >= MAX_GROUPS;
        (kind == kind::BEGIN && full) || self.record_bytes + more >= RECORD_BYTES
    }

    #[inline]
    pub fn begin(&mut self, call: CallId, row: Row) {
        self.sorted &= self.rows.last().is_none_or(|last| last.begin <= row.begin);
        self.stack.push((call, self.rows.len() as u32));
        self.rows.push(row);
    }

    /// Joins an end to its row. Calls above it on the stack will not return (longjmp), or return in another batch.
    #[inline]
    pub fn end(&mut self, end: &End<'_>, slice: usize, at: usize, clock: &ClockFit) {
        let Some(place) = self.stack.iter().rposition(|&(call, _)| call == end.call) else {
            let end_ns = clock.units(end.ticks) * u64::from(clock.unit_ns());
            self.news.late_end(end, end_ns);
            return;
        };
        let row = &mut self.rows[self.stack[place].1 as usize];
        row.duration = clock.units(end.ticks).saturating_sub(row.begin);
        row.returned = end.returned;
        row.end_slice = slice as u16;
        row.end_at = if end.captures.is_empty() {
            NO_CAPTURES
        } else {
            at as u32
        };
        self.stack.truncate(place);
    }

    /// Takes in a record that is not of a call.
    #[cold]
    pub fn news_of(
        &mut self,
        ring: u16,
        record: &Record<'_>,
        state: &mut RingState,
        input: Input<'_>,
    ) {
        match *record {
            Record::Thread {
                tid,
                ticks,
                ordinal,
                name,
            } => {
                state.thread = Some(ordinal);
                let since_ns = input.clock.units(ticks) * u64::from(input.clock.unit_ns());
                self.news.thread(ring, (ordinal, tid), since_ns, name);
            }
            Record::Function { id, name } => self.news.function(id, name),
            Record::Begin(_) | Record::End(_) => {}
        }
    }

    pub fn cover(&mut self, slice: &RingSlice<'_>, from: usize, to: usize) {
        if from == to {
            return;
        }
        self.record_bytes += to - from;
        let (from, to) = (slice.from + from as u64, slice.from + to as u64);
        match self.covers.last_mut() {
            Some(last) if last.ring == slice.ring && last.to == from => last.to = to,
            _ => self.covers.push(Covered {
                ring: slice.ring,
                from,
                to,
            }),
        }
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.groups.clear();
        self.stack.clear();
        self.covers.clear();
        self.news.clear();
        self.record_bytes = 0;
        self.sorted = true;
    }
}
