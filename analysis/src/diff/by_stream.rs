//! Aligning the calls of two threads stream by stream: a thread that feeds several streams may feed them in another order in the other run.
//!
//! Calls that are in order with everything (they wait, or are about no stream) hold the runs together. What lies between two of them is aligned
//! for each stream by itself. Of the pairs that this gives, as many as possible stay in their place; the others moved.

use super::anchors::longest_rising;
use super::budget::Budget;
use super::lane_alignment::{Joined, align};
use super::myers::{Common, common};
use super::scan::Lane;
use super::stream_order::{OrderKey, OrderKeys};
use super::symbols::Symbols;
use super::watch::DiffError;

/// Calls of two threads that belong together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aligned {
    /// Those that come in the same order on both sides.
    pub stretches: Vec<Common>,
    /// Those that another order of streams moved: places in A and in B, rising in A.
    pub moved: Vec<(u32, u32)>,
}

impl Aligned {
    /// Pairs of calls.
    fn pairs(&self) -> u64 {
        let in_place = self
            .stretches
            .iter()
            .map(|stretch| u64::from(stretch.length));
        in_place.sum::<u64>() + self.moved.len() as u64
    }
}

/// A place in A's thread and one in B's.
type Point = (u32, u32);

/// Two threads whose calls are on several streams.
pub(crate) struct ByStream<'a> {
    /// The threads.
    pub lanes: (&'a Lane, &'a Lane),
    /// What calls ask.
    pub symbols: &'a Symbols,
    /// What they are in order with.
    pub keys: &'a OrderKeys,
}

