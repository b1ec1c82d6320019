//! Writing a Calls block from columns.

use super::{Covered, MAX_INTEGER_BYTES, key};
use crate::call::Call;
use crate::column::ColumnWriter;
use crate::msgpack::{
    write_array_len, write_bin, write_bool, write_map_len, write_str, write_uint,
};
use crate::record::Captured;

/// The columns that run over all rows of a block.
#[derive(Default)]
pub struct RowColumns {
    /// Begin in time units of CLOCK_MONOTONIC, rising.
    pub begin: Vec<u64>,
    /// Thread number.
    pub thread: Vec<u64>,
    /// Place in the block's list of groups.
    pub group: Vec<u64>,
    /// Rows whose call had not returned: row and call id, in row order.
    pub open: Vec<(u32, u64)>,
}

impl RowColumns {
    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.begin.clear();
        self.thread.clear();
        self.group.clear();
        self.open.clear();
    }
}

/// The columns of all calls of one function in a block.
#[derive(Default)]
pub struct GroupColumns {
    /// Function number.
    pub function: u32,
    /// Return addresses.
    pub caller: Vec<u64>,
    /// Durations in time units; 0 in open rows.
    pub duration: Vec<u64>,
    /// Return values; 0 in open rows.
    pub returned: Vec<u64>,
    /// One column an argument word.
    pub args: Vec<Vec<u64>>,
    captures: Vec<CaptureColumn>,
    captures_used: usize,
}

/// What was captured behind one parameter, before or after the call, over the rows of a group.
#[derive(Default)]
pub struct CaptureColumn {
    param: u8,
    out: bool,
    /// How many captures of the same parameter and phase come before it in the same call.
    nth: u8,
    bytes: Width,
    /// The value or the blob of each row that has one.
    data: Vec<u64>,
    /// 1 for rows that have a capture, 0 for others; shorter than the group while its last rows have none.
    have: Vec<u64>,
    cut: Vec<(u32, u64)>,
}

/// How a capture column's values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Width {
    /// Nothing seen yet.
    #[default]
    Unknown,
    /// Integers of that many bytes.
    Integer(u8),
    /// Indices of blobs.
    Blob,
}

impl GroupColumns {
    /// Starts a group without rows, keeping the memory of the previous one.
    pub fn start(&mut self, function: u32, args: usize) {
        self.function = function;
        self.caller.clear();
        self.duration.clear();
        self.returned.clear();
        self.args.resize_with(args, Vec::new);
        self.args.iter_mut().for_each(Vec::clear);
        self.captures_used = 0;
    }

    /// Adds a call, whose captures come next; returns its row.
    pub fn push(&mut self, call: &Call) -> usize {
        self.caller.push(call.caller);
        self.duration.push(call.duration_ns.unwrap_or(0));
        self.returned.push(call.returned.unwrap_or(0));
        for (column, &arg) in self.args.iter_mut().zip(&call.args) {
            column.push(arg);
        }
        self.caller.len() - 1
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.caller.len()
    }

    /// Adds a capture to row `row`, the group's last. Rows must come in order.
    #[inline]
    pub fn capture(&mut self, row: usize, capture: &Captured<'_>, blobs: &mut BlobTable) {
        let column = self.capture_column(row, capture);
        column.have.resize(row, 0);
        column.have.push(1);
        let is_integer = capture.bytes.len() <= MAX_INTEGER_BYTES;
        match column.bytes {
            Width::Unknown if is_integer => {
                column.bytes = Width::Integer(capture.bytes.len() as u8)
            }
            Width::Unknown => column.bytes = Width::Blob,
            Width::Integer(width) if usize::from(width) != capture.bytes.len() => {
                column.turn_into_blobs(width, blobs)
            }
            _ => {}
        }
        column.data.push(match column.bytes {
            Width::Integer(_) => integer(capture.bytes),
            // Launches of one kernel have one layout, and polls one answer.
            _ => match column.data.last() {
                Some(&last) if blobs.get(last as usize) == capture.bytes => last,
                _ => blobs.place(capture.bytes),
            },
        });
        if let Some(full) = capture.full {
            column.cut.push((row as u32, full));
        }
    }

