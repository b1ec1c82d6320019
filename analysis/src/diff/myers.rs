//! The longest common subsequence of two sequences, by Myers' algorithm in linear space ("An O(ND) Difference Algorithm and Its
//! Variations", 1986, section 4b).
//!
//! The work grows with the number of differences, so it has a budget. Where that is used up, symbols that both sides have once hold the
//! rest together, and what lies between them counts as different: an answer that is right, and not the shortest.

use std::collections::HashMap;

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

/// Work that may be done, in visits of a diagonal. A budget in steps rather than in time gives the same answer on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    steps: u64,
    exhausted: bool,
}

impl Budget {
    /// That many steps; a processor does some 300 million of them in a second.
    pub fn steps(steps: u64) -> Self {
        Self {
            steps,
            exhausted: false,
        }
    }

    /// Whether the work had to be cut short.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    fn spend(&mut self, steps: u64) -> bool {
        match self.steps.checked_sub(steps) {
            Some(left) if !self.exhausted => {
                self.steps = left;
                true
            }
            _ => {
                self.exhausted = true;
                false
            }
        }
    }
}

/// The stretches that two sequences have in common, in order; neighbours are joined.
pub(crate) fn common(left: &[u32], right: &[u32], budget: &mut Budget) -> Vec<Common> {
    let mut aligner = Aligner {
        left,
        right,
        budget,
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
struct Area {
    left: (usize, usize),
    right: (usize, usize),
}

struct Aligner<'a> {
    left: &'a [u32],
    right: &'a [u32],
    budget: &'a mut Budget,
    found: Vec<Common>,
}

impl Aligner<'_> {
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
                None => self.anchor(&area),
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
        let mut forward = Frontier::new(area, self.budget, Growth::Forward);
        let mut backward = Frontier::new(area, self.budget, Growth::Backward);
        let meets_forward = (forward.centre - backward.centre) % 2 != 0;
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

/// From which end of an area paths grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    Forward,
    Backward,
}

/// The furthest points that paths reach from one end of an area, on each diagonal (place on the left side minus place on the right one).
#[derive(Debug)]
struct Frontier {
    growth: Growth,
    area: Area,
    /// The diagonal of the end where paths start.
    centre: i64,
    /// Diagonals that have a path: every second one from `low` to `high`.
    low: i64,
    high: i64,
    /// Place on the left side by diagonal, from `centre - radius` on.
    reached: Vec<i64>,
    radius: i64,
}

impl Frontier {
    /// Paths of no differences. The budget limits how many there can be.
    fn new(area: &Area, budget: &Budget, growth: Growth) -> Self {
        let elements = area.left.1 - area.left.0 + area.right.1 - area.right.0;
        let radius = elements.min(budget.steps.isqrt() as usize) as i64 + 2;
        let (left, right) = match growth {
            Growth::Forward => (area.left.0, area.right.0),
            Growth::Backward => (area.left.1, area.right.1),
        };
        let centre = left as i64 - right as i64;
        let mut frontier = Self {
            growth,
            area: *area,
            centre,
            low: centre,
            high: centre,
            reached: vec![Self::nowhere(growth); 2 * radius as usize + 1],
            radius,
        };
        frontier.set(centre, left as i64);
        frontier
    }

    /// Further back than any point.
    fn nowhere(growth: Growth) -> i64 {
        match growth {
            Growth::Forward => -1,
            Growth::Backward => i64::MAX,
        }
    }

    fn width(&self) -> u64 {
        (self.high - self.low) as u64
    }

    fn get(&self, diagonal: i64) -> i64 {
        let place = diagonal - self.centre + self.radius;
        let reached = usize::try_from(place)
            .ok()
            .and_then(|place| self.reached.get(place));
        reached
            .copied()
            .unwrap_or_else(|| Self::nowhere(self.growth))
    }

    fn set(&mut self, diagonal: i64, left: i64) {
        let place = (diagonal - self.centre + self.radius) as usize;
        if let Some(reached) = self.reached.get_mut(place) {
            *reached = left;
        }
    }

