//! Reading a Calls block. Everything that could make a row unreadable is checked once, when the block is parsed.

use super::{Covered, MAX_INTEGER_BYTES, key};
use crate::block::{BlockProblem, MAX_COLUMNS, MAX_ROWS};
use crate::call::{Call, FunctionId, ThreadId};
use crate::clock::MAX_UNIT_NS;
use crate::column::Column;
use crate::msgpack::{Cursor, Unexpected};
use crate::record::{Captured, MAX_FUNCTIONS};
use crate::ring::{CallId, MAX_ARGUMENTS};

/// Entries of tables that a block's rows may be expanded to in all.
const MAX_EXPANDED: usize = 1 << 22;
const NO_CAPTURE: u32 = u32::MAX;

/// The rows of a Calls block. Columns are read from the block's bytes when they are asked for.
#[derive(Debug)]
pub struct CallsBlock {
    raw: Vec<u8>,
    unit_ns: u64,
    rows: usize,
    /// Number of the first call, in sealed files.
    first_call: Option<u64>,
    covers: Vec<Covered>,
    begin: Column,
    thread: Column,
    group: Column,
    /// Place of each row in its group.
    places: Vec<u32>,
    open: Vec<(u32, u64)>,
    groups: Vec<Group>,
    /// Where the blobs lie in `raw`: offset and length.
    blobs: Vec<(u32, u32)>,
    heap_bytes: usize,
}

#[derive(Debug, Default)]
struct Group {
    function: u32,
    rows: usize,
    caller: Option<Column>,
    duration: Option<Column>,
    returned: Option<Column>,
    args: Vec<Column>,
    captures: Vec<Capture>,
}

#[derive(Debug)]
struct Capture {
    param: u8,
    out: bool,
    integer_bytes: Option<u8>,
    /// Place in `data` of each row of the group; `None`: every row has one.
    places: Option<Vec<u32>>,
    data: Column,
    /// Rows of the group whose capture was cut, and how many bytes there were.
    cut: Vec<(u32, u64)>,
}

/// Counts what a block may make of its bytes.
struct Budget {
    columns: usize,
    expanded: usize,
}

impl Budget {
    fn column(&mut self, cursor: &mut Cursor<'_>, rows: usize) -> Result<Column, Unexpected> {
        self.columns = self
            .columns
            .checked_sub(1)
            .ok_or_else(|| cursor.unexpected("fewer columns", MAX_COLUMNS))?;
        Column::read(cursor, rows)
    }

    fn expand(&mut self, cursor: &Cursor<'_>, entries: usize) -> Result<(), Unexpected> {
        self.expanded = self
            .expanded
            .checked_sub(entries)
            .ok_or_else(|| cursor.unexpected("fewer rows in capture columns", MAX_EXPANDED))?;
        Ok(())
    }
}

impl CallsBlock {
    /// Parses and checks the msgpack of a Calls block.
    pub fn parse(raw: Vec<u8>) -> Result<Self, BlockProblem> {
        let mut block = Self {
            raw: Vec::new(),
            unit_ns: 1,
            rows: 0,
            first_call: None,
            covers: Vec::new(),
            begin: Column::Constant(0),
            thread: Column::Constant(0),
            group: Column::Constant(0),
            places: Vec::new(),
            open: Vec::new(),
            groups: Vec::new(),
            blobs: Vec::new(),
            heap_bytes: 0,
        };
        block
            .read(&raw)
            .map_err(|problem| BlockProblem::Content(problem.to_string()))?;
        block.raw = raw;
        block.check().map_err(BlockProblem::Content)?;
        block.heap_bytes = block.count_heap_bytes();
        Ok(block)
    }

