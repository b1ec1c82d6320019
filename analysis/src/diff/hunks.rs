//! Where two runs differ: differences with what is around them, loops folded.

use super::fold::{LoopNumbers, fold};
use super::process_pair::lanes_of;
use super::rows::{RowKind, ThreadPair};
use super::sequence::Sequence;
use super::watch::{DiffError, Report, Watch};
use super::word_lists::WordLists;

/// A difference with what is around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The pair of threads, by its place among those of [`Sequence::threads`].
    pub thread: usize,
    /// What it consists of, in order.
    pub units: Vec<Unit>,
}

/// Rows that belong together: one row, or a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Number of the first row.
    pub row: u64,
    /// Rows of one iteration; 1 for what is no loop.
    pub body: u64,
    /// How often the rows are repeated.
    pub count: u64,
    /// What its rows are. Of a loop with rows of several kinds: [`RowKind::Changed`] if it has differences.
    pub kind: RowKind,
    /// These rows are further iterations of what is right before them. On the first of such units.
    pub again: Option<Again>,
}

/// A loop that one side ran more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Rows of one iteration.
    pub body: u64,
    /// How often A ran it.
    pub a: u64,
    /// How often B ran it.
    pub b: u64,
}

impl Unit {
    /// All its rows.
    pub fn rows(&self) -> u64 {
        self.body * self.count
    }
}

impl Sequence {
    /// All rows of a pair of threads with loops folded.
    fn units(&self, thread: &ThreadPair, watch: &Watch<'_>) -> Result<Vec<Unit>, DiffError> {
        let (kinds, symbols, first_loop) = self.row_symbols(thread)?;
        watch.look()?;
        let folded = fold(&symbols, &mut LoopNumbers::new(first_loop), watch)?;
        watch.report(thread.rows())?;
        let ends = folded.starts.iter().skip(1).copied();
        let ends = ends.chain([symbols.len() as u32]);
        let units = folded.starts.iter().zip(ends).enumerate();
        Ok(units
            .map(|(unit, (&start, end))| {
                let count = folded.count(unit);
                let body = (end - start) / count;
                let rows = &symbols[start as usize..(start + body) as usize];
                Unit {
                    row: start.into(),
                    body: body.into(),
                    count: count.into(),
                    kind: kind_of(rows.iter().map(|&symbol| kinds[symbol as usize])),
                    again: None,
                }
            })
            .collect())
    }

    /// A number for each row, alike for rows that look alike; the kind of row by number; the first number that stands for no row.
    fn row_symbols(&self, thread: &ThreadPair) -> Result<(Vec<RowKind>, Vec<u32>, u32), DiffError> {
        let (a, b) = lanes_of((&self.a, &self.b), thread);
        let mut lists = WordLists::default();
        let mut kinds = Vec::new();
        let mut symbols = Vec::with_capacity(thread.rows() as usize);
        for run in thread.runs() {
            for step in 0..run.rows {
                let of_a = run.kind.has_a().then(|| {
                    let class = a.classes[(run.a + step) as usize];
                    self.exact.a[class as usize]
                });
                let of_b = run.kind.has_b().then(|| {
                    let class = b.classes[(run.b + step) as usize];
                    self.exact.b[class as usize]
                });
                let list = [
                    run.kind as u32,
                    of_a.unwrap_or(u32::MAX),
                    of_b.unwrap_or(u32::MAX),
                ];
                let symbol = lists.intern(&list)?;
                if symbol as usize == kinds.len() {
                    kinds.push(run.kind);
                }
                symbols.push(symbol);
            }
        }
        Ok((kinds, symbols, lists.len() as u32))
    }

    /// All differences, each with so many units before and behind it, in the order in which they come in A (where A has no call: in B). The
    /// first one is where the runs part. `report` is told of how many rows loops were folded.
    ///
    /// # Errors
    /// There is too much to number, or it was stopped.
    pub fn hunks(&self, context: usize, report: Report<'_>) -> Result<Vec<Hunk>, DiffError> {
        let mut hunks = Vec::new();
        let differs = |thread: &ThreadPair| thread.counts().differences() > 0;
        let differing = self.threads().filter(|thread| differs(thread));
        let watch = Watch::new(report, differing.map(ThreadPair::rows).sum());
        for (place, thread) in self.threads().enumerate() {
            if !differs(thread) {
                continue;
            }
            let mut units = self.units(thread, &watch)?;
            self.mark_repeats(thread, &mut units);
            hunks.extend(around_differences(place, &units, context));
        }
        let threads: Vec<&ThreadPair> = self.threads().collect();
        hunks.sort_by_key(|hunk| self.begin(threads[hunk.thread], hunk));
        Ok(hunks)
    }