    /// The column for this capture: the first of its parameter and phase that has nothing in `row` yet.
    #[inline]
    fn capture_column(&mut self, row: usize, capture: &Captured<'_>) -> &mut CaptureColumn {
        let used = &self.captures[..self.captures_used];
        let same =
            |column: &&CaptureColumn| column.param == capture.param && column.out == capture.out;
        let place = match used
            .iter()
            .position(|column| same(&column) && column.have.len() <= row)
        {
            Some(place) => place,
            None => {
                let nth = used.iter().filter(same).count();
                self.captures_used += 1;
                if self.captures.len() < self.captures_used {
                    self.captures.push(CaptureColumn::default());
                }
                self.captures[self.captures_used - 1].start(capture.param, capture.out, nth as u8);
                self.captures_used - 1
            }
        };
        &mut self.captures[place]
    }
}

impl CaptureColumn {
    fn start(&mut self, param: u8, out: bool, nth: u8) {
        (self.param, self.out, self.nth, self.bytes) = (param, out, nth, Width::Unknown);
        self.data.clear();
        self.have.clear();
        self.cut.clear();
    }

    fn turn_into_blobs(&mut self, width: u8, blobs: &mut BlobTable) {
        for value in &mut self.data {
            *value = blobs.place(&value.to_le_bytes()[..width.into()]);
        }
        self.bytes = Width::Blob;
    }

    fn write(&mut self, rows: usize, columns: &mut ColumnWriter, out: &mut Vec<u8>) {
        let width = match self.bytes {
            Width::Integer(width) => Some(width),
            _ => None,
        };
        let everywhere = self.data.len() == rows;
        write_map_len(
            out,
            3 + usize::from(width.is_some())
                + usize::from(!everywhere)
                + usize::from(!self.cut.is_empty()),
        );
        write_str(out, key::PARAM);
        write_uint(out, self.param.into());
        write_str(out, key::OUT);
        write_bool(out, self.out);
        if let Some(width) = width {
            write_str(out, key::BYTES);
            write_uint(out, width.into());
        }
        if !everywhere {
            self.have.resize(rows, 0);
            write_str(out, key::HAVE);
            columns.write(&self.have, out);
        }
        write_str(out, key::DATA);
        columns.write(&self.data, out);
        if !self.cut.is_empty() {
            write_str(out, key::CUT);
            write_array_len(out, self.cut.len());
            for &(row, full) in &self.cut {
                write_array_len(out, 2);
                write_uint(out, row.into());
                write_uint(out, full);
            }
        }
    }
}