    fn read(&mut self, raw: &[u8]) -> Result<(), Unexpected> {
        let mut cursor = Cursor::new(raw);
        let mut budget = Budget {
            columns: MAX_COLUMNS,
            expanded: MAX_EXPANDED,
        };
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                key::COVERS => self.covers = read_covers(&mut cursor)?,
                key::UNIT => self.unit_ns = cursor.uint()?,
                key::FIRST_CALL => self.first_call = Some(cursor.uint()?),
                key::ROWS => self.rows = read_rows(&mut cursor, self.rows)?,
                key::BEGIN => self.begin = budget.column(&mut cursor, self.rows)?,
                key::THREAD => self.thread = budget.column(&mut cursor, self.rows)?,
                key::GROUP => self.group = budget.column(&mut cursor, self.rows)?,
                key::OPEN => self.open = read_pairs(&mut cursor, self.rows)?,
                key::GROUPS => {
                    for _ in 0..cursor.array_len()? {
                        self.groups.push(Group::read(&mut cursor, &mut budget)?);
                    }
                }
                key::BLOBS => {
                    for _ in 0..cursor.array_len()? {
                        let blob = cursor.bin()?;
                        self.blobs
                            .push(((cursor.position() - blob.len()) as u32, blob.len() as u32));
                    }
                }
                _ => cursor.skip()?,
            }
        }
        Ok(())
    }

    /// Checks that rows, groups and columns agree, and finds each row's place in its group.
    fn check(&mut self) -> Result<(), String> {
        if self.unit_ns == 0 || self.unit_ns > MAX_UNIT_NS.into() {
            return Err(format!("a time unit of {} ns", self.unit_ns));
        }
        let mut seen = vec![0u32; self.groups.len()];
        self.places.reserve_exact(self.rows);
        let mut last_begin = 0;
        for row in 0..self.rows {
            let group = usize::try_from(self.group.get(&self.raw, row)).unwrap_or(usize::MAX);
            let seen = seen
                .get_mut(group)
                .ok_or_else(|| format!("row {row} is of group {group}, which is not there"))?;
            self.places.push(*seen);
            *seen += 1;
            let begin = self.begin.get(&self.raw, row);
            if begin < last_begin {
                return Err(format!("row {row} begins before the row ahead of it"));
            }
            last_begin = begin;
        }
        for (number, (group, &seen)) in self.groups.iter().zip(&seen).enumerate() {
            if group.rows != seen as usize {
                return Err(format!(
                    "group {number} says it has {} rows, and {seen} rows are of it",
                    group.rows
                ));
            }
            group.check_blobs(&self.raw, &self.blobs)?;
        }
        if self.open.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("the list of open rows does not rise".to_owned());
        }
        Ok(())
    }

    fn count_heap_bytes(&self) -> usize {
        let columns = self.groups.iter().flat_map(|group| {
            let fixed = [&group.caller, &group.duration, &group.returned]
                .into_iter()
                .flatten();
            fixed
                .chain(&group.args)
                .chain(group.captures.iter().map(|capture| &capture.data))
        });
        let words: usize = columns
            .map(|column| column.heap_bytes() + size_of::<Column>())
            .sum();
        let tables = self.groups.iter().flat_map(|group| &group.captures);
        let expanded: usize = tables
            .map(|capture| capture.places.as_ref().map_or(0, Vec::len) * 4)
            .sum();
        let row_columns =
            self.begin.heap_bytes() + self.thread.heap_bytes() + self.group.heap_bytes();
        self.raw.len()
            + words
            + expanded
            + row_columns
            + self.places.len() * 4
            + self.blobs.len() * 8
    }

    /// Number of calls.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of the first call, in sealed files.
    pub fn first_call(&self) -> Option<u64> {
        self.first_call
    }

    /// Ring positions whose records are in this block and in the blocks just before it.
    pub fn covers(&self) -> &[Covered] {
        &self.covers
    }

    /// Memory that the block takes.
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Begin of a row, CLOCK_MONOTONIC nanoseconds.
    #[inline]
    pub fn begin_ns(&self, row: usize) -> u64 {
        self.begin.get(&self.raw, row).saturating_mul(self.unit_ns)
    }

    /// Thread of a row, as numbered in this file.
    #[inline]
    pub fn thread(&self, row: usize) -> u32 {
        u32::try_from(self.thread.get(&self.raw, row)).unwrap_or(ThreadId::UNKNOWN.0)
    }

    /// Function of a row, as numbered in this file.
    #[inline]
    pub fn function(&self, row: usize) -> u32 {
        self.groups[self.group.get(&self.raw, row) as usize].function
    }

    /// An argument word of a row; `None` where the row has fewer.
    #[inline]
    pub fn argument(&self, row: usize, word: usize) -> Option<u64> {
        let group = &self.groups[self.group.get(&self.raw, row) as usize];
        let column = group.args.get(word)?;
        Some(column.get(&self.raw, self.places[row] as usize))
    }

    /// Duration in nanoseconds and return value; `None` if the row's call had not returned when the block was written.
    #[inline]
    pub fn outcome(&self, row: usize) -> Option<(u64, u64)> {
        if self.open_id(row).is_some() {
            return None;
        }
        let (group, place) = (
            &self.groups[self.group.get(&self.raw, row) as usize],
            self.places[row] as usize,
        );
        let word = |column: &Option<Column>| {
            column
                .as_ref()
                .map_or(0, |column| column.get(&self.raw, place))
        };
        Some((
            word(&group.duration).saturating_mul(self.unit_ns),
            word(&group.returned),
        ))
    }

    /// The id of a row's call if it had not returned when the block was written.
    pub fn open_id(&self, row: usize) -> Option<CallId> {
        if self.open.is_empty() {
            return None;
        }
        let place = self
            .open
            .binary_search_by_key(&(row as u32), |&(row, _)| row)
            .ok()?;
        Some(CallId(self.open[place].1))
    }

    /// Fills in everything of a call but number and process; thread and function are as numbered in this file.
    pub fn fill(&self, row: usize, call: &mut Call) {
        self.fill_head(row, call);
        let group = &self.groups[self.group.get(&self.raw, row) as usize];
        let place = self.places[row] as usize;
        call.args
            .extend(group.args.iter().map(|column| column.get(&self.raw, place)));
        for capture in &group.captures {
            self.fill_capture(capture, place, call);
        }
        call.order_captures();
    }

    /// The same without arguments and captures.
    pub fn fill_head(&self, row: usize, call: &mut Call) {
        call.clear();
        let group = &self.groups[self.group.get(&self.raw, row) as usize];
        let place = self.places[row] as usize;
        call.thread = ThreadId(self.thread(row));
        call.function = FunctionId(group.function);
        call.begin_ns = self.begin_ns(row);
        call.caller = group
            .caller
            .as_ref()
            .map_or(0, |column| column.get(&self.raw, place));
        call.open_id = self.open_id(row);
        (call.duration_ns, call.returned) = self.outcome(row).unzip();
    }

    fn fill_capture(&self, capture: &Capture, place: usize, call: &mut Call) {
        let data_place = match &capture.places {
            None => place,
            Some(places) if places[place] == NO_CAPTURE => return,
            Some(places) => places[place] as usize,
        };
        let value = capture.data.get(&self.raw, data_place);
        let value_bytes = value.to_le_bytes();
        let bytes = match capture.integer_bytes {
            Some(width) => &value_bytes[..width.into()],
            None => {
                let (start, length) = self.blobs[value as usize];
                &self.raw[start as usize..(start + length) as usize]
            }
        };
        let cut = capture
            .cut
            .binary_search_by_key(&(place as u32), |&(row, _)| row);
        let full = cut.ok().map(|cut| capture.cut[cut].1);
        call.push_capture(&Captured {
            param: capture.param,
            out: capture.out,
            bytes,
            full,
        });
    }
}