    /// Where a hunk's first difference is: the share of the run that was over, in millionths, so that calls of A and of B compare; then the
    /// number of the call.
    fn begin(&self, thread: &ThreadPair, hunk: &Hunk) -> (u64, u64) {
        let first = hunk.units.iter().find(|unit| unit.kind.is_difference());
        let place = first.and_then(|unit| thread.place(unit.row));
        let Some(place) = place else {
            return (u64::MAX, u64::MAX);
        };
        let (a, b) = lanes_of((&self.a, &self.b), thread);
        // Where a side has no call in a row, the place is that of its next call.
        let seq = a.seqs.get(place.a as usize).or_else(|| a.seqs.last());
        let other = b.seqs.get(place.b as usize).or_else(|| b.seqs.last());
        let millionths = |seq: Option<&u32>, calls: u64| {
            seq.map(|&seq| u64::from(seq) * 1_000_000 / calls.max(1))
        };
        let share = millionths(seq, self.a.calls).or(millionths(other, self.b.calls));
        (
            share.unwrap_or(0),
            seq.or(other).copied().unwrap_or(0).into(),
        )
    }

    /// Finds units that one side has more of: further iterations of what is right before them.
    fn mark_repeats(&self, thread: &ThreadPair, units: &mut [Unit]) {
        let mut at = 0;
        while at < units.len() {
            let kind = units[at].kind;
            let end = units[at..].iter().position(|unit| unit.kind != kind);
            let end = end.map_or(units.len(), |length| at + length);
            if matches!(kind, RowKind::OnlyA | RowKind::OnlyB) {
                let repeat = self.repeat(thread, units, (at, end));
                units[at].again = repeat;
            }
            at = end;
        }
    }

    /// How often A and B ran what the units from `at` to `end` are, if that is what is right before them, too.
    fn repeat(
        &self,
        thread: &ThreadPair,
        units: &[Unit],
        (at, end): (usize, usize),
    ) -> Option<Again> {
        let first = &units[at];
        let rows: u64 = units[at..end].iter().map(Unit::rows).sum();
        let body = if end - at == 1 { first.body } else { rows };
        let is_repeated = |before: u64| {
            let place = |row: u64| thread.place(row).map(|run| (run.kind, run.a, run.b));
            (before..before + body)
                .zip(first.row..)
                .all(|(before, here)| match (place(before), place(here)) {
                    (Some((RowKind::Same, a, b)), Some((_, here_a, here_b))) => {
                        self.is_same_call(thread, first.kind, (a, b), (here_a, here_b))
                    }
                    _ => false,
                })
        };
        let mut common = 0;
        while let Some(before) = first.row.checked_sub(body * (common + 1))
            && is_repeated(before)
        {
            common += 1;
        }
        if common == 0 {
            return None;
        }
        let more = rows / body;
        let (a, b) = match first.kind {
            RowKind::OnlyA => (common + more, common),
            _ => (common, common + more),
        };
        Some(Again { body, a, b })
    }

    /// Whether calls at two places of the side that `kind` names ask the same.
    fn is_same_call(
        &self,
        thread: &ThreadPair,
        kind: RowKind,
        before: (u32, u32),
        here: (u32, u32),
    ) -> bool {
        let (a, b) = lanes_of((&self.a, &self.b), thread);
        let (lane, symbols, places) = match kind {
            RowKind::OnlyA => (a, &self.exact.a, (before.0, here.0)),
            _ => (b, &self.exact.b, (before.1, here.1)),
        };
        let symbol = |place: u32| {
            let class = lane.classes.get(place as usize)?;
            symbols.get(*class as usize)
        };
        symbol(places.0).is_some() && symbol(places.0) == symbol(places.1)
    }
}

/// What rows are together.
fn kind_of(kinds: impl Iterator<Item = RowKind>) -> RowKind {
    let mut all = kinds;
    let first = all.next().unwrap_or(RowKind::Same);
    all.fold(first, |kind, next| match (kind, next) {
        (kind, next) if kind == next => kind,
        (kind, next) if kind.is_difference() || next.is_difference() => RowKind::Changed,
        (_, next) => next,
    })
}

/// Groups differences that are at most twice the context apart.
fn around_differences(thread: usize, units: &[Unit], context: usize) -> Vec<Hunk> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for (place, _) in units
        .iter()
        .enumerate()
        .filter(|(_, unit)| unit.kind.is_difference())
    {
        let from = place.saturating_sub(context);
        let to = (place + 1).saturating_add(context).min(units.len());
        match hunks.last_mut() {
            Some((_, end)) if *end >= from => *end = to,
            _ => hunks.push((from, to)),
        }
    }
    let hunk = |(from, to): (usize, usize)| Hunk {
        thread,
        units: units[from..to].to_vec(),
    };
    hunks.into_iter().map(hunk).collect()
}
