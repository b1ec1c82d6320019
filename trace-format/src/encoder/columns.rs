//! From a batch of calls to the columns of a Calls block.

use super::batch::{Batch, Group, NO_CAPTURES, NOT_RETURNED};
use super::{EncodeError, Input, RingSlice};
use crate::block::{BlockBuilder, BuildError, Kind, Label};
use crate::calls_block::{BlobTable, CallsWriter, GroupColumns, RowColumns, Source};
use crate::prefetch::prefetch;
use crate::record::{self, Captures, Record};
use crate::ring::{CallId, Word0};

/// Buffers for turning a batch into bytes.
pub(super) struct Writers {
    pub blocks: BlockBuilder,
    calls: CallsWriter,
    row_columns: RowColumns,
    group_columns: GroupColumns,
    blobs: BlobTable,
    by_group: Vec<u32>,
    raw: Vec<u8>,
}

impl Writers {
    /// Empty buffers, and a compressor of level 1.
    pub fn new() -> Result<Self, BuildError> {
        Ok(Self {
            blocks: BlockBuilder::new(1)?,
            calls: CallsWriter::default(),
            row_columns: RowColumns::default(),
            group_columns: GroupColumns::default(),
            blobs: BlobTable::default(),
            by_group: Vec::new(),
            raw: Vec::new(),
        })
    }

    /// Appends the batch's calls as one Calls block.
    pub fn calls_block(
        &mut self,
        batch: &mut Batch,
        input: Input<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let open_calls = open_calls(batch, input.slices);
        if !batch.sorted {
            batch.rows.sort_by_key(|row| row.begin);
        }
        self.fill_row_columns(batch, &open_calls);
        self.order_by_group(batch);
        self.blobs.clear();
        self.raw.clear();
        let unit_ns = input.clock.unit_ns();
        let source = Source::Rings(&batch.covers);
        self.calls.head(
            &self.row_columns,
            unit_ns,
            source,
            batch.groups.len(),
            &mut self.raw,
        );
        let mut first = 0;
        for group in &batch.groups {
            let end = first + group.rows as usize;
            let rows = &self.by_group[first..end];
            fill_group(
                &mut self.group_columns,
                &mut self.blobs,
                group,
                Gather { rows, batch, input },
            );
            self.calls.group(&mut self.group_columns, &mut self.raw);
            first = end;
        }
        self.calls.tail(&self.blobs, &mut self.raw);
        let first_begin_ns = batch.rows[0].begin * u64::from(unit_ns);
        let label = Label {
            kind: Kind::Calls,
            rows: batch.rows.len() as u32,
            first_begin_ns,
        };
        self.blocks.append(label, &self.raw, out)?;
        Ok(())
    }

    fn fill_row_columns(&mut self, batch: &Batch, open_calls: &[(u16, u32, CallId)]) {
        let columns = &mut self.row_columns;
        columns.clear();
        columns.begin.extend(batch.rows.iter().map(|row| row.begin));
        columns
            .thread
            .extend(batch.rows.iter().map(|row| u64::from(row.thread)));
        columns
            .group
            .extend(batch.rows.iter().map(|row| u64::from(row.group)));
        if open_calls.is_empty() {
            return;
        }
        for (number, row) in batch
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.end_at == NOT_RETURNED)
        {
            let place = open_calls
                .binary_search_by_key(&(row.begin_slice, row.begin_at), |&(slice, at, _)| {
                    (slice, at)
                });
            if let Ok(place) = place {
                columns.open.push((number as u32, open_calls[place].2.0));
            }
        }
    }

    /// Puts the numbers of the batch's rows in the order of their groups, rows of a group in row order.
    fn order_by_group(&mut self, batch: &Batch) {
        self.by_group.clear();
        self.by_group.resize(batch.rows.len(), 0);
        let mut next = 0;
        let mut places: Vec<u32> = Vec::with_capacity(batch.groups.len());
        for group in &batch.groups {
            places.push(next);
            next += group.rows;
        }
        for (number, row) in batch.rows.iter().enumerate() {
            let place = &mut places[row.group as usize];
            self.by_group[*place as usize] = number as u32;
            *place += 1;
        }
    }
}

/// Calls of the batch that have not returned, by place of their BEGIN record.
fn open_calls(batch: &Batch, slices: &[RingSlice<'_>]) -> Vec<(u16, u32, CallId)> {
    let mut open: Vec<_> = batch
        .rows
        .iter()
        .filter(|row| row.end_at == NOT_RETURNED)
        .map(|row| {
            let slice = slices[usize::from(row.begin_slice)];
            (
                row.begin_slice,
                row.begin_at,
                CallId::new(slice.ring, slice.from + u64::from(row.begin_at)),
            )
        })
        .collect();
    open.sort_unstable();
    open
}

/// The rows of one group and where their records are.
#[derive(Clone, Copy)]
struct Gather<'a> {
    rows: &'a [u32],
    batch: &'a Batch,
    input: Input<'a>,
}

fn fill_group(
    columns: &mut GroupColumns,
    blobs: &mut BlobTable,
    group: &Group,
    gather: Gather<'_>,
) {
    let Gather { rows, batch, input } = gather;
    columns.start(group.function, group.args.into());
    columns.caller.resize(rows.len(), 0);
    columns.duration.resize(rows.len(), 0);
    columns.returned.resize(rows.len(), 0);
    columns
        .args
        .iter_mut()
        .for_each(|column| column.resize(rows.len(), 0));
    for (place, &number) in rows.iter().enumerate() {
        let row = &batch.rows[number as usize];
        if let Some(&ahead) = rows.get(place + 8) {
            let ahead = &batch.rows[ahead as usize];
            let bytes = input.slices[usize::from(ahead.begin_slice)].bytes;
            prefetch(bytes, ahead.begin_at as usize);
            prefetch(bytes, ahead.begin_at as usize + 64);
        }
        let (caller, args, captures) = begin_parts(
            &input.slices[usize::from(row.begin_slice)],
            row.begin_at,
            group.args,
        );
        columns.caller[place] = caller;
        columns.duration[place] = row.duration;
        columns.returned[place] = row.returned;
        for (column, arg) in columns.args.iter_mut().zip(args.chunks_exact(8)) {
            column[place] = record::word(arg, 0);
        }
        for capture in captures {
            columns.capture(place, &capture, blobs);
        }
        if row.end_at < NO_CAPTURES {
            for capture in end_captures(&input.slices[usize::from(row.end_slice)], row.end_at) {
                columns.capture(place, &capture, blobs);
            }
        }
    }
}

/// Caller, argument words and captures of a BEGIN record that was read without a problem before.
#[inline]
fn begin_parts<'a>(slice: &RingSlice<'a>, at: u32, args: u8) -> (u64, &'a [u8], Captures<'a>) {
    let bytes = &slice.bytes[at as usize..];
    let record = &bytes[..Word0(record::word(bytes, 0)).words() * 8];
    let (fixed, captures) = record.split_at(24 + usize::from(args) * 8);
    (
        record::word(fixed, 16),
        &fixed[24..],
        Captures::known_good(captures),
    )
}

/// Captures of an END record that was read without a problem before.
fn end_captures<'a>(slice: &RingSlice<'a>, at: u32) -> Captures<'a> {
    let bytes = &slice.bytes[at as usize..];
    match record::read(bytes) {
        Ok((Record::End(end), _)) => end.captures,
        _ => Captures::known_good(&[]),
    }
}
