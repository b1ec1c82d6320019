//! From aligned calls to rows: which aligned calls got the same answer, which of those that are not aligned ask the same question all the same.

use super::budget::Budget;
use super::by_stream::Aligned;
use super::myers::{Common, common};
use super::rows::{RowKind, Run};
use super::scan::{Hole, Lane, Scan};
use super::symbols::{Counterparts, Symbols};
use super::volatile::is_alike;
use super::watch::{DiffError, Watch};

/// Steps that may be spent on pairing what lies between two aligned stretches.
const PAIRING_STEPS: u64 = 1 << 22;

/// Judges calls of two traces.
pub(crate) struct Judge<'a> {
    pub a: &'a Scan,
    pub b: &'a Scan,
    pub exact: &'a Symbols,
    pub questions: &'a Symbols,
    pub counterparts: &'a Counterparts,
    watch: &'a Watch<'a>,
    /// By class of A: the class of B that it was compared with last, and what came out. In a loop that is the one that comes again.
    last: Vec<(u32, bool)>,
}

impl<'a> Judge<'a> {
    /// A judge that has seen nothing yet. `symbols` are those of exact questions and of questions.
    pub fn new(
        scans: (&'a Scan, &'a Scan),
        symbols: (&'a Symbols, &'a Symbols),
        counterparts: &'a Counterparts,
        watch: &'a Watch<'a>,
    ) -> Self {
        Self {
            a: scans.0,
            b: scans.1,
            exact: symbols.0,
            questions: symbols.1,
            counterparts,
            watch,
            last: vec![(u32::MAX, false); scans.0.classes.len()],
        }
    }

    /// Whether calls of these classes are the same.
    pub fn is_same(&mut self, a: u32, b: u32) -> bool {
        let (last, same) = self.last[a as usize];
        if last == b {
            return same;
        }
        let same = self.compare(a, b);
        self.last[a as usize] = (b, same);
        same
    }

    fn compare(&self, a: u32, b: u32) -> bool {
        if self.exact.a[a as usize] != self.exact.b[b as usize] {
            return false;
        }
        let (a, b) = (self.a.class(a), self.b.class(b));
        let alike = match (a.free_memory(), b.free_memory()) {
            (Some(a), Some(b)) => is_alike(a.into(), b.into()),
            (a, b) => a == b,
        };
        // One recording may have kept images and data that the other has not.
        let payload = a.payload() == b.payload() || a.payload() == 0 || b.payload() == 0;
        // The same holds for the arguments of kernels.
        let kernel = a.kernel() == 0
            || b.kernel() == 0
            || a.kernel() == b.kernel()
                && self
                    .counterparts
                    .are_pairs(a.kernel_objects(), b.kernel_objects());
        alike
            && payload
            && kernel
            && a.answer() == b.answer()
            && self.counterparts.are_pairs(a.given(), b.given())
    }

    /// The rows of two threads whose exact questions are aligned like that.
    ///
    /// # Errors
    /// The work was stopped.
    pub fn rows(
        &mut self,
        lanes: (&Lane, &Lane),
        aligned: &Aligned,
    ) -> Result<Vec<Run>, DiffError> {
        let mut runs = Vec::new();
        let mut at = (0, 0);
        let by_stream = !aligned.moved.is_empty();
        for stretch in &aligned.stretches {
            let to = (stretch.left, stretch.right);
            self.add_gap((lanes, by_stream), (at, to), &mut runs);
            self.add_stretch(lanes, *stretch, &mut runs);
            self.watch.look()?;
            at = (
                stretch.left + stretch.length,
                stretch.right + stretch.length,
            );
        }
        let end = (lanes.0.classes.len() as u32, lanes.1.classes.len() as u32);
        self.add_gap((lanes, by_stream), (at, end), &mut runs);
        self.watch.look()?;
        Ok(runs)
    }

    /// Adds calls that are aligned.
    fn add_stretch(&mut self, lanes: (&Lane, &Lane), stretch: Common, runs: &mut Vec<Run>) {
        for step in 0..stretch.length {
            let (a, b) = (stretch.left + step, stretch.right + step);
            let same = self.is_same(lanes.0.classes[a as usize], lanes.1.classes[b as usize]);
            let kind = if same {
                RowKind::Same
            } else {
                RowKind::Changed
            };
            add(runs, kind, (a, b), 1);
        }
    }

