//! The longest common subsequence of two sequences, by Myers' algorithm in linear space ("An O(ND) Difference Algorithm and Its
//! Variations", 1986, section 4b).
//!
//! The work grows with the number of differences, so it has a budget. Where that is used up, symbols that both sides have once hold the
//! rest together, and what lies between them counts as different: an answer that is right, and not the shortest.

use super::anchors::{longest_rising, once_in_both};
use super::budget::Budget;
use super::frontier::{Frontier, Growth};

/// A stretch that both sequences have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Common {
    /// Its start on the left side.
    pub left: u32,
    /// Its start on the right side.
    pub right: u32,
    /// Its length, at least 1.
    pub length: u32,
}

/// The stretches that two sequences have in common, in order; neighbours are joined.
pub(crate) fn common(left: &[u32], right: &[u32], budget: &mut Budget<'_>) -> Vec<Common> {
    aligned(left, right, (budget, true))
}

/// The same; nothing if the budget is too small for that.
pub(crate) fn common_within(
    left: &[u32],
    right: &[u32],
    budget: &mut Budget<'_>,
) -> Option<Vec<Common>> {
    let found = aligned(left, right, (budget, false));
    (!budget.is_exhausted()).then_some(found)
}

fn aligned(
    left: &[u32],
    right: &[u32],
    (budget, anchored): (&mut Budget<'_>, bool),
) -> Vec<Common> {
    let mut aligner = Aligner {
        left,
        right,
        budget,
        anchored,
        found: Vec::new(),
    };
    aligner.align(Area {
        left: (0, left.len()),
        right: (0, right.len()),
    });
    aligner.found
}

/// Part of both sequences, each from a first to behind a last element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub left: (usize, usize),
    pub right: (usize, usize),
}

struct Aligner<'a, 'w> {
    left: &'a [u32],
    right: &'a [u32],
    budget: &'a mut Budget<'w>,
    /// Whether anchors are looked for where the budget is used up.
    anchored: bool,
    found: Vec<Common>,
}

impl Aligner<'_, '_> {
    fn align(&mut self, mut area: Area) {
        let start = self.shared_start(&area);
        self.emit(area.left.0, area.right.0, start);
        area.left.0 += start;
        area.right.0 += start;
        let end = self.shared_end(&area);
        area.left.1 -= end;
        area.right.1 -= end;
        if area.left.0 < area.left.1 && area.right.0 < area.right.1 {
            match self.split(&area) {
                Some((left, right)) => {
                    self.align(Area {
                        left: (area.left.0, left),
                        right: (area.right.0, right),
                    });
                    self.align(Area {
                        left: (left, area.left.1),
                        right: (right, area.right.1),
                    });
                }
                None if self.anchored && self.budget.watch().look().is_ok() => self.anchor(&area),
                None => return,
            }
        }
        self.emit(area.left.1, area.right.1, end);
    }

    fn shared_start(&self, area: &Area) -> usize {
        let left = &self.left[area.left.0..area.left.1];
        let right = &self.right[area.right.0..area.right.1];
        left.iter().zip(right).take_while(|(a, b)| a == b).count()
    }

    fn shared_end(&self, area: &Area) -> usize {
        let left = self.left[area.left.0..area.left.1].iter().rev();
        let right = self.right[area.right.0..area.right.1].iter().rev();
        left.zip(right).take_while(|(a, b)| a == b).count()
    }

    fn emit(&mut self, left: usize, right: usize, length: usize) {
        if length == 0 {
            return;
        }
        if let Some(last) = self.found.last_mut()
            && (last.left + last.length) as usize == left
            && (last.right + last.length) as usize == right
        {
            last.length += length as u32;
            return;
        }
        self.found.push(Common {
            left: left as u32,
            right: right as u32,
            length: length as u32,
        });
    }

    /// A point on a shortest path through an area whose first elements differ, and whose last ones do; `None` if the budget is used up.
    ///
    /// Paths grow from both ends at once, one difference at a time. Where the furthest from one end meets the furthest from the other, they
    /// are a shortest path together.
    fn split(&mut self, area: &Area) -> Option<(usize, usize)> {
        let mut forward = Frontier::new(area, Growth::Forward);
        let mut backward = Frontier::new(area, Growth::Backward);
        let meets_forward = (forward.centre() - backward.centre()) % 2 != 0;
        loop {
            if !self.budget.spend(forward.width() + backward.width() + 4) {
                return None;
            }
            let met = forward.grow(self.left, self.right, meets_forward.then_some(&backward));
            if met.is_some() {
                return met;
            }
            let met = backward.grow(self.left, self.right, (!meets_forward).then_some(&forward));
            if met.is_some() {
                return met;
            }
        }
    }

