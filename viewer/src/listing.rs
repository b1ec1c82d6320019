//! Which calls are listed: all, or those that match a filter. Positions count from 0, call numbers from 1.

use std::sync::Arc;

use cutape_analysis::filter::Selection;

/// The calls that are listed, in order.
#[derive(Clone, Debug)]
pub enum Listing {
    /// All of so many.
    All(u64),
    /// Those that a filter chose.
    Chosen(Arc<Selection>),
}

impl Default for Listing {
    fn default() -> Self {
        Self::All(0)
    }
}

impl Listing {
    /// Number of calls listed.
    pub fn len(&self) -> u64 {
        match self {
            Self::All(calls) => *calls,
            Self::Chosen(chosen) => chosen.count(),
        }
    }

    /// Whether no call is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the call at a position.
    pub fn seq(&self, position: u64) -> Option<u64> {
        match self {
            Self::All(calls) => (position < *calls).then_some(position + 1),
            Self::Chosen(chosen) => chosen.nth(position),
        }
    }

    /// The position of a call, or of the one that would follow it; whether it is listed.
    pub fn position(&self, seq: u64) -> (u64, bool) {
        match self {
            Self::All(calls) => (
                seq.saturating_sub(1).min(*calls),
                (1..=*calls).contains(&seq),
            ),
            Self::Chosen(chosen) => (chosen.count_before(seq), chosen.contains(seq)),
        }
    }

    /// Whether it is the very same list.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All(calls), Self::All(others)) => calls == others,
            (Self::Chosen(numbers), Self::Chosen(others)) => Arc::ptr_eq(numbers, others),
            _ => false,
        }
    }

    /// Whether a call is listed.
    pub fn has(&self, seq: u64) -> bool {
        self.position(seq).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_numbers_agree() {
        let chosen = Listing::Chosen(Arc::new(Selection::of(20, [3, 7, 8])));
        for listing in [Listing::All(5), chosen.clone()] {
            for position in 0..listing.len() {
                let seq = listing.seq(position).expect("a call");
                assert_eq!(listing.position(seq), (position, true));
            }
            assert_eq!(listing.seq(listing.len()), None);
        }
        assert_eq!(
            [chosen.position(1), chosen.position(5), chosen.position(9)],
            [(0, false), (1, false), (3, false)]
        );
        assert!(
            !chosen.has((1 << 32) + 3),
            "numbers beyond 32 bits are no others"
        );
        assert!(!Listing::All(5).has(0) && !Listing::All(5).has(6));
    }
}
