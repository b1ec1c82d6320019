//! The rows of a Calls block without what was passed and captured: what an index over a trace is made of.
//!
//! Arguments and captures are stepped over, and columns are unpacked whole, which is several times as fast as asking for each row.

use super::key;
use super::read::{read_pairs, read_rows};
use crate::block::BlockProblem;
use crate::clock::MAX_UNIT_NS;
use crate::column::Column;
use crate::msgpack::{Cursor, Unexpected};
use crate::record::MAX_FUNCTIONS;

/// Row columns of a Calls block. Times are in units of [`Self::unit_ns`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRows {
    /// Nanoseconds a time unit.
    pub unit_ns: u64,
    /// Begin of each row; never falls.
    pub begin: Vec<u64>,
    /// Thread of each row, as numbered in the file.
    pub thread: Vec<u64>,
    /// Place of each row's function in [`Self::groups`].
    pub group: Vec<u64>,
    /// The rows of each function, in their order.
    pub groups: Vec<GroupRows>,
    /// Rows whose call had not returned, rising.
    pub open: Vec<u32>,
}

/// Rows of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRows {
    /// The function, as numbered in the file.
    pub function: u32,
    /// Durations; 0 in open rows.
    pub duration: Vec<u64>,
    /// Return words; 0 in open rows.
    pub returned: Vec<u64>,
}

impl CallRows {
    /// Parses the msgpack of a Calls block.
    pub fn parse(raw: &[u8]) -> Result<Self, BlockProblem> {
        let mut rows = Self {
            unit_ns: 1,
            ..Self::default()
        };
        rows.read(raw)
            .map_err(|problem| BlockProblem::Content(problem.to_string()))?;
        rows.check().map_err(BlockProblem::Content)?;
        Ok(rows)
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.begin.len()
    }

    /// Whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.begin.is_empty()
    }

    fn read(&mut self, raw: &[u8]) -> Result<(), Unexpected> {
        let mut cursor = Cursor::new(raw);
        // Rows that groups may still claim: columns are unpacked, so claims must not add up to more than the block's own.
        let (mut rows, mut unclaimed) = (0, 0);
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                key::UNIT => self.unit_ns = cursor.uint()?,
                key::ROWS => {
                    rows = read_rows(&mut cursor, rows)?;
                    unclaimed = rows;
                }
                key::BEGIN => self.begin = read_words(&mut cursor, rows)?,
                key::THREAD => self.thread = read_words(&mut cursor, rows)?,
                key::GROUP => self.group = read_words(&mut cursor, rows)?,
                key::OPEN => {
                    let open = read_pairs(&mut cursor, rows)?;
                    self.open = open.into_iter().map(|(row, _)| row).collect();
                }
                key::GROUPS => {
                    for _ in 0..cursor.array_len()? {
                        let group = GroupRows::read(&mut cursor, unclaimed)?;
                        unclaimed -= group.duration.len();
                        self.groups.push(group);
                    }
                }
                // Blobs come last and say nothing about rows.
                key::BLOBS => break,
                _ => cursor.skip()?,
            }
        }
        // A block without one of the columns has 0 in all its rows.
        for column in [&mut self.begin, &mut self.thread, &mut self.group] {
            column.resize(rows, 0);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.unit_ns == 0 || self.unit_ns > MAX_UNIT_NS.into() {
            return Err(format!("a time unit of {} ns", self.unit_ns));
        }
        if let Some(row) = self.begin.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(format!("row {} begins before the row ahead of it", row + 1));
        }
        let mut seen = vec![0usize; self.groups.len()];
        for (row, &group) in self.group.iter().enumerate() {
            let seen = usize::try_from(group)
                .ok()
                .and_then(|group| seen.get_mut(group));
            *seen.ok_or_else(|| format!("row {row} is of group {group}, which is not there"))? += 1;
        }
        for (number, (group, &seen)) in self.groups.iter().zip(&seen).enumerate() {
            let rows = group.duration.len();
            if rows != seen {
                return Err(format!(
                    "group {number} says it has {rows} rows, and {seen} rows are of it"
                ));
            }
        }
        if self.open.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("the list of open rows does not rise".to_owned());
        }
        Ok(())
    }
}

impl GroupRows {
    /// `most` is the number of rows that it may have.
    fn read(cursor: &mut Cursor<'_>, most: usize) -> Result<Self, Unexpected> {
        let mut group = Self::default();
        let mut rows = 0;
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                key::FUNCTION => group.function = cursor.u32()?.min(MAX_FUNCTIONS),
                key::ROWS => {
                    rows = read_rows(cursor, rows)?;
                    if rows > most {
                        return Err(cursor.unexpected("no more rows than the block has", rows));
                    }
                }
                key::DURATION => group.duration = read_words(cursor, rows)?,
                key::RETURNED => group.returned = read_words(cursor, rows)?,
                _ => cursor.skip()?,
            }
        }
        group.duration.resize(rows, 0);
        group.returned.resize(rows, 0);
        Ok(group)
    }
}

fn read_words(cursor: &mut Cursor<'_>, rows: usize) -> Result<Vec<u64>, Unexpected> {
    Ok(Column::read(cursor, rows)?.into_words(cursor.block(), rows))
}
