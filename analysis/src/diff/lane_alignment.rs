//! Aligning the calls of two threads. Where few calls differ they are aligned as they are; otherwise loops are folded, what is left is aligned,
//! and loops are unfolded again.

use super::budget::Budget;
use super::fold::{Folded, fold_both};
use super::myers::{Common, common, common_within};
use super::shared_symbols::SharedSymbols;
use super::watch::{DiffError, Watch};

/// Steps that may be spent on looking into loops that one side alone has.
const REFINING_STEPS: u64 = 1 << 22;
/// Steps that may be spent on aligning without folding: so many, and so many for each call. That is enough for some thousand differences in
/// a million calls, and costs less than folding them.
const PLAIN_STEPS: u64 = 1 << 20;
const PLAIN_STEPS_OF_CALL: u64 = 4;

/// The stretches that two sequences have in common. Symbols are below `first_loop`.
///
/// # Errors
/// There are more different loops than numbers, or the work was stopped.
pub(crate) fn align(
    a: &[u32],
    b: &[u32],
    first_loop: u32,
    budget: &mut Budget<'_>,
) -> Result<Vec<Common>, DiffError> {
    let mut found = Joined::default();
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    found.add(0, 0, head);
    let (rest_a, rest_b) = (&a[head..], &b[head..]);
    let ends = rest_a.iter().rev().zip(rest_b.iter().rev());
    let tail = ends.take_while(|(a, b)| a == b).count();
    let middle = (
        &rest_a[..rest_a.len() - tail],
        &rest_b[..rest_b.len() - tail],
    );
    if !middle.0.is_empty() && !middle.1.is_empty() {
        for stretch in align_shared(middle, first_loop, budget)? {
            let (left, right) = (head + stretch.left as usize, head + stretch.right as usize);
            found.add(left, right, stretch.length as usize);
        }
    }
    found.add(a.len() - tail, b.len() - tail, tail);
    budget.watch().look()?;
    Ok(settle(a, b, found.0))
}

/// Symbols that one side alone has are passed over where they are many.
fn align_shared(
    (a, b): (&[u32], &[u32]),
    first_loop: u32,
    budget: &mut Budget<'_>,
) -> Result<Vec<Common>, DiffError> {
    let Some(shared) = SharedSymbols::of(a, b, first_loop) else {
        return align_middle((a, b), first_loop, budget);
    };
    if shared.a.is_empty() {
        return Ok(Vec::new());
    }
    let found = align_middle((&shared.a, &shared.b), first_loop, budget)?;
    Ok(shared.in_the_whole(&found))
}

/// Most runs of a program differ in few places, which are found without folding.
fn align_middle(
    (a, b): (&[u32], &[u32]),
    first_loop: u32,
    budget: &mut Budget<'_>,
) -> Result<Vec<Common>, DiffError> {
    let calls = (a.len() + b.len()) as u64;
    let steps = PLAIN_STEPS + calls * PLAIN_STEPS_OF_CALL;
    let mut plain = Budget::steps(steps, budget.watch());
    if let Some(found) = common_within(a, b, &mut plain) {
        return Ok(found);
    }
    budget.watch().look()?;
    let folded = fold_both((a, b), first_loop, budget.watch())?;
    Ok(align_folded(
        [Side::of(a, folded.0), Side::of(b, folded.1)],
        budget,
    ))
}

fn align_folded(sides: [Side<'_>; 2], budget: &mut Budget<'_>) -> Vec<Common> {
    let mut found = Joined::default();
    let units = common(&sides[0].folded.symbols, &sides[1].folded.symbols, budget);
    let mut at = (0, 0);
    for stretch in units {
        let unit = (stretch.left as usize, stretch.right as usize);
        refine(&sides, (at, unit), &mut found, budget.watch());
        for step in 0..stretch.length as usize {
            add_unit(&sides, (unit.0 + step, unit.1 + step), &mut found);
        }
        let length = stretch.length as usize;
        at = (unit.0 + length, unit.1 + length);
    }
    let end = (sides[0].units(), sides[1].units());
    refine(&sides, (at, end), &mut found, budget.watch());
    found.0
}

/// Moves calls that one side alone has as far back as they go: what is more of a loop comes behind the loop that both have.
fn settle(a: &[u32], b: &[u32], found: Vec<Common>) -> Vec<Common> {
    let mut settled: Vec<Common> = Vec::with_capacity(found.len());
    for mut next in found {
        if let Some(last) = settled.last_mut() {
            let end = (last.left + last.length, last.right + last.length);
            let slide = match (next.left == end.0, next.right == end.1) {
                (true, false) => alike(b, (end.1, next.right), next.length),
                (false, true) => alike(a, (end.0, next.left), next.length),
                _ => 0,
            };
            last.length += slide;
            next.left += slide;
            next.right += slide;
            next.length -= slide;
        }
        if next.length > 0 {
            settled.push(next);
        }
    }
    settled
}

/// How many symbols from one place on are those from another place on, `most` at most.
fn alike(sequence: &[u32], (one, other): (u32, u32), most: u32) -> u32 {
    let one = sequence[one as usize..].iter();
    let other = sequence[other as usize..].iter().take(most as usize);
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .count() as u32
}

/// A sequence and its loops.
struct Side<'a> {
    sequence: &'a [u32],
    folded: Folded,
}

