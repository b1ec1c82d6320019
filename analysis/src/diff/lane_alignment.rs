//! Aligning the calls of two threads: loops are folded, what is left is aligned, and loops are unfolded again.

use super::fold::{Folded, LoopNumbers, fold};
use super::myers::{Budget, Common, common};
use super::watch::DiffError;

/// Steps that may be spent on looking into loops that one side alone has.
const REFINING_STEPS: u64 = 1 << 22;

/// The stretches that two sequences have in common. Symbols are below `first_loop`.
///
/// # Errors
/// There are more different loops than numbers.
pub(crate) fn align(
    a: &[u32],
    b: &[u32],
    first_loop: u32,
    budget: &mut Budget,
) -> Result<Vec<Common>, DiffError> {
    let mut found = Joined::default();
    let shared = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    if shared == a.len().min(b.len()) {
        // One side goes on where the other ends; nothing else differs.
        found.add(0, 0, shared);
        return Ok(found.0);
    }
    let mut numbers = LoopNumbers::new(first_loop);
    let sides = [
        Side::of(a, fold(a, &mut numbers)?),
        Side::of(b, fold(b, &mut numbers)?),
    ];
    let units = common(&sides[0].folded.symbols, &sides[1].folded.symbols, budget);
    let mut at = (0, 0);
    for stretch in units {
        let unit = (stretch.left as usize, stretch.right as usize);
        refine(&sides, (at, unit), &mut found);
        for step in 0..stretch.length as usize {
            add_unit(&sides, (unit.0 + step, unit.1 + step), &mut found);
        }
        let length = stretch.length as usize;
        at = (unit.0 + length, unit.1 + length);
    }
    let end = (sides[0].units(), sides[1].units());
    refine(&sides, (at, end), &mut found);
    Ok(found.0)
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
struct Joined(Vec<Common>);

impl Joined {
    fn add(&mut self, left: usize, right: usize, length: usize) {
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
fn refine(sides: &[Side<'_>; 2], between: ((usize, usize), (usize, usize)), found: &mut Joined) {
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
        &mut Budget::steps(REFINING_STEPS),
    );
    for stretch in stretches {
        let (left, right) = (a.0 + stretch.left as usize, b.0 + stretch.right as usize);
        found.add(left, right, stretch.length as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(a: &[u32], b: &[u32]) -> Vec<(u32, u32, u32)> {
        let mut budget = Budget::steps(1 << 30);
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
