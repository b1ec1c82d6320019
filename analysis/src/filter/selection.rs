//! Numbers of calls that a filter chose.

/// Calls of a stretch for which their count is kept.
const RANK_CALLS: u64 = 4096;
const RANK_WORDS: usize = (RANK_CALLS / 64) as usize;

/// A set of call numbers, a bit for each call of the trace: 1.25 MB for ten million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    words: Vec<u64>,
    /// Chosen calls before each stretch.
    ranks: Vec<u64>,
    count: u64,
    calls: u64,
}

impl Selection {
    /// None of so many calls.
    pub(crate) fn none_of(calls: u64) -> Self {
        Self {
            words: vec![0; usize::try_from(calls.div_ceil(64)).unwrap_or(usize::MAX)],
            calls,
            ..Self::default()
        }
    }

    /// Adds calls from number `first` on: bit by bit, lowest first. They must not be in it yet.
    pub(crate) fn add_bits(&mut self, first: u64, bits: &[u64]) {
        let (word, shift) = ((first - 1) / 64, (first - 1) % 64);
        for (place, &bits) in (word as usize..).zip(bits) {
            if bits == 0 {
                continue;
            }
            if let Some(low) = self.words.get_mut(place) {
                *low |= bits << shift;
            }
            if shift > 0
                && let Some(high) = self.words.get_mut(place + 1)
            {
                *high |= bits >> (64 - shift);
            }
        }
    }

    /// Adds a call.
    pub(crate) fn add(&mut self, seq: u64) {
        self.add_bits(seq, &[1]);
    }

    /// Counts, after the last call was added.
    pub(crate) fn finish(mut self) -> Self {
        let mut count = 0;
        self.ranks = self
            .words
            .chunks(RANK_WORDS)
            .map(|words| {
                let before = count;
                count += words
                    .iter()
                    .map(|word| u64::from(word.count_ones()))
                    .sum::<u64>();
                before
            })
            .collect();
        self.count = count;
        self
    }

    /// Of so many calls those with these numbers, from 1.
    pub fn of(calls: u64, numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut selection = Self::none_of(calls);
        numbers
            .into_iter()
            .filter(|seq| (1..=calls).contains(seq))
            .for_each(|seq| selection.add(seq));
        selection.finish()
    }

    /// The same of more calls, with these numbers added, which rise and are above those that were chosen from.
    pub fn extended(&self, calls: u64, numbers: &[u64]) -> Self {
        let mut selection = Self {
            words: self.words.clone(),
            calls: calls.max(self.calls),
            ..Self::default()
        };
        let words = usize::try_from(selection.calls.div_ceil(64)).unwrap_or(usize::MAX);
        selection.words.resize(words, 0);
        numbers
            .iter()
            .filter(|&&seq| seq > self.calls && seq <= calls)
            .for_each(|&seq| selection.add(seq));
        selection.finish()
    }

    /// Number of chosen calls.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Number of calls that were chosen from.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Whether a call is chosen.
    pub fn contains(&self, seq: u64) -> bool {
        let place = seq.wrapping_sub(1);
        let word = usize::try_from(place / 64)
            .ok()
            .and_then(|word| self.words.get(word));
        word.is_some_and(|word| word >> (place % 64) & 1 != 0)
    }

    /// Number of chosen calls before a call.
    pub fn count_before(&self, seq: u64) -> u64 {
        let place = seq.saturating_sub(1).min(self.calls);
        let stretch = (place / RANK_CALLS) as usize;
        let Some(&before) = self.ranks.get(stretch) else {
            return self.count;
        };
        let word = (place / 64) as usize;
        let whole = self.words[stretch * RANK_WORDS..word].iter();
        let part = self
            .words
            .get(word)
            .map_or(0, |bits| bits & ((1 << (place % 64)) - 1));
        before
            + whole.map(|word| u64::from(word.count_ones())).sum::<u64>()
            + u64::from(part.count_ones())
    }

    /// Number of the chosen call at a place among them, from 0.
    pub fn nth(&self, place: u64) -> Option<u64> {
        if place >= self.count {
            return None;
        }
        let stretch = self.ranks.partition_point(|&before| before <= place) - 1;
        let mut left = place - self.ranks[stretch];
        for (word, &bits) in self.words.iter().enumerate().skip(stretch * RANK_WORDS) {
            let ones = u64::from(bits.count_ones());
            if left < ones {
                let mut bits = bits;
                (0..left).for_each(|_| bits &= bits - 1);
                return Some(word as u64 * 64 + u64::from(bits.trailing_zeros()) + 1);
            }
            left -= ones;
        }
        None
    }

    /// The chosen calls from number `seq` on, in order.
    pub fn iter_from(&self, seq: u64) -> impl Iterator<Item = u64> {
        let place = seq.saturating_sub(1);
        let first = usize::try_from(place / 64).unwrap_or(usize::MAX);
        let words = self.words.iter().enumerate().skip(first);
        words.flat_map(move |(word, &bits)| {
            let mut left = if word == first {
                bits & (u64::MAX << (place % 64))
            } else {
                bits
            };
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    word as u64 * 64 + u64::from(bit) + 1
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_trace_format::sample::Chance;

    #[test]
    fn a_selection_grows_with_the_calls() {
        let first = Selection::of(100, [3, 64, 99]);
        let grown = first.extended(300, &[101, 128, 300, 301]);
        assert_eq!(grown, Selection::of(300, [3, 64, 99, 101, 128, 300]));
        assert_eq!(first.extended(100, &[]), first);
    }

    #[test]
    fn a_selection_is_the_list_of_its_calls() {
        let mut chance = Chance::new(3);
        for (calls, one_in) in [(1, 1), (64, 2), (9_000, 3), (20_000, 700), (70_000, 1)] {
            let mut selection = Selection::none_of(calls);
            let mut list = Vec::new();
            let mut seq = 1;
            // In pieces of any length, at any place.
            while seq <= calls {
                let length = (1 + chance.below(300)).min(calls + 1 - seq);
                let mut bits = vec![0u64; length.div_ceil(64) as usize];
                for place in 0..length {
                    if chance.below(one_in) == 0 {
                        bits[place as usize / 64] |= 1 << (place % 64);
                        list.push(seq + place);
                    }
                }
                selection.add_bits(seq, &bits);
                seq += length;
            }
            let selection = selection.finish();
            assert_eq!(selection.count(), list.len() as u64);
            assert!(selection.iter_from(1).eq(list.iter().copied()));
            for (place, &seq) in list.iter().enumerate().step_by(7) {
                assert_eq!(selection.nth(place as u64), Some(seq));
                assert_eq!(selection.count_before(seq), place as u64);
                assert!(selection.contains(seq));
                assert_eq!(selection.iter_from(seq).next(), Some(seq));
            }
            assert_eq!(selection.nth(list.len() as u64), None);
            assert_eq!(selection.count_before(u64::MAX), selection.count());
            assert!(!selection.contains(0) && !selection.contains(calls + 1));
        }
    }
}
