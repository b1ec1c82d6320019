//! From ring records to blocks. Runs on the flusher thread inside the traced program, so it keeps its memory from one flush to the
//! next, and odd ring content is an error value.

use crate::block::{BlockBuilder, BuildError, Kind, Label, MAX_GROUPS};
use crate::calls_block::{BlobTable, CallsWriter, Covered, GroupColumns, RowColumns, Source};
use crate::clock::ClockFit;
use crate::encoder_news::News;
use crate::prefetch::prefetch;
use crate::record::{self, Begin, Captures, End, Record, RecordProblem};
use crate::ring::{CallId, Word0, kind};

/// Rows of a Calls block; smaller blocks compress worse, larger ones hardly better.
const ROWS: usize = 8192;
/// A block is closed when the records in it take this many bytes, so that captures can't blow it up.
const RECORD_BYTES: usize = 8 << 20;
/// A slice that leaves this many rows closes the block; fewer share it with the next ring's.
const ROWS_WORTH_A_BLOCK: usize = 2048;
/// A begin this much before the ring's previous one is put right: a ring's order is a thread's order, and two fits of the clock may
/// disagree by a few nanoseconds. What lies further back is kept as it is.
const CLOCK_SLACK_NS: u64 = 1_000;
/// Groups of a block are found by number in a table; a function called with another number of argument words is another group.
const NO_GROUP: u32 = u32::MAX;
/// In place of the offset of an END record: there is none yet, or one without captures, which need not be looked at again. Rings are
/// far smaller than these offsets.
const NOT_RETURNED: u32 = u32::MAX;
const NO_CAPTURES: u32 = u32::MAX - 1;

/// Complete records of one ring, one after the other (a flusher maps its rings twice in a row, so they never wrap).
#[derive(Clone, Copy, Debug)]
pub struct RingSlice<'a> {
    /// The ring's number.
    pub ring: u16,
    /// Position of the first byte.
    pub from: u64,
    /// The records.
    pub bytes: &'a [u8],
}

/// What [`CallsEncoder::encode`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Calls that began.
    pub calls: u64,
    /// Ends of calls whose begin was encoded earlier.
    pub late_ends: u64,
    /// Blocks appended.
    pub blocks: u64,
}

/// Why [`CallsEncoder::encode`] stopped.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A record that can't be read.
    #[error("ring {ring}, position {position}: {problem}")]
    Record {
        /// The ring's number.
        ring: u16,
        /// Position of the record.
        position: u64,
        /// What is wrong with it.
        problem: RecordProblem,
    },
    /// A block could not be built.
    #[error(transparent)]
    Block(#[from] BuildError),
}

/// Turns ring records into blocks.
pub struct CallsEncoder {
    rings: Vec<RingState>,
    batch: Batch,
    group_of: Vec<u32>,
    writers: Writers,
}

/// What a ring's records mean depends on what came before them.
#[derive(Clone, Copy, Default)]
struct RingState {
    thread: Option<u32>,
    last_begin: u64,
}

/// Rows and news that are not in a block yet.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    groups: Vec<Group>,
    /// Calls of this batch that have not returned, innermost last.
    stack: Vec<(CallId, u32)>,
    covers: Vec<Covered>,
    news: News,
    record_bytes: usize,
    sorted: bool,
}

#[derive(Clone, Copy)]
struct Row {
    begin: u64,
    duration: u64,
    returned: u64,
    thread: u32,
    group: u32,
    begin_slice: u16,
    end_slice: u16,
    begin_at: u32,
    end_at: u32,
}

#[derive(Clone, Copy)]
struct Group {
    function: u32,
    args: u8,
    rows: u32,
}

/// Buffers for turning a batch into bytes.
struct Writers {
    blocks: BlockBuilder,
    calls: CallsWriter,
    row_columns: RowColumns,
    group_columns: GroupColumns,
    blobs: BlobTable,
    by_group: Vec<u32>,
    raw: Vec<u8>,
}

/// What a batch is encoded from and with.
#[derive(Clone, Copy)]
struct Input<'a> {
    slices: &'a [RingSlice<'a>],
    clock: &'a ClockFit,
}

