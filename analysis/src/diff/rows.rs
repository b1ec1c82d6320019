//! Two threads side by side: rows of calls that are the same, that differ, and that one side alone has.

use cutape_trace_format::call::ThreadId;

use super::pairing::Match;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// Both made the call and got the same answer.
    Same,
    /// Both made the call, and arguments or answers differ.
    Changed,
    /// Only A made the call.
    OnlyA,
    /// Only B made the call.
    OnlyB,
    /// A made the call here, B in another thread, or between other calls but in the same order on its stream, or gave the object back a little
    /// earlier or later. Which thread of a pool does a piece of work, and which stream gets some first, is a matter of time.
    MovedA,
    /// B made the call here, and A in one of these ways elsewhere.
    MovedB,
    /// A made the call, and calls of B are missing here.
    UnknownA,
    /// B made the call, and calls of A are missing here.
    UnknownB,
}

impl RowKind {
    /// Whether it is a difference between the runs, and neither time nor a loss of the recorder's.
    pub fn is_difference(self) -> bool {
        matches!(self, Self::Changed | Self::OnlyA | Self::OnlyB)
    }

    /// Whether there is a call of A in it.
    pub fn has_a(self) -> bool {
        !matches!(self, Self::OnlyB | Self::MovedB | Self::UnknownB)
    }

    /// Whether there is a call of B in it.
    pub fn has_b(self) -> bool {
        !matches!(self, Self::OnlyA | Self::MovedA | Self::UnknownA)
    }

    /// The letter in front of its line: what `diff` writes, and others for what it does not know.
    pub fn mark(self) -> char {
        match self {
            Self::Same => ' ',
            Self::Changed => '!',
            Self::OnlyA => '-',
            Self::OnlyB => '+',
            Self::MovedA => '<',
            Self::MovedB => '>',
            Self::UnknownA | Self::UnknownB => '?',
        }
    }
}

/// Neighbouring rows of one kind. Where a side has no call in them, its place is that of its next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What they are.
    pub kind: RowKind,
    /// Place of the first call among those of A's thread.
    pub a: u32,
    /// Place of the first call among those of B's thread.
    pub b: u32,
    /// Number of rows.
    pub rows: u32,
}

/// One row: numbers of the calls in their traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: RowKind,
    /// Number of A's call.
    pub a: Option<u64>,
    /// Number of B's call.
    pub b: Option<u64>,
}

/// Rows by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows that are the same.
    pub same: u64,
    /// Rows that differ.
    pub changed: u64,
    /// Calls that only A made.
    pub only_a: u64,
    /// Calls that only B made.
    pub only_b: u64,
    /// Calls that were made elsewhere, counted on both sides.
    pub moved: u64,
    /// Calls that have no counterpart because calls of the other side are missing.
    pub unknown: u64,
}

impl RowCounts {
    /// Rows that are differences.
    pub fn differences(&self) -> u64 {
        self.changed + self.only_a + self.only_b
    }

    /// Adds rows of a kind.
    pub fn add(&mut self, kind: RowKind, rows: u64) {
        let count = match kind {
            RowKind::Same => &mut self.same,
            RowKind::Changed => &mut self.changed,
            RowKind::OnlyA => &mut self.only_a,
            RowKind::OnlyB => &mut self.only_b,
            RowKind::MovedA | RowKind::MovedB => &mut self.moved,
            RowKind::UnknownA | RowKind::UnknownB => &mut self.unknown,
        };
        *count += rows;
    }
}

/// A thread of A beside one of B.
#[derive(Clone, Debug)]
pub struct ThreadPair {
    /// Thread of A.
    pub a: Option<ThreadId>,
    /// Thread of B.
    pub b: Option<ThreadId>,
    /// Why these two.
    pub how: Match,
    pub(crate) lane_a: Option<usize>,
    pub(crate) lane_b: Option<usize>,
    runs: Vec<Run>,
    /// Rows up to the end of each run.
    ends: Vec<u64>,
}

impl ThreadPair {
    /// A pair without rows.
    pub(crate) fn new(
        threads: (Option<ThreadId>, Option<ThreadId>),
        lanes: (Option<usize>, Option<usize>),
        how: Match,
    ) -> Self {
        Self {
            a: threads.0,
            b: threads.1,
            how,
            lane_a: lanes.0,
            lane_b: lanes.1,
            runs: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Sets the rows; neighbours of one kind are joined.
    pub(crate) fn set_runs(&mut self, runs: impl IntoIterator<Item = Run>) {
        self.runs.clear();
        self.ends.clear();
        let mut rows = 0;
        for run in runs.into_iter().filter(|run| run.rows > 0) {
            rows += u64::from(run.rows);
            match self.runs.last_mut() {
                Some(last) if last.kind == run.kind => {
                    last.rows += run.rows;
                    self.ends.pop();
                }
                _ => self.runs.push(run),
            }
            self.ends.push(rows);
        }
    }

    /// The rows, joined by kind.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Where a row is: its kind, and the places of its calls in their threads.
    pub(crate) fn place(&self, row: u64) -> Option<Run> {
        let number = self.ends.partition_point(|&end| end <= row);
        let run = self.runs.get(number)?;
        let first = self.ends[number] - u64::from(run.rows);
        let step = (row - first) as u32;
        Some(Run {
            a: run.a + if run.kind.has_a() { step } else { 0 },
            b: run.b + if run.kind.has_b() { step } else { 0 },
            rows: run.rows - step,
            ..*run
        })
    }

    /// Rows by kind.
    pub fn counts(&self) -> RowCounts {
        let mut counts = RowCounts::default();
        for run in &self.runs {
            counts.add(run.kind, run.rows.into());
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_number() {
        let mut pair = ThreadPair::new((None, None), (None, None), Match::First);
        let run = |kind, a, b, rows| Run { kind, a, b, rows };
        pair.set_runs([
            run(RowKind::Same, 0, 0, 2),
            run(RowKind::Same, 2, 2, 1),
            run(RowKind::OnlyB, 3, 3, 2),
            run(RowKind::Changed, 3, 5, 1),
        ]);
        assert_eq!((pair.runs().len(), pair.rows()), (3, 6));
        let places: Vec<_> = (0..7)
            .map(|row| pair.place(row).map(|run| (run.kind.mark(), run.a, run.b)))
            .collect();
        assert_eq!(
            places,
            [
                Some((' ', 0, 0)),
                Some((' ', 1, 1)),
                Some((' ', 2, 2)),
                Some(('+', 3, 3)),
                Some(('+', 3, 4)),
                Some(('!', 3, 5)),
                None,
            ]
        );
        assert_eq!(pair.counts().differences(), 3);
    }
}
