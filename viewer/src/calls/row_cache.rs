//! Lines that were made, near the screen. What is far away is forgotten.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::row::CallRow;

/// Lines kept; a screen has about a hundred.
const MOST: usize = 2048;

/// Lines by call number.
#[derive(Clone, Debug, Default)]
pub struct RowCache {
    rows: HashMap<u64, (Arc<CallRow>, u32)>,
    /// Lines that were asked for and have not come.
    awaited: HashSet<u64>,
    /// Rises when lines are to be made anew.
    edition: u32,
}

impl RowCache {
    /// A line, possibly an old one.
    pub fn get(&self, seq: u64) -> Option<&CallRow> {
        self.rows.get(&seq).map(|(row, _)| &**row)
    }

    /// Whether a line is there and tells all that is known.
    pub fn is_current(&self, seq: u64) -> bool {
        self.rows
            .get(&seq)
            .is_some_and(|&(_, made)| made == self.edition)
    }

    /// The edition that lines are made for.
    pub fn edition(&self) -> u32 {
        self.edition
    }

    /// More is known than when the lines were made: all are to be made anew. The old ones are shown until then.
    pub fn outdate(&mut self) {
        self.edition += 1;
        self.awaited.clear();
    }

    /// Which of these lines have to be made; they count as asked for from now on. A new request replaces the one before, so all that are
    /// missing are in it. Empty where nothing new is missing.
    pub fn request(&mut self, wanted: impl Iterator<Item = u64>) -> Vec<u64> {
        let missing: Vec<u64> = wanted.filter(|&seq| !self.is_current(seq)).collect();
        if missing.iter().all(|seq| self.awaited.contains(seq)) {
            return Vec::new();
        }
        self.awaited = missing.iter().copied().collect();
        missing
    }

    /// Takes lines in. `near` is the call on the screen.
    pub fn add(&mut self, rows: Vec<Arc<CallRow>>, edition: u32, near: u64) {
        if edition != self.edition {
            return;
        }
        for row in rows {
            self.awaited.remove(&row.seq);
            self.rows.insert(row.seq, (row, edition));
        }
        if self.rows.len() > MOST {
            let mut numbers: Vec<u64> = self.rows.keys().copied().collect();
            numbers.sort_by_key(|seq| seq.abs_diff(near));
            for seq in &numbers[MOST / 2..] {
                self.rows.remove(seq);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u64) -> Arc<CallRow> {
        Arc::new(CallRow {
            seq,
            ..CallRow::default()
        })
    }

    #[test]
    fn lines_are_asked_for_once_and_again_when_outdated() {
        let mut cache = RowCache::default();
        assert_eq!(cache.request(1..=3), [1, 2, 3]);
        assert!(cache.request(1..=3).is_empty());
        assert_eq!(cache.request(2..=4), [2, 3, 4]);
        cache.add((2..=4).map(row).collect(), 0, 2);
        assert!(cache.request(2..=4).is_empty());
        cache.outdate();
        assert!(cache.get(3).is_some(), "the old line is shown meanwhile");
        assert_eq!(cache.request(3..=3), [3]);
        cache.add(vec![row(5)], 0, 3);
        assert!(cache.get(5).is_none(), "what was made before is too old");
    }

    #[test]
    fn lines_far_away_are_forgotten() {
        let mut cache = RowCache::default();
        cache.add((1..=MOST as u64 + 100).map(row).collect(), 0, 1000);
        assert!(cache.get(1000).is_some() && cache.get(MOST as u64 + 100).is_none());
    }
}