#[inline]
fn integer(bytes: &[u8]) -> u64 {
    let mut raw = [0; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(raw)
}

/// Byte strings of a block, each stored once.
#[derive(Default)]
pub struct BlobTable {
    /// Place of a blob plus one, by hash; a power of two of slots.
    slots: Vec<u32>,
    hashes: Vec<u32>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl BlobTable {
    /// Forgets the blobs and keeps the memory.
    pub fn clear(&mut self) {
        for &hash in &self.hashes {
            // Clearing the run of occupied slots from each home slot empties the table without touching the rest of it.
            let mut slot = hash as usize & (self.slots.len() - 1);
            while self.slots[slot] != 0 {
                self.slots[slot] = 0;
                slot = (slot + 1) & (self.slots.len() - 1);
            }
        }
        self.hashes.clear();
        self.ends.clear();
        self.bytes.clear();
    }

    /// Number of bytes kept so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn get(&self, place: usize) -> &[u8] {
        let start = if place == 0 {
            0
        } else {
            self.ends[place - 1] as usize
        };
        &self.bytes[start..self.ends[place] as usize]
    }

    /// The place of `blob` in the list, where it is added if it is new.
    pub fn place(&mut self, blob: &[u8]) -> u64 {
        if self.hashes.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = hash(blob);
        let mut slot = hash as usize & (self.slots.len() - 1);
        loop {
            match self.slots[slot] {
                0 => break,
                place
                    if self.hashes[place as usize - 1] == hash
                        && self.get(place as usize - 1) == blob =>
                {
                    return u64::from(place - 1);
                }
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        self.bytes.extend_from_slice(blob);
        self.ends.push(self.bytes.len() as u32);
        self.hashes.push(hash);
        self.slots[slot] = self.hashes.len() as u32;
        self.hashes.len() as u64 - 1
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(256);
        self.slots.clear();
        self.slots.resize(slots, 0);
        for (place, &hash) in self.hashes.iter().enumerate() {
            let mut slot = hash as usize & (slots - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = place as u32 + 1;
        }
    }
}

/// Multiplicative hash over 8-byte steps. It only spreads blobs over slots; equality is always checked.
fn hash(blob: &[u8]) -> u32 {
    let step =
        |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = blob.as_chunks::<8>();
    let state = words.iter().fold(blob.len() as u64, |state, word| {
        step(state, u64::from_le_bytes(*word))
    });
    let state = if rest.is_empty() {
        state
    } else {
        step(state, integer(rest))
    };
    (state >> 32) as u32
}

/// Writes the msgpack of one Calls block: head, groups one after the other, tail.
#[derive(Default)]
pub struct CallsWriter {
    columns: ColumnWriter,
}

impl CallsWriter {
    /// Writes everything up to the groups, of which `groups` must follow. `first_call` is the number of the first row, in sealed files.
    pub fn head(
        &mut self,
        rows: &RowColumns,
        unit_ns: u32,
        source: Source<'_>,
        groups: usize,
        out: &mut Vec<u8>,
    ) {
        write_map_len(out, 9);
        match source {
            Source::Rings(covers) => {
                write_str(out, key::COVERS);
                write_covers(out, covers);
            }
            Source::Sealed { first_call } => {
                write_str(out, key::FIRST_CALL);
                write_uint(out, first_call);
            }
        }
        write_str(out, key::UNIT);
        write_uint(out, unit_ns.into());
        write_str(out, key::ROWS);
        write_uint(out, rows.begin.len() as u64);
        for (name, column) in [
            (key::BEGIN, &rows.begin),
            (key::THREAD, &rows.thread),
            (key::GROUP, &rows.group),
        ] {
            write_str(out, name);
            self.columns.write(column, out);
        }
        write_str(out, key::OPEN);
        write_array_len(out, rows.open.len());
        for &(row, call) in &rows.open {
            write_array_len(out, 2);
            write_uint(out, row.into());
            write_uint(out, call);
        }
        write_str(out, key::GROUPS);
        write_array_len(out, groups);
    }

    /// Writes one group.
    pub fn group(&mut self, group: &mut GroupColumns, out: &mut Vec<u8>) {
        let rows = group.rows();
        write_map_len(out, 7);
        write_str(out, key::FUNCTION);
        write_uint(out, group.function.into());
        write_str(out, key::ROWS);
        write_uint(out, rows as u64);
        for (name, column) in [
            (key::CALLER, &group.caller),
            (key::DURATION, &group.duration),
            (key::RETURNED, &group.returned),
        ] {
            write_str(out, name);
            self.columns.write(column, out);
        }
        write_str(out, key::ARGS);
        write_array_len(out, group.args.len());
        for column in &group.args {
            self.columns.write(column, out);
        }
        write_str(out, key::CAPTURES);
        write_array_len(out, group.captures_used);
        for column in &mut group.captures[..group.captures_used] {
            column.write(rows, &mut self.columns, out);
        }
    }

    /// Writes what follows the groups.
    pub fn tail(&mut self, blobs: &BlobTable, out: &mut Vec<u8>) {
        write_str(out, key::BLOBS);
        write_array_len(out, blobs.ends.len());
        for place in 0..blobs.ends.len() {
            write_bin(out, blobs.get(place));
        }
    }
}

/// Where the rows of a block come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// From rings, at these positions.
    Rings(&'a [Covered]),
    /// From a recording being sealed.
    Sealed {
        /// Number of the block's first call, from 1.
        first_call: u64,
    },
}

/// Writes `[[ring, from, to], ...]`.
pub(crate) fn write_covers(out: &mut Vec<u8>, covers: &[Covered]) {
    write_array_len(out, covers.len());
    for covered in covers {
        write_array_len(out, 3);
        write_uint(out, covered.ring.into());
        write_uint(out, covered.from);
        write_uint(out, covered.to);
    }
}