    /// Takes paths one difference further. Returns a point where one meets those of `other`.
    fn grow(
        &mut self,
        left: &[u32],
        right: &[u32],
        other: Option<&Self>,
    ) -> Option<(usize, usize)> {
        // Beyond these diagonals lies nothing of the area.
        let lowest = self.area.left.0 as i64 - self.area.right.1 as i64;
        let highest = self.area.left.1 as i64 - self.area.right.0 as i64;
        self.low += if self.low > lowest { -1 } else { 1 };
        self.high += if self.high < highest { 1 } else { -1 };
        for diagonal in (self.low..=self.high).step_by(2) {
            let reached = self.follow(left, right, diagonal);
            self.set(diagonal, reached);
            let met = other.is_some_and(|other| other.meets(diagonal, reached));
            if met {
                return Some((reached as usize, (reached - diagonal) as usize));
            }
        }
        None
    }

    /// How far a path comes on a diagonal: from its neighbours by one difference, then along what is equal.
    fn follow(&self, left: &[u32], right: &[u32], diagonal: i64) -> i64 {
        let (below, above) = (self.get(diagonal - 1), self.get(diagonal + 1));
        match self.growth {
            Growth::Forward => {
                let start = above.max(below + 1);
                let most = (self.area.left.1 as i64).min(self.area.right.1 as i64 + diagonal);
                let mut at = start;
                while at < most && left[at as usize] == right[(at - diagonal) as usize] {
                    at += 1;
                }
                at
            }
            Growth::Backward => {
                let start = below.min(above.saturating_sub(1));
                let least = (self.area.left.0 as i64).max(self.area.right.0 as i64 + diagonal);
                let mut at = start;
                while at > least && left[at as usize - 1] == right[(at - diagonal) as usize - 1] {
                    at -= 1;
                }
                at
            }
        }
    }

    /// Whether a path on that diagonal from the other end, which reached `left`, meets one of these.
    fn meets(&self, diagonal: i64, left: i64) -> bool {
        let known = (self.low..=self.high).contains(&diagonal) && (diagonal - self.low) % 2 == 0;
        known
            && match self.growth {
                Growth::Forward => left <= self.get(diagonal),
                Growth::Backward => left >= self.get(diagonal),
            }
    }
}

/// Places of symbols that each side has once, in the order of the left side.
fn once_in_both(left: &[u32], right: &[u32]) -> Vec<(u32, u32)> {
    let mut places: HashMap<u32, (u32, u32)> = HashMap::new();
    let mut count: HashMap<u32, (u32, u32)> = HashMap::new();
    for (place, &symbol) in left.iter().enumerate() {
        count.entry(symbol).or_default().0 += 1;
        places.entry(symbol).or_default().0 = place as u32;
    }
    for (place, &symbol) in right.iter().enumerate() {
        if let Some(count) = count.get_mut(&symbol) {
            count.1 += 1;
            places.entry(symbol).or_default().1 = place as u32;
        }
    }
    let once = |(symbol, count): (u32, (u32, u32))| {
        (count == (1, 1))
            .then(|| places.get(&symbol).copied())
            .flatten()
    };
    let mut found: Vec<_> = count.into_iter().filter_map(once).collect();
    found.sort_unstable();
    found
}

/// The longest part of a list of pairs, rising in their first number, that rises in the second one, too.
fn longest_rising(pairs: &[(u32, u32)]) -> Vec<(u32, u32)> {
    // By length: the place of the pair with the smallest second number that a part of that length ends with.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (place, &(_, second)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < second);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(place);
        } else {
            ends[length] = place;
        }
    }
    let mut longest = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(place) = at {
        longest.push(pairs[place]);
        at = before[place];
    }
    longest.reverse();
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let mut budget = Budget::steps(PLENTY);
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
            let found = common(&left, &right, &mut Budget::steps(PLENTY));
            assert_eq!(checked(&left, &right, &found), naive(&left, &right));
        }
    }

    #[test]
    fn without_a_budget_the_answer_is_right_though_not_the_shortest() {
        let mut chance = Chance::new(7);
        for round in 0..2000 {
            let left = random(&mut chance, 60, 3 + round % 60);
            let right = random(&mut chance, 60, 3 + round % 60);
            let mut budget = Budget::steps(chance.below(200));
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
        let mut budget = Budget::steps(10);
        let found = common(&left, &right, &mut budget);
        assert!(budget.is_exhausted());
        assert!(
            checked(&left, &right, &found) > 650,
            "anchors hold the rest"
        );
    }

    #[test]
    fn one_empty_side_has_nothing_in_common() {
        let mut budget = Budget::steps(PLENTY);
        assert_eq!(common(&[], &[1, 2], &mut budget), []);
        assert_eq!(common(&[1], &[], &mut budget), []);
        assert_eq!(common(&[], &[], &mut budget), []);
    }
}
