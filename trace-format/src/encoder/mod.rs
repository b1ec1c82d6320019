//! From ring records to blocks. Runs on the flusher thread inside the traced program, so it keeps its memory from one flush to the
//! next, and odd ring content is an error value.

mod batch;
mod columns;
mod news;

use crate::block::BuildError;
use crate::clock::ClockFit;
use crate::prefetch::prefetch;
use crate::record::{self, Begin, End, Record, RecordProblem};
use crate::ring::{CallId, kind};

use batch::{Batch, Group, NOT_RETURNED, Row};
use columns::Writers;

/// A slice that leaves this many rows closes the block; fewer share it with the next ring's.
const ROWS_WORTH_A_BLOCK: usize = 2048;
/// A begin this much before the ring's previous one is put right: a ring's order is a thread's order, and two fits of the clock may
/// disagree by a few nanoseconds. What lies further back is kept as it is.
const CLOCK_SLACK_NS: u64 = 1_000;
/// Groups of a block are found by number in a table; a function called with another number of argument words is another group.
const NO_GROUP: u32 = u32::MAX;

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
            batch: Batch::new(),
            group_of: Vec::new(),
            writers: Writers::new()?,
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