impl CallsEncoder {
    /// An encoder that compresses with zstd level 1.
    pub fn new() -> Result<Self, BuildError> {
        Ok(Self {
            rings: Vec::new(),
            batch: Batch {
                sorted: true,
                ..Batch::default()
            },
            group_of: Vec::new(),
            writers: Writers {
                blocks: BlockBuilder::new(1)?,
                calls: CallsWriter::default(),
                row_columns: RowColumns::default(),
                group_columns: GroupColumns::default(),
                blobs: BlobTable::default(),
                by_group: Vec::new(),
                raw: Vec::new(),
            },
        })
    }

    /// Says whose records a ring holds, where its THREAD record is not among those that will be encoded.
    pub fn set_thread(&mut self, ring: u16, ordinal: u32) {
        self.ring(ring).thread = Some(ordinal);
    }

    /// Appends whole blocks with everything in `slices`: Threads, Functions and LateEnds blocks where there is news, Calls blocks.
    ///
    /// # Errors
    /// On an unreadable record, `out` has blocks for all records before it, in the order of `slices`, and they say so in what they
    /// cover; records behind it in its ring can't be found. On a block that can't be built, `out` has the blocks before it. In both
    /// cases `out` may be written, and the encoder must not be used for that ring again.
    pub fn encode(
        &mut self,
        slices: &[RingSlice<'_>],
        clock: &ClockFit,
        out: &mut Vec<u8>,
    ) -> Result<Encoded, EncodeError> {
        let mut done = Encoded::default();
        let input = Input { slices, clock };
        for number in 0..slices.len() {
            let walked = self.walk(input, number, out, &mut done);
            if walked.is_err() || self.batch.rows.len() >= ROWS_WORTH_A_BLOCK {
                self.emit(input, out, &mut done)?;
            }
            walked?;
        }
        self.emit(input, out, &mut done)?;
        Ok(done)
    }

    fn ring(&mut self, ring: u16) -> &mut RingState {
        let ring = usize::from(ring);
        if self.rings.len() <= ring {
            self.rings.resize(ring + 1, RingState::default());
        }
        &mut self.rings[ring]
    }

    /// Takes all records of one slice into the batch, and closes blocks on the way as they fill up.
    fn walk(
        &mut self,
        input: Input<'_>,
        number: usize,
        out: &mut Vec<u8>,
        done: &mut Encoded,
    ) -> Result<(), EncodeError> {
        let slice = input.slices[number];
        let mut state = *self.ring(slice.ring);
        let mut covered_from = 0;
        let mut at = 0;
        let mut result = Ok(());
        while at < slice.bytes.len() {
            prefetch(slice.bytes, at + 1024);
            let (first, record) = match record::split(&slice.bytes[at..]) {
                Ok(split) => split,
                Err(problem) => {
                    result = Err(bad_record(&slice, at, problem));
                    break;
                }
            };
            if self.batch.is_full(first.kind(), at - covered_from) {
                self.batch.cover(&slice, covered_from, at);
                covered_from = at;
                self.emit(input, out, done)?;
            }
            let taken = match first.kind() {
                kind::BEGIN => Begin::read(first, record)
                    .and_then(|begin| self.begin(input, (number, at), &begin, &mut state)),
                kind::END => End::read(first, record)
                    .map(|end| self.batch.end(&end, number, at, input.clock)),
                _ => Record::read(first, record)
                    .map(|record| self.batch.news_of(slice.ring, &record, &mut state, input)),
            };
            if let Err(problem) = taken {
                result = Err(bad_record(&slice, at, problem));
                break;
            }
            at += record.len();
        }
        self.batch.cover(&slice, covered_from, at);
        *self.ring(slice.ring) = state;
        result
    }

    /// Takes in a call that enters. `place` is slice number and offset.
    #[inline]
    fn begin(
        &mut self,
        input: Input<'_>,
        place: (usize, usize),
        begin: &Begin<'_>,
        state: &mut RingState,
    ) -> Result<(), RecordProblem> {
        let thread = state.thread.ok_or(RecordProblem::NoThread)?;
        let slice = &input.slices[place.0];
        let row = Row {
            begin: monotone(input.clock, begin.ticks, &mut state.last_begin),
            duration: 0,
            returned: 0,
            thread,
            group: self.group(begin),
            begin_slice: place.0 as u16,
            end_slice: 0,
            begin_at: place.1 as u32,
            end_at: NOT_RETURNED,
        };
        self.batch
            .begin(CallId::new(slice.ring, slice.from + place.1 as u64), row);
        Ok(())
    }

    /// The batch's group for a call, made if this is its first.
    #[inline]
    fn group(&mut self, begin: &Begin<'_>) -> u32 {
        let function = begin.function as usize;
        let args = (begin.args.len() / 8) as u8;
        if self.group_of.len() <= function {
            self.group_of.resize(function + 1, NO_GROUP);
        }
        let known = self.group_of[function];
        if let Some(group) = self.batch.groups.get_mut(known as usize)
            && group.args == args
        {
            group.rows += 1;
            return known;
        }
        let same = |group: &Group| group.function == begin.function && group.args == args;
        let place = self.batch.groups.iter().position(same).unwrap_or_else(|| {
            self.batch.groups.push(Group {
                function: begin.function,
                args,
                rows: 0,
            });
            self.batch.groups.len() - 1
        });
        self.batch.groups[place].rows += 1;
        self.group_of[function] = place as u32;
        place as u32
    }

    /// Appends the batch as blocks, the one that says what they cover last: a torn file never covers what it does not have.
    fn emit(
        &mut self,
        input: Input<'_>,
        out: &mut Vec<u8>,
        done: &mut Encoded,
    ) -> Result<(), EncodeError> {
        let batch = &mut self.batch;
        if batch.covers.is_empty() {
            return Ok(());
        }
        let covers_left = if batch.rows.is_empty() {
            batch.covers.as_slice()
        } else {
            &[]
        };
        done.late_ends += batch.news.late_ends();
        done.blocks += batch
            .news
            .write(covers_left, &mut self.writers.blocks, out)?;
        if !batch.rows.is_empty() {
            self.writers.calls_block(batch, input, out)?;
            done.blocks += 1;
        }
        done.calls += batch.rows.len() as u64;
        for group in &batch.groups {
            self.group_of[group.function as usize] = NO_GROUP;
        }
        batch.clear();
        Ok(())
    }
}

fn bad_record(slice: &RingSlice<'_>, at: usize, problem: RecordProblem) -> EncodeError {
    EncodeError::Record {
        ring: slice.ring,
        position: slice.from + at as u64,
        problem,
    }
}

/// The begin in time units, not before the ring's previous one unless it is far before it.
#[inline]
fn monotone(clock: &ClockFit, ticks: u64, last: &mut u64) -> u64 {
    let units = clock.units(ticks);
    if units < *last && (*last - units) * u64::from(clock.unit_ns()) <= CLOCK_SLACK_NS {
        return *last;
    }
    *last = units;
    units
}

impl Batch {
    /// Whether a record of that kind must go to the next batch, with `more` bytes of records taken in since the last [`Self::cover`].
    /// Ends still go into a batch that has all its rows: they belong to them.
    #[inline]
    fn is_full(&self, kind: u8, more: usize) -> bool {
        let full = self.rows.len() >= ROWS || self.groups.len() >= MAX_GROUPS;
        (kind == kind::BEGIN && full) || self.record_bytes + more >= RECORD_BYTES
    }

    #[inline]
    fn begin(&mut self, call: CallId, row: Row) {
        self.sorted &= self.rows.last().is_none_or(|last| last.begin <= row.begin);
        self.stack.push((call, self.rows.len() as u32));
        self.rows.push(row);
    }

    /// Joins an end to its row. Calls above it on the stack will not return (longjmp), or return in another batch.
    #[inline]
    fn end(&mut self, end: &End<'_>, slice: usize, at: usize, clock: &ClockFit) {
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
    fn news_of(&mut self, ring: u16, record: &Record<'_>, state: &mut RingState, input: Input<'_>) {
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

    fn cover(&mut self, slice: &RingSlice<'_>, from: usize, to: usize) {
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

    fn clear(&mut self) {
        self.rows.clear();
        self.groups.clear();
        self.stack.clear();
        self.covers.clear();
        self.news.clear();
        self.record_bytes = 0;
        self.sorted = true;
    }
}

impl Writers {
    fn calls_block(
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
