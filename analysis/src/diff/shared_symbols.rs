//! Two sequences without the symbols that one of them alone has, which are never part of what both have. Where few calls of two runs are alike, looking
//! for what both have is then a small piece of work instead of a large one.

use super::lane_alignment::Joined;
use super::myers::Common;

/// Leaving out symbols pays where it leaves out one of so many.
const LEAST_SHARE: usize = 8;

/// What is left of two sequences, and where it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SharedSymbols {
    /// Symbols of A that B has, too.
    pub a: Vec<u32>,
    /// Symbols of B that A has, too.
    pub b: Vec<u32>,
    places_a: Vec<u32>,
    places_b: Vec<u32>,
}

impl SharedSymbols {
    /// Of two sequences whose symbols are below `count`; `None` where nearly all symbols are on both sides.
    pub fn of(a: &[u32], b: &[u32], count: u32) -> Option<Self> {
        let (in_a, in_b) = (Set::of(a, count), Set::of(b, count));
        let alone = |sequence: &[u32], other: &Set| {
            let alone = sequence.iter().filter(|&&symbol| !other.has(symbol));
            alone.count()
        };
        if (alone(a, &in_b) + alone(b, &in_a)) * LEAST_SHARE < a.len() + b.len() {
            return None;
        }
        let (a, places_a) = shared(a, &in_b);
        let (b, places_b) = shared(b, &in_a);
        Some(Self {
            a,
            b,
            places_a,
            places_b,
        })
    }

    /// Stretches of what is left, as stretches of the whole.
    pub fn in_the_whole(&self, stretches: &[Common]) -> Vec<Common> {
        let mut found = Joined::default();
        for stretch in stretches {
            let a = &self.places_a[stretch.left as usize..];
            let b = &self.places_b[stretch.right as usize..];
            for (&a, &b) in a.iter().zip(b).take(stretch.length as usize) {
                found.add(a as usize, b as usize, 1);
            }
        }
        found.into_stretches()
    }
}

fn shared(sequence: &[u32], other: &Set) -> (Vec<u32>, Vec<u32>) {
    let placed = sequence.iter().copied().zip(0u32..);
    placed.filter(|&(symbol, _)| other.has(symbol)).unzip()
}

/// Which symbols there are, one bit each.
struct Set(Vec<u64>);

impl Set {
    fn of(sequence: &[u32], count: u32) -> Self {
        let mut words = vec![0; (count as usize).div_ceil(64)];
        for &symbol in sequence {
            words[symbol as usize / 64] |= 1 << (symbol % 64);
        }
        Self(words)
    }

    fn has(&self, symbol: u32) -> bool {
        self.0[symbol as usize / 64] >> (symbol % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_alone_has_is_left_out_and_places_are_those_of_the_whole() {
        let shared = SharedSymbols::of(&[7, 1, 8, 2, 9, 3], &[1, 2, 70, 3, 71], 100).unwrap();
        assert_eq!(
            (&shared.a[..], &shared.b[..]),
            (&[1, 2, 3][..], &[1, 2, 3][..])
        );
        let stretch = |left, right, length| Common {
            left,
            right,
            length,
        };
        assert_eq!(
            shared.in_the_whole(&[stretch(0, 0, 3)]),
            [stretch(1, 0, 1), stretch(3, 1, 1), stretch(5, 3, 1)]
        );
        assert_eq!(shared.in_the_whole(&[]), []);
    }

    #[test]
    fn neighbours_stay_neighbours() {
        let shared = SharedSymbols::of(&[1, 2, 9, 9], &[8, 1, 2], 10).unwrap();
        let both = Common {
            left: 0,
            right: 0,
            length: 2,
        };
        let whole = Common { right: 1, ..both };
        assert_eq!(shared.in_the_whole(&[both]), [whole]);
    }

    #[test]
    fn runs_that_are_much_alike_stay_as_they_are() {
        assert_eq!(SharedSymbols::of(&[1; 20], &[1; 20], 2), None);
        let mut a = vec![1; 20];
        a.push(0);
        assert_eq!(SharedSymbols::of(&a, &[1; 20], 2), None);
        assert!(SharedSymbols::of(&[0, 0], &[1, 1], 2).unwrap().a.is_empty());
    }
}
