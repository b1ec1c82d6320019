//! A stretch of calls in columns, which an index is made of.

use cutape_trace_format::call::{FunctionId, ProcessId, ThreadId};
use cutape_trace_format::ordered_blocks::OrderedRows;
use cutape_trace_format::trace::Trace;

use super::packed::PackedColumn;
use super::{CallKind, Row};
use crate::word_hash::WordMap;

/// Places of the table in which the number of a kind is looked up first.
const RECENT: usize = 256;

/// Up to 65,536 calls. A call is the number of its kind, when it began and how long it took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    rows: usize,
    kinds: Box<[CallKind]>,
    kind: PackedColumn,
    begin_ns: PackedColumn,
    /// 0 for calls that never returned.
    duration_ns: PackedColumn,
}

impl Chunk {
    /// The chunk of a Calls block.
    pub(crate) fn of_block(trace: &Trace, block: &OrderedRows) -> Self {
        let rows = &block.rows;
        let mut kinds = KindTable::default();
        let mut kind = Vec::with_capacity(rows.len());
        let mut duration_ns = Vec::with_capacity(rows.len());
        let mut places = vec![0; rows.groups.len()];
        let mut open = rows.open.iter().copied().peekable();
        for (row, (&group, &thread)) in rows.group.iter().zip(&rows.thread).enumerate() {
            let group = group as usize;
            let place = places[group];
            places[group] += 1;
            let is_open = open.next_if_eq(&(row as u32)).is_some();
            let thread = u32::try_from(thread).map_or(ThreadId::UNKNOWN, ThreadId);
            kind.push(kinds.number(CallKind {
                process: process_of(trace, thread),
                thread,
                function: block.functions[group],
                returned: (!is_open).then(|| rows.groups[group].returned[place]),
            }));
            let duration = rows.groups[group].duration[place];
            duration_ns.push(if is_open {
                0
            } else {
                duration.saturating_mul(rows.unit_ns)
            });
        }
        // A product that saturates is no multiple of the unit any more.
        let fits = |ns: &u64| *ns < u64::MAX;
        let begin_ns: Vec<u64> = rows
            .begin
            .iter()
            .map(|&begin| begin.saturating_mul(rows.unit_ns))
            .collect();
        let whole = begin_ns.iter().chain(&duration_ns).all(fits);
        let unit_ns = if whole { rows.unit_ns } else { 1 };
        Self {
            rows: rows.len(),
            kinds: kinds.kinds.into_boxed_slice(),
            kind: PackedColumn::of(&kind, 1),
            begin_ns: PackedColumn::of(&begin_ns, unit_ns),
            duration_ns: PackedColumn::of(&duration_ns, unit_ns),
        }
    }

    /// The chunk of some rows.
    pub(crate) fn of_rows(rows: &[Row]) -> Self {
        let mut kinds = KindTable::default();
        let kind: Vec<u64> = rows.iter().map(|row| kinds.number(row.kind())).collect();
        let begin_ns: Vec<u64> = rows.iter().map(|row| row.begin_ns).collect();
        let duration_ns: Vec<u64> = rows
            .iter()
            .map(|row| row.duration_ns.unwrap_or(0))
            .collect();
        Self {
            rows: rows.len(),
            kinds: kinds.kinds.into_boxed_slice(),
            kind: PackedColumn::of(&kind, 1),
            begin_ns: PackedColumn::of(&begin_ns, 1),
            duration_ns: PackedColumn::of(&duration_ns, 1),
        }
    }

    /// Number of calls.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// The kinds of calls in it.
    pub(crate) fn kinds(&self) -> &[CallKind] {
        &self.kinds
    }

    /// The place in [`Self::kinds`] of each row's kind.
    pub(crate) fn unpack_kinds(&self, kinds: &mut Vec<u64>) {
        self.kind.unpack(self.rows, kinds);
    }

    /// When each row began, and how long it took; 0 where it never returned.
    pub(crate) fn unpack_times(&self, begin_ns: &mut Vec<u64>, duration_ns: &mut Vec<u64>) {
        self.begin_ns.unpack(self.rows, begin_ns);
        self.duration_ns.unpack(self.rows, duration_ns);
    }

    /// A row.
    #[inline]
    pub(crate) fn row(&self, row: usize) -> Row {
        let kind = self.kinds[self.kind.get(row) as usize];
        Row {
            process: kind.process,
            thread: kind.thread,
            function: kind.function,
            begin_ns: self.begin_ns.get(row),
            duration_ns: kind.returned.map(|_| self.duration_ns.get(row)),
            returned: kind.returned,
        }
    }

    /// Memory besides its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.kinds)
            + self.kind.heap_bytes()
            + self.begin_ns.heap_bytes()
            + self.duration_ns.heap_bytes()
    }
}

fn process_of(trace: &Trace, thread: ThreadId) -> ProcessId {
    trace
        .thread(thread)
        .map_or(ProcessId::UNKNOWN, |thread| thread.process)
}

/// Gives numbers to kinds, in the order in which they come.
struct KindTable {
    kinds: Vec<CallKind>,
    numbers: WordMap<CallKind, u64>,
    /// By a cheap hash of the kind: nearly every call is of a kind seen just before, and a real hash costs more than all the rest.
    recent: [u32; RECENT],
}

impl Default for KindTable {
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            numbers: WordMap::default(),
            recent: [u32::MAX; RECENT],
        }
    }
}

impl KindTable {
    #[inline]
    fn number(&mut self, kind: CallKind) -> u64 {
        let recent = &mut self.recent[cheap_hash(&kind)];
        if self.kinds.get(*recent as usize) == Some(&kind) {
            return u64::from(*recent);
        }
        let number = *self.numbers.entry(kind).or_insert_with(|| {
            self.kinds.push(kind);
            self.kinds.len() as u64 - 1
        });
        *recent = number as u32;
        number
    }
}

#[inline]
fn cheap_hash(kind: &CallKind) -> usize {
    let FunctionId(function) = kind.function;
    let ThreadId(thread) = kind.thread;
    let word =
        u64::from(function) << 40 ^ u64::from(thread) << 20 ^ kind.returned.unwrap_or(u64::MAX);
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % RECENT
}