impl Group {
    fn read(cursor: &mut Cursor<'_>, budget: &mut Budget) -> Result<Self, Unexpected> {
        let mut group = Self::default();
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                key::FUNCTION => group.function = cursor.u32()?.min(MAX_FUNCTIONS),
                key::ROWS => group.rows = read_rows(cursor, group.rows)?,
                key::CALLER => group.caller = Some(budget.column(cursor, group.rows)?),
                key::DURATION => group.duration = Some(budget.column(cursor, group.rows)?),
                key::RETURNED => group.returned = Some(budget.column(cursor, group.rows)?),
                key::ARGS => {
                    for _ in 0..cursor.array_len()? {
                        group.args.push(budget.column(cursor, group.rows)?);
                    }
                }
                key::CAPTURES => {
                    for _ in 0..cursor.array_len()? {
                        group
                            .captures
                            .push(Capture::read(cursor, budget, group.rows)?);
                    }
                }
                _ => cursor.skip()?,
            }
        }
        Ok(group)
    }

    fn check_blobs(&self, raw: &[u8], blobs: &[(u32, u32)]) -> Result<(), String> {
        for capture in self
            .captures
            .iter()
            .filter(|capture| capture.integer_bytes.is_none())
        {
            let known = |word: u64| {
                blobs
                    .get(word as usize)
                    .is_some_and(|&(_, length)| length as usize <= MAX_ARGUMENTS)
            };
            let rows = match &capture.places {
                None => self.rows,
                Some(places) => places.iter().filter(|&&place| place != NO_CAPTURE).count(),
            };
            if let Some(bad) = (0..rows)
                .map(|row| capture.data.get(raw, row))
                .find(|&word| !known(word))
            {
                return Err(format!(
                    "a capture is blob {bad}, which is not there or too long"
                ));
            }
        }
        Ok(())
    }
}