    /// Splits an area at symbols that each side has once, in the longest order that both agree on.
    fn anchor(&mut self, area: &Area) {
        let left = &self.left[area.left.0..area.left.1];
        let right = &self.right[area.right.0..area.right.1];
        let mut at = (area.left.0, area.right.0);
        for (left, right) in longest_rising(&once_in_both(left, right)) {
            let anchor = (area.left.0 + left as usize, area.right.0 + right as usize);
            if anchor.0 < at.0 || anchor.1 < at.1 {
                // The stretch around the anchor before holds this one already.
                continue;
            }
            let before = self.shared_end(&Area {
                left: (at.0, anchor.0),
                right: (at.1, anchor.1),
            });
            let behind = self.shared_start(&Area {
                left: (anchor.0, area.left.1),
                right: (anchor.1, area.right.1),
            });
            self.emit(anchor.0 - before, anchor.1 - before, before + behind);
            at = (anchor.0 + behind, anchor.1 + behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::watch::IDLE;
    use cutape_trace_format::sample::Chance;

    const PLENTY: u64 = 1 << 40;

    /// Length of the longest common subsequence, by the table that textbooks fill.
    fn naive(left: &[u32], right: &[u32]) -> u32 {
        let mut row = vec![0; right.len() + 1];
        for &a in left {
            let mut diagonal = 0;
            for (place, &b) in right.iter().enumerate() {
                let above = row[place + 1];
                row[place + 1] = if a == b {
                    diagonal + 1
                } else {
                    above.max(row[place])
                };
                diagonal = above;
            }
        }
        row[right.len()]
    }

    /// Checks that what was found is common and rises; returns its length.
    fn checked(left: &[u32], right: &[u32], found: &[Common]) -> u32 {
        let mut at = (0, 0);
        for common in found {
            assert!(common.length > 0 && common.left >= at.0 && common.right >= at.1);
            let part = |side: &[u32], from: u32| {
                side[from as usize..(from + common.length) as usize].to_vec()
            };
            assert_eq!(part(left, common.left), part(right, common.right));
            at = (common.left + common.length, common.right + common.length);
        }
        found.iter().map(|common| common.length).sum()
    }

    fn random(chance: &mut Chance, most: u64, letters: u64) -> Vec<u32> {
        (0..chance.below(most + 1))
            .map(|_| chance.below(letters) as u32)
            .collect()
    }

    #[test]
    fn what_is_found_is_as_long_as_the_longest() {
        let mut chance = Chance::new(5);
        for round in 0..4000 {
            let letters = 1 + round % 7;
            let left = random(&mut chance, 24, letters);
            let right = random(&mut chance, 24, letters);
            let mut budget = Budget::steps(PLENTY, &IDLE);
            let found = common(&left, &right, &mut budget);
            assert_eq!(
                checked(&left, &right, &found),
                naive(&left, &right),
                "{left:?} {right:?}"
            );
            assert!(!budget.is_exhausted());
        }
    }

    #[test]
    fn edits_of_a_long_sequence_are_found() {
        let mut chance = Chance::new(6);
        for _ in 0..6 {
            let left: Vec<u32> = (0..3000).map(|_| chance.below(50) as u32).collect();
            let mut right = left.clone();
            for _ in 0..30 {
                let at = chance.below(right.len() as u64) as usize;
                match chance.below(3) {
                    0 => right.insert(at, chance.below(60) as u32),
                    1 => drop(right.remove(at)),
                    _ => right[at] = chance.below(60) as u32,
                }
            }
            let found = common(&left, &right, &mut Budget::steps(PLENTY, &IDLE));
            assert_eq!(checked(&left, &right, &found), naive(&left, &right));
        }
    }

    #[test]
    fn without_a_budget_the_answer_is_right_though_not_the_shortest() {
        let mut chance = Chance::new(7);
        for round in 0..2000 {
            let left = random(&mut chance, 60, 3 + round % 60);
            let right = random(&mut chance, 60, 3 + round % 60);
            let mut budget = Budget::steps(chance.below(200), &IDLE);
            let found = common(&left, &right, &mut budget);
            let length = checked(&left, &right, &found);
            let longest = naive(&left, &right);
            assert!(
                length == longest || budget.is_exhausted() && length < longest || length <= longest
            );
        }
        let left: Vec<u32> = (0..1000).collect();
        let mut right: Vec<u32> = (0..1000)
            .map(|n| if n % 3 == 0 { n + 5000 } else { n })
            .collect();
        right.swap(10, 900);
        let mut budget = Budget::steps(10, &IDLE);
        let found = common(&left, &right, &mut budget);
        assert!(budget.is_exhausted());
        assert!(
            checked(&left, &right, &found) > 650,
            "anchors hold the rest"
        );
    }

    #[test]
    fn one_empty_side_has_nothing_in_common() {
        let mut budget = Budget::steps(PLENTY, &IDLE);
        assert_eq!(common(&[], &[1, 2], &mut budget), []);
        assert_eq!(common(&[1], &[], &mut budget), []);
        assert_eq!(common(&[], &[], &mut budget), []);
    }
}