impl ByStream<'_> {
    /// Aligns stream by stream, if that finds more calls that belong together than `stretches` has, or some of these are of other streams.
    ///
    /// # Errors
    /// There are more different loops than numbers, or the work was stopped.
    pub fn improve(
        &self,
        stretches: Vec<Common>,
        budget: &mut Budget<'_>,
    ) -> Result<Aligned, DiffError> {
        let longest = self.lanes.0.classes.len().max(self.lanes.1.classes.len()) as u64;
        let (fences, in_order) = self.fences_among(&stretches);
        if in_order == longest {
            let moved = Vec::new();
            return Ok(Aligned { stretches, moved });
        }
        let mut best = self.between(&fences, budget)?;
        if best.pairs() < longest {
            // A shift by a whole iteration may have more in common than an order that was shuffled in each of them.
            let fences = self.all_fences(budget)?;
            let other = self.between(&fences, budget)?;
            if other.pairs() > best.pairs() {
                best = other;
            }
        }
        let aligned: u64 = stretches
            .iter()
            .map(|stretch| u64::from(stretch.length))
            .sum();
        if best.pairs() > in_order || in_order < aligned {
            return Ok(best);
        }
        let moved = Vec::new();
        Ok(Aligned { stretches, moved })
    }

    fn key_of_a(&self, place: u32) -> OrderKey {
        self.keys.a[self.lanes.0.classes[place as usize] as usize]
    }

    fn key_of_b(&self, place: u32) -> OrderKey {
        self.keys.b[self.lanes.1.classes[place as usize] as usize]
    }

    /// Pairs of calls that are in order with everything; and how many pairs there are whose calls are on the same stream.
    fn fences_among(&self, stretches: &[Common]) -> (Vec<Point>, u64) {
        let (mut fences, mut in_order) = (Vec::new(), 0);
        for stretch in stretches {
            for step in 0..stretch.length {
                let point = (stretch.left + step, stretch.right + step);
                let stream = self.key_of_a(point.0).stream;
                if stream != self.key_of_b(point.1).stream {
                    continue;
                }
                in_order += 1;
                if stream.is_none() {
                    fences.push(point);
                }
            }
        }
        (fences, in_order)
    }

    /// The same pairs, found among such calls alone.
    fn all_fences(&self, budget: &mut Budget<'_>) -> Result<Vec<Point>, DiffError> {
        let fences = |lane: &Lane, keys: &[OrderKey]| -> Vec<u32> {
            let is_fence = |&(_, &class): &(u32, &u32)| keys[class as usize].stream.is_none();
            let calls = (0..).zip(&lane.classes).filter(is_fence);
            calls.map(|(place, _)| place).collect()
        };
        let a = fences(self.lanes.0, &self.keys.a);
        let b = fences(self.lanes.1, &self.keys.b);
        let (of_a, of_b) = (self.symbols_of_a(&a), self.symbols_of_b(&b));
        let found = align(&of_a, &of_b, self.symbols.count, budget)?;
        let steps = found.iter().flat_map(|stretch| {
            (0..stretch.length).map(|step| (stretch.left + step, stretch.right + step))
        });
        Ok(steps
            .map(|(left, right)| (a[left as usize], b[right as usize]))
            .collect())
    }

    fn symbols_of_a(&self, places: &[u32]) -> Vec<u32> {
        let class = |&place: &u32| self.lanes.0.classes[place as usize];
        let symbol = |class: u32| self.symbols.a[class as usize];
        places.iter().map(class).map(symbol).collect()
    }

    fn symbols_of_b(&self, places: &[u32]) -> Vec<u32> {
        let class = |&place: &u32| self.lanes.1.classes[place as usize];
        let symbol = |class: u32| self.symbols.b[class as usize];
        places.iter().map(class).map(symbol).collect()
    }

    /// Aligns what lies between pairs of calls.
    fn between(&self, fences: &[Point], budget: &mut Budget<'_>) -> Result<Aligned, DiffError> {
        let (a, b) = self.lanes;
        let end = (a.classes.len() as u32, b.classes.len() as u32);
        let (mut in_place, mut moved) = (Joined::default(), Vec::new());
        let mut at = (0, 0);
        for &fence in fences.iter().chain([&end]) {
            self.window((at, fence), (&mut in_place, &mut moved), budget);
            if fence != end {
                in_place.add(fence.0 as usize, fence.1 as usize, 1);
            }
            at = (fence.0 + 1, fence.1 + 1);
            budget.watch().look_at(at.0 as usize)?;
        }
        budget.watch().look()?;
        Ok(Aligned {
            stretches: in_place.into_stretches(),
            moved,
        })
    }

    /// Aligns stream by stream what lies between two points.
    fn window(
        &self,
        (from, to): (Point, Point),
        (in_place, moved): (&mut Joined, &mut Vec<Point>),
        budget: &mut Budget<'_>,
    ) {
        if self.is_equal(from, to) {
            in_place.add(from.0 as usize, from.1 as usize, (to.0 - from.0) as usize);
            return;
        }
        let mut pairs = self.pairs_by_stream(from, to, budget);
        self.drop_against_events(&mut pairs);
        pairs.sort_unstable();
        let mut staying = longest_rising(&pairs).into_iter().peekable();
        for pair in pairs {
            match staying.next_if_eq(&pair) {
                Some((left, right)) => in_place.add(left as usize, right as usize, 1),
                None => moved.push(pair),
            }
        }
    }

    /// Whether both sides make the same calls, in the same order.
    fn is_equal(&self, from: Point, to: Point) -> bool {
        let (rows_a, rows_b) = (to.0 - from.0, to.1 - from.1);
        let same = |step: u32| {
            let (a, b) = (from.0 + step, from.1 + step);
            let class_a = self.lanes.0.classes[a as usize] as usize;
            let class_b = self.lanes.1.classes[b as usize] as usize;
            self.symbols.a[class_a] == self.symbols.b[class_b]
                && self.key_of_a(a).stream == self.key_of_b(b).stream
        };
        rows_a == rows_b && (0..rows_a).all(same)
    }

    fn pairs_by_stream(&self, from: Point, to: Point, budget: &mut Budget<'_>) -> Vec<Point> {
        let mut of_a = by_stream(from.0..to.0, |place| self.key_of_a(place));
        let mut of_b = by_stream(from.1..to.1, |place| self.key_of_b(place));
        of_a.sort_unstable();
        of_b.sort_unstable();
        let mut others = of_b.chunk_by(|one, next| one.0 == next.0).peekable();
        let mut pairs = Vec::new();
        for calls in of_a.chunk_by(|one, next| one.0 == next.0) {
            let stream = calls[0].0;
            while others.next_if(|other| other[0].0 < stream).is_some() {}
            let Some(other) = others.next_if(|other| other[0].0 == stream) else {
                continue;
            };
            let places = |calls: &[(u64, u32)]| calls.iter().map(|call| call.1).collect();
            let (a, b): (Vec<u32>, Vec<u32>) = (places(calls), places(other));
            let found = common(&self.symbols_of_a(&a), &self.symbols_of_b(&b), budget);
            for stretch in found {
                let a = a[stretch.left as usize..].iter();
                let b = b[stretch.right as usize..].iter();
                let both = a.copied().zip(b.copied());
                pairs.extend(both.take(stretch.length as usize));
            }
        }
        pairs
    }

    /// Drops pairs of calls that record or await an event in another order than in the other run.
    fn drop_against_events(&self, pairs: &mut Vec<Point>) {
        let mut of_events: Vec<(u64, Point)> = pairs
            .iter()
            .filter_map(|&pair| Some((self.key_of_a(pair.0).event?, pair)))
            .collect();
        of_events.sort_unstable();
        let mut dropped = Vec::new();
        for calls in of_events.chunk_by(|one, next| one.0 == next.0) {
            let calls: Vec<Point> = calls.iter().map(|call| call.1).collect();
            let mut kept = longest_rising(&calls).into_iter().peekable();
            dropped.extend(
                calls
                    .into_iter()
                    .filter(|pair| kept.next_if_eq(pair).is_none()),
            );
        }
        if !dropped.is_empty() {
            dropped.sort_unstable();
            pairs.retain(|pair| dropped.binary_search(pair).is_err());
        }
    }
}

/// Calls that are on a stream, each behind its stream.
fn by_stream(places: std::ops::Range<u32>, key: impl Fn(u32) -> OrderKey) -> Vec<(u64, u32)> {
    places
        .filter_map(|place| Some((key(place).stream?, place)))
        .collect()
}