impl Capture {
    fn read(cursor: &mut Cursor<'_>, budget: &mut Budget, rows: usize) -> Result<Self, Unexpected> {
        let mut capture = Self {
            param: 0,
            out: false,
            integer_bytes: None,
            places: None,
            data: Column::Constant(0),
            cut: Vec::new(),
        };
        let mut data_rows = rows;
        let mut have_data = false;
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                key::PARAM => capture.param = cursor.uint()?.min(255) as u8,
                key::OUT => capture.out = cursor.bool()?,
                key::BYTES => {
                    let width = cursor.uint()?;
                    if width > MAX_INTEGER_BYTES as u64 {
                        return Err(cursor.unexpected("an integer of at most 8 bytes", width));
                    }
                    capture.integer_bytes = Some(width as u8);
                }
                key::HAVE => {
                    let places = read_places(cursor, budget, rows)?;
                    data_rows = places.iter().filter(|&&place| place != NO_CAPTURE).count();
                    capture.places = Some(places);
                }
                key::DATA => {
                    capture.data = budget.column(cursor, data_rows)?;
                    have_data = true;
                }
                key::CUT => capture.cut = read_pairs(cursor, rows)?,
                _ => cursor.skip()?,
            }
        }
        if !have_data {
            return Err(cursor.unexpected("a capture column with data", "none"));
        }
        Ok(capture)
    }
}

/// Reads a column of 0 and 1 and turns it into places among the ones.
fn read_places(
    cursor: &mut Cursor<'_>,
    budget: &mut Budget,
    rows: usize,
) -> Result<Vec<u32>, Unexpected> {
    budget.expand(cursor, rows)?;
    // A column's offsets count from the start of the block, so words are taken from the whole of it.
    let column = budget.column(cursor, rows)?;
    let mut next = 0;
    let place_of = |row| {
        if column.get(cursor.block(), row) == 0 {
            return NO_CAPTURE;
        }
        next += 1;
        next - 1
    };
    Ok((0..rows).map(place_of).collect())
}

/// Reads a number of rows. `before` is what was read for it already: columns were read by it, so it must not change.
pub(super) fn read_rows(cursor: &mut Cursor<'_>, before: usize) -> Result<usize, Unexpected> {
    let rows = cursor.uint()?;
    if before != 0 {
        return Err(cursor.unexpected("one number of rows", "a second one"));
    }
    if rows > MAX_ROWS.into() {
        return Err(cursor.unexpected("at most 65536 rows", rows));
    }
    Ok(rows as usize)
}

/// Reads `[[row, number], ...]` with rows below `rows`.
pub(super) fn read_pairs(
    cursor: &mut Cursor<'_>,
    rows: usize,
) -> Result<Vec<(u32, u64)>, Unexpected> {
    let mut pairs = Vec::new();
    for _ in 0..cursor.array_len()? {
        let length = cursor.array_of(2)?;
        let row = cursor.u32()?;
        if row as usize >= rows {
            return Err(cursor.unexpected("the number of a row", row));
        }
        pairs.push((row, cursor.uint()?));
        cursor.skip_rest(length, 2)?;
    }
    Ok(pairs)
}

/// What a Calls block covers, without parsing the rest of it: writers put it first.
pub(crate) fn covers_of(raw: &[u8]) -> Result<Vec<Covered>, Unexpected> {
    let mut cursor = Cursor::new(raw);
    for _ in 0..cursor.map_len()? {
        if cursor.str()? == key::COVERS {
            return read_covers(&mut cursor);
        }
        cursor.skip()?;
    }
    Ok(Vec::new())
}

/// Reads `[[ring, from, to], ...]`.
pub(crate) fn read_covers(cursor: &mut Cursor<'_>) -> Result<Vec<Covered>, Unexpected> {
    let mut covers = Vec::new();
    for _ in 0..cursor.array_len()? {
        let length = cursor.array_of(3)?;
        let ring = cursor.uint()?;
        let ring =
            u16::try_from(ring).map_err(|_| cursor.unexpected("the number of a ring", ring))?;
        covers.push(Covered {
            ring,
            from: cursor.uint()?,
            to: cursor.uint()?,
        });
        cursor.skip_rest(length, 3)?;
    }
    Ok(covers)
}
