//! The furthest points that paths of differences reach from one end of an area.

use super::myers::Area;

/// Diagonals on each side of the first one that there is room for at the start.
const FIRST_RADIUS: i64 = 64;

/// From which end of an area paths grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    Forward,
    Backward,
}

/// The furthest points that paths reach from one end of an area, on each diagonal (place on the left side minus place on the right one).
#[derive(Debug)]
pub(crate) struct Frontier {
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
    /// Paths of no differences.
    pub fn new(area: &Area, growth: Growth) -> Self {
        let radius = FIRST_RADIUS;
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

    /// The diagonal of the end where paths start.
    pub fn centre(&self) -> i64 {
        self.centre
    }

    /// Diagonals that have a path, about twice as many.
    pub fn width(&self) -> u64 {
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

    /// Makes room for one more diagonal on each side.
    fn make_room(&mut self) {
        let outermost = (self.high - self.centre).max(self.centre - self.low) + 1;
        if outermost < self.radius {
            return;
        }
        let radius = self.radius * 2;
        let mut reached = vec![Self::nowhere(self.growth); 2 * radius as usize + 1];
        let start = (radius - self.radius) as usize;
        reached[start..start + self.reached.len()].copy_from_slice(&self.reached);
        (self.radius, self.reached) = (radius, reached);
    }

    /// Takes paths one difference further. Returns a point where one meets those of `other`.
    pub fn grow(
        &mut self,
        left: &[u32],
        right: &[u32],
        other: Option<&Self>,
    ) -> Option<(usize, usize)> {
        self.make_room();
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