    /// Adds what lies between two aligned stretches. Calls with the same question are changed; the others are on one side alone.
    ///
    /// Where calls were aligned by stream, two that are the same and are not aligned come in another order on their stream: they are none.
    fn add_gap(
        &mut self,
        (lanes, by_stream): ((&Lane, &Lane), bool),
        gap: Gap,
        runs: &mut Vec<Run>,
    ) {
        let (from, to) = gap;
        let only_a = kind_alone(
            RowKind::OnlyA,
            (&self.b.holes, lanes.1),
            (from.1, to.1),
            to.0 - from.0,
        );
        let only_b = kind_alone(
            RowKind::OnlyB,
            (&self.a.holes, lanes.0),
            (from.0, to.0),
            to.1 - from.1,
        );
        let mut at = from;
        let mut pairs = self.pairs(lanes, gap);
        if by_stream {
            pairs = self.changed_among(lanes, &pairs);
        }
        for pair in pairs {
            add(runs, only_a, at, pair.left - at.0);
            add(runs, only_b, (pair.left, at.1), pair.right - at.1);
            self.add_stretch(lanes, pair, runs);
            at = (pair.left + pair.length, pair.right + pair.length);
        }
        add(runs, only_a, at, to.0 - at.0);
        add(runs, only_b, (to.0, at.1), to.1 - at.1);
    }

    /// Those of some pairs of calls that are not the same.
    fn changed_among(&mut self, lanes: (&Lane, &Lane), pairs: &[Common]) -> Vec<Common> {
        let steps = pairs.iter().flat_map(|pair| {
            (0..pair.length).map(|step| Common {
                left: pair.left + step,
                right: pair.right + step,
                length: 1,
            })
        });
        let class_a = |pair: &Common| lanes.0.classes[pair.left as usize];
        let class_b = |pair: &Common| lanes.1.classes[pair.right as usize];
        steps
            .filter(|pair| !self.is_same(class_a(pair), class_b(pair)))
            .collect()
    }

    /// Calls between two aligned stretches that ask the same question.
    pub fn pairs(&self, lanes: (&Lane, &Lane), (from, to): Gap) -> Vec<Common> {
        if from.0 == to.0 || from.1 == to.1 {
            return Vec::new();
        }
        let question = |symbols: &[u32], lane: &Lane, from: u32, to: u32| -> Vec<u32> {
            let classes = &lane.classes[from as usize..to as usize];
            classes
                .iter()
                .map(|&class| symbols[class as usize])
                .collect()
        };
        let a = question(&self.questions.a, lanes.0, from.0, to.0);
        let b = question(&self.questions.b, lanes.1, from.1, to.1);
        let mut pairs = common(&a, &b, &mut Budget::steps(PAIRING_STEPS, self.watch));
        for pair in &mut pairs {
            pair.left += from.0;
            pair.right += from.1;
        }
        pairs
    }
}

/// What lies between two aligned stretches: from a place on each side to a place on each side.
pub(crate) type Gap = ((u32, u32), (u32, u32));

/// What calls of one side are that have no counterpart: where calls of the other side are missing, nobody knows.
fn kind_alone(kind: RowKind, other: (&[Hole], &Lane), gap: (u32, u32), calls: u32) -> RowKind {
    let (holes, lane) = other;
    let inside = |hole: &&Hole| {
        let place = lane
            .seqs
            .partition_point(|&seq| u64::from(seq) <= hole.behind) as u32;
        (gap.0..=gap.1).contains(&place)
    };
    let mut missing = 0u64;
    for hole in holes.iter().filter(inside) {
        missing = missing.saturating_add(hole.calls.unwrap_or(u64::MAX));
    }
    match kind {
        _ if missing < u64::from(calls) || calls == 0 => kind,
        RowKind::OnlyA => RowKind::UnknownA,
        _ => RowKind::UnknownB,
    }
}

/// Adds rows, joined with those before them if they go on there.
pub(crate) fn add(runs: &mut Vec<Run>, kind: RowKind, (a, b): (u32, u32), rows: u32) {
    if rows == 0 {
        return;
    }
    if let Some(last) = runs.last_mut()
        && last.kind == kind
    {
        last.rows += rows;
        return;
    }
    runs.push(Run { kind, a, b, rows });
}
