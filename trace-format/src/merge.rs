//! All calls of a trace in global begin order.
//!
//! Blocks overlap in time: each ring has its own, and a folder has those of many processes. A block is opened when its first row is due and
//! dropped when its last one was read, so memory holds the blocks of one moment.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::block_source::Damage;
use crate::call::{Call, ProcessId};
use crate::calls_block::CallsBlock;
use crate::late_ends::{self, LatePlace};
use crate::trace::Trace;

/// Blocks kept open take at most this much; beyond it they are read again when they are due.
const OPEN_BYTES: usize = 256 << 20;

/// Order of calls: begin, then process, then block and row, which is program order within a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    begin_ns: u64,
    process: Option<ProcessId>,
    block: u32,
    row: u32,
}

/// Iterator over the calls of a trace; see [`Trace::calls`].
#[derive(Debug)]
pub struct Calls<'a> {
    trace: &'a Trace,
    next_block: usize,
    current: Option<(Due, Box<CallsBlock>)>,
    waiting: BinaryHeap<Reverse<Due>>,
    open: HashMap<u32, Box<CallsBlock>>,
    open_bytes: usize,
    seq: u64,
    /// Calls before this number are passed over.
    from: u64,
    /// The LateEnds block that was read last.
    late: Option<(ProcessId, u32, Vec<u8>)>,
    /// Damage that was met after a call was complete.
    pending: Option<Damage>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(trace: &'a Trace, from: u64) -> Self {
        let mut calls = Self {
            trace,
            next_block: 0,
            current: None,
            waiting: BinaryHeap::new(),
            open: HashMap::new(),
            open_bytes: 0,
            seq: 0,
            from,
            late: None,
            pending: None,
        };
        if trace.sealed {
            // Blocks of a sealed file do not overlap, so those before the wanted call need not be opened.
            calls.next_block = trace
                .calls
                .partition_point(|block| block.calls_before + u64::from(block.rows) < from);
            calls.seq = trace
                .calls
                .get(calls.next_block)
                .map_or(trace.call_count(), |block| block.calls_before);
        }
        calls
    }

    /// Reads the next call into `call`, whose memory is used again; false at the end.
    ///
    /// # Errors
    /// A block that can't be read, or a late end; the next call of this function goes on behind it.
    pub fn read_next(&mut self, call: &mut Call) -> Result<bool, Damage> {
        if let Some(damage) = self.pending.take() {
            return Err(damage);
        }
        loop {
            self.advance()?;
            let Some((due, block)) = &mut self.current else {
                return Ok(false);
            };
            let row = due.row as usize;
            self.seq += 1;
            let wanted = self.seq >= self.from;
            if wanted {
                block.fill(row, call);
                call.seq = self.seq;
                self.trace.translate(call, due.process);
            }
            if row + 1 == block.rows() {
                self.current = None;
            } else {
                (due.row, due.begin_ns) = (due.row + 1, block.begin_ns(row + 1));
            }
            if wanted {
                self.join_late_end(call);
                return Ok(true);
            }
        }
    }

    /// Makes the block with the next call current; none is at the end.
    fn advance(&mut self) -> Result<(), Damage> {
        loop {
            self.start_blocks();
            let waiting = self.waiting.peek().map(|&Reverse(due)| due);
            match (&self.current, waiting) {
                (Some((current, _)), Some(waiting)) if waiting < *current => {
                    if let Some((due, block)) = self.current.take() {
                        self.put_aside(due, block);
                    }
                }
                (Some(_), _) | (None, None) => return Ok(()),
                (None, Some(_)) => {}
            }
            if let Some(Reverse(due)) = self.waiting.pop() {
                let block = self.take(due)?;
                self.current = Some((due, block));
            }
        }
    }

    /// Lets blocks wait whose first row may be the next call.
    fn start_blocks(&mut self) {
        while let Some(block) = self.trace.calls.get(self.next_block) {
            let current = self.current.as_ref().map(|(due, _)| due.begin_ns);
            let waiting = self.waiting.peek().map(|Reverse(due)| due.begin_ns);
            let first = current.into_iter().chain(waiting).min();
            // In a sealed file rows are in order across blocks, so the next block comes after the current one's last row.
            if first.is_some_and(|first| self.trace.sealed || block.first_begin_ns > first) {
                break;
            }
            let due = Due {
                begin_ns: block.first_begin_ns,
                process: block.process,
                block: self.next_block as u32,
                row: 0,
            };
            self.waiting.push(Reverse(due));
            self.next_block += 1;
        }
    }

    fn put_aside(&mut self, due: Due, block: Box<CallsBlock>) {
        self.waiting.push(Reverse(due));
        self.open_bytes += block.heap_bytes();
        self.open.insert(due.block, block);
        if self.open_bytes > OPEN_BYTES {
            self.open.clear();
            self.open_bytes = 0;
        }
    }

    /// The block of a due row, from those put aside or read anew.
    fn take(&mut self, due: Due) -> Result<Box<CallsBlock>, Damage> {
        if let Some(block) = self.open.remove(&due.block) {
            self.open_bytes -= block.heap_bytes();
            return Ok(block);
        }
        let place = &self.trace.calls[due.block as usize];
        self.trace.read_calls(place).map(Box::new).inspect_err(|_| {
            // Numbers of later calls stay what they are in a sealed file.
            if self.trace.sealed {
                self.seq = place.calls_before + u64::from(place.rows);
            }
        })
    }

    /// Completes a call that had not returned when its block was written. Where its end can't be read it stays in flight, and the damage is
    /// reported with the next call.
    fn join_late_end(&mut self, call: &mut Call) {
        let Some(id) = call.open_id else {
            return;
        };
        let entry = self.trace.process(call.process);
        let Some((entry, place)) = entry.and_then(|entry| Some((entry, entry.late.find(id)?)))
        else {
            return;
        };
        let (source, offset) = entry.late_blocks[place.block as usize];
        let raw = self.late_block(call.process, place, (source, offset));
        match raw.and_then(|raw| late_ends::join(raw, place.offset, call)) {
            Ok(()) => call.open_id = None,
            Err(problem) => {
                self.pending = Some(Damage {
                    path: self.trace.sources[source as usize].path().to_owned(),
                    offset,
                    bytes: 0,
                    problem: format!("the end of call {} can't be read: {problem}", call.seq),
                    lost_calls: None,
                });
            }
        }
    }

    fn late_block(
        &mut self,
        process: ProcessId,
        place: LatePlace,
        (source, offset): (u32, u64),
    ) -> Result<&[u8], crate::block::BlockProblem> {
        let cached =
            matches!(&self.late, Some((of, block, _)) if *of == process && *block == place.block);
        if !cached {
            let raw = self.trace.read_block(source, offset, None)?;
            self.late = Some((process, place.block, raw));
        }
        Ok(self.late.as_ref().map_or(&[], |(_, _, raw)| raw))
    }
}

impl Iterator for Calls<'_> {
    type Item = Result<Call, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut call = Call::default();
        match self.read_next(&mut call) {
            Ok(true) => Some(Ok(call)),
            Ok(false) => None,
            Err(damage) => Some(Err(damage)),
        }
    }
}
