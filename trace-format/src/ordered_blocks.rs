//! The Calls blocks of a sealed file one by one, for whoever reads many of them at once: an index, a filter.

use crate::block_source::Damage;
use crate::call::{Call, FunctionId};
use crate::calls_block::{CallRows, CallsBlock};
use crate::trace::{CallsRef, Trace};

/// Where a Calls block's calls stand among all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderedBlock {
    /// Number of its first call, from 1.
    pub first_seq: u64,
    /// Its calls.
    pub rows: u32,
}

/// The rows of a block, without arguments and captures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderedRows {
    /// The columns. Threads are places in [`Trace::threads`], or beyond them.
    pub rows: CallRows,
    /// The function of each group.
    pub functions: Vec<FunctionId>,
}

/// A block whose calls can be read in any order.
#[derive(Debug)]
pub struct OrderedCalls<'a> {
    trace: &'a Trace,
    first_seq: u64,
    block: CallsBlock,
}

impl OrderedCalls<'_> {
    /// Number of the first call, from 1.
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.block.rows()
    }

    /// Whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An argument word of a call; `None` if there is no such row or word. Much cheaper than reading the call.
    pub fn argument(&self, row: usize, word: usize) -> Option<u64> {
        if row >= self.block.rows() {
            return None;
        }
        self.block.argument(row, word)
    }

    /// Reads what every call has into `call`, without arguments and captures; false if there is no such row.
    pub fn read_head(&self, row: usize, call: &mut Call) -> bool {
        if row >= self.block.rows() {
            return false;
        }
        self.block.fill_head(row, call);
        call.seq = self.first_seq + row as u64;
        self.trace.translate(call, None);
        true
    }

    /// Reads a call of the block into `call`, whose memory is used again; false if there is no such row.
    pub fn read(&self, row: usize, call: &mut Call) -> bool {
        if row >= self.block.rows() {
            return false;
        }
        self.block.fill(row, call);
        call.seq = self.first_seq + row as u64;
        self.trace.translate(call, None);
        true
    }
}

impl Trace {
    /// Number of Calls blocks, if their calls are in order: in a sealed file. `None` in a recording folder, where blocks overlap and only
    /// [`Self::calls`] tells the numbers of calls.
    pub fn ordered_blocks(&self) -> Option<usize> {
        self.sealed.then_some(self.calls.len())
    }

    /// The calls of a block; `None` if there is no such block or blocks are not ordered.
    pub fn ordered_block(&self, block: usize) -> Option<OrderedBlock> {
        let place = self.calls.get(block).filter(|_| self.sealed)?;
        Some(OrderedBlock {
            first_seq: place.calls_before + 1,
            rows: place.rows,
        })
    }

    /// The block that has the call with that number; `None` if there is no such call or blocks are not ordered.
    pub fn ordered_block_of(&self, seq: u64) -> Option<usize> {
        let inside = self.sealed && (1..=self.call_count()).contains(&seq);
        let before = |place: &CallsRef| place.calls_before < seq;
        inside.then(|| self.calls.partition_point(before) - 1)
    }

    /// Reads a whole block; `None` if there is no such block or blocks are not ordered.
    ///
    /// # Errors
    /// The block can't be read.
    pub fn ordered_calls(&self, block: usize) -> Option<Result<OrderedCalls<'_>, Damage>> {
        let place = self.calls.get(block).filter(|_| self.sealed)?;
        Some(self.read_calls(place).map(|block| OrderedCalls {
            trace: self,
            first_seq: place.calls_before + 1,
            block,
        }))
    }

    /// Reads the rows of a block; `None` if there is no such block or blocks are not ordered.
    ///
    /// # Errors
    /// The block can't be read. Its calls keep their numbers all the same.
    pub fn ordered_rows(&self, block: usize) -> Option<Result<OrderedRows, Damage>> {
        let place = self.calls.get(block).filter(|_| self.sealed)?;
        let first_begin_ns = |rows: &CallRows| {
            let first = rows.begin.first().copied()?;
            Some(first.saturating_mul(rows.unit_ns))
        };
        let rows = self.read_calls_as(
            place,
            |raw| CallRows::parse(&raw),
            |rows| (rows.len(), first_begin_ns(rows)),
        );
        Some(rows.map(|rows| {
            let function = |number: u32| {
                let unnamed = FunctionId(number | FunctionId::UNNAMED);
                self.schema.by_number(number).unwrap_or(unnamed)
            };
            let functions = rows.groups.iter().map(|group| function(group.function));
            OrderedRows {
                functions: functions.collect(),
                rows,
            }
        }))
    }
}