impl<'a> Side<'a> {
    fn of(sequence: &'a [u32], folded: Folded) -> Self {
        Self { sequence, folded }
    }

    fn units(&self) -> usize {
        self.folded.starts.len()
    }

    /// Where a unit starts; behind the last one, the end.
    fn start(&self, unit: usize) -> usize {
        let start = self.folded.starts.get(unit);
        start.map_or(self.sequence.len(), |&start| start as usize)
    }

    fn has_loop(&self, from: usize, to: usize) -> bool {
        let first = self
            .folded
            .loops
            .partition_point(|&(unit, _)| (unit as usize) < from);
        let next = self.folded.loops.get(first);
        next.is_some_and(|&(unit, _)| (unit as usize) < to)
    }
}

/// Common stretches; neighbours are joined.
#[derive(Default)]
pub(crate) struct Joined(Vec<Common>);

impl Joined {
    /// The stretches.
    pub fn into_stretches(self) -> Vec<Common> {
        self.0
    }

    /// Adds a stretch behind all others.
    pub fn add(&mut self, left: usize, right: usize, length: usize) {
        if length == 0 {
            return;
        }
        if let Some(last) = self.0.last_mut()
            && (last.left + last.length) as usize == left
            && (last.right + last.length) as usize == right
        {
            last.length += length as u32;
            return;
        }
        self.0.push(Common {
            left: left as u32,
            right: right as u32,
            length: length as u32,
        });
    }
}

/// Two units are the same call, or the same loop: its iterations are common as often as both sides have them.
fn add_unit(sides: &[Side<'_>; 2], unit: (usize, usize), found: &mut Joined) {
    let (start, end) = (sides[0].start(unit.0), sides[0].start(unit.0 + 1));
    let count = sides[0].folded.count(unit.0);
    let shared = count.min(sides[1].folded.count(unit.1));
    let body = (end - start) / count as usize;
    found.add(start, sides[1].start(unit.1), body * shared as usize);
}

/// Between two pairs of units that are the same, loops of one side may be single calls on the other.
fn refine(
    sides: &[Side<'_>; 2],
    between: ((usize, usize), (usize, usize)),
    found: &mut Joined,
    watch: &Watch<'_>,
) {
    let (from, to) = between;
    if from.0 == to.0 || from.1 == to.1 {
        return;
    }
    if !sides[0].has_loop(from.0, to.0) && !sides[1].has_loop(from.1, to.1) {
        return;
    }
    let a = (sides[0].start(from.0), sides[0].start(to.0));
    let b = (sides[1].start(from.1), sides[1].start(to.1));
    let stretches = common(
        &sides[0].sequence[a.0..a.1],
        &sides[1].sequence[b.0..b.1],
        &mut Budget::steps(REFINING_STEPS, watch),
    );
    for stretch in stretches {
        let (left, right) = (a.0 + stretch.left as usize, b.0 + stretch.right as usize);
        found.add(left, right, stretch.length as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::watch::IDLE;

    fn aligned(a: &[u32], b: &[u32]) -> Vec<(u32, u32, u32)> {
        let mut budget = Budget::steps(1 << 30, &IDLE);
        let found = align(a, b, 1000, &mut budget).expect("has numbers");
        found
            .iter()
            .map(|common| (common.left, common.right, common.length))
            .collect()
    }

    #[test]
    fn a_loop_that_ran_once_more_is_one_difference() {
        let mut a = vec![9];
        a.extend([1, 2, 3].repeat(100_000));
        let mut b = vec![9];
        b.extend([1, 2, 3].repeat(100_001));
        a.push(8);
        b.push(8);
        assert_eq!(aligned(&a, &b), [(0, 0, 300_001), (300_001, 300_004, 1)]);
    }

    #[test]
    fn a_loop_and_a_single_iteration_are_aligned() {
        assert_eq!(
            aligned(&[9, 1, 2, 8], &[9, 1, 2, 1, 2, 1, 2, 8])
                .iter()
                .map(|common| common.2)
                .sum::<u32>(),
            4
        );
    }

    #[test]
    fn a_side_that_ends_early_has_its_start_in_common() {
        assert_eq!(aligned(&[1, 2, 3], &[1, 2, 3, 4, 5]), [(0, 0, 3)]);
        assert_eq!(aligned(&[], &[1]), []);
        assert_eq!(aligned(&[1, 2], &[1, 2]), [(0, 0, 2)]);
    }
}
