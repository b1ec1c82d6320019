//! What a program has advised about managed memory, page by page: kept and told, and without effect, because there is one memory only.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pages::PAGE_BYTES;
use crate::abi::CUmemLocation;

/// Advice about a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    pub is_read_mostly: bool,
    pub preferred: Option<CUmemLocation>,
    /// Where the last prefetch went.
    pub prefetched: Option<CUmemLocation>,
    /// Devices by ordinal, -1 for the host.
    pub accessed_by: Vec<i32>,
}

/// Advice by address: each entry holds from its address on to the next one's. Before the first there is none.
#[derive(Default)]
pub struct AdviceMap(Mutex<BTreeMap<u64, Advice>>);

impl AdviceMap {
    /// Changes the advice about all pages that the range touches.
    pub fn change(&self, range: Range<u64>, change: impl Fn(&mut Advice)) {
        let pages = whole_pages(range);
        let mut entries = self.entries();
        for edge in [pages.start, pages.end] {
            let before = at(&entries, edge);
            entries.entry(edge).or_insert(before);
        }
        entries
            .range_mut(pages)
            .for_each(|(_, advice)| change(advice));
    }

    /// Forgets what was said of memory that is gone.
    pub fn forget(&self, range: Range<u64>) {
        self.change(range, |advice| *advice = Advice::default());
        let mut entries = self.entries();
        let mut last = Advice::default();
        entries.retain(|_, advice| {
            let is_new = *advice != last;
            last.clone_from(advice);
            is_new
        });
    }

    /// What all pages that the range touches have in common by some measure; `None` if they differ.
    pub fn common<T: PartialEq>(
        &self,
        range: Range<u64>,
        measure: impl Fn(&Advice) -> T,
    ) -> Option<T> {
        let pages = whole_pages(range);
        let entries = self.entries();
        let first = measure(&at(&entries, pages.start));
        let mut rest = entries.range(pages);
        rest.all(|(_, advice)| measure(advice) == first)
            .then_some(first)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, Advice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(entries: &BTreeMap<u64, Advice>, address: u64) -> Advice {
    let before = entries.range(..=address).next_back();
    before.map_or_else(Advice::default, |(_, advice)| advice.clone())
}

fn whole_pages(range: Range<u64>) -> Range<u64> {
    let end = range.end.checked_next_multiple_of(PAGE_BYTES);
    range.start / PAGE_BYTES * PAGE_BYTES..end.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = PAGE_BYTES;

    fn set(advice: &mut Advice) {
        advice.is_read_mostly = true;
    }

    #[test]
    fn advice_holds_for_whole_pages_and_no_others() {
        let map = AdviceMap::default();
        map.change(2 * PAGE + 1..3 * PAGE + 1, set);
        let read_mostly = |range| map.common(range, |advice| advice.is_read_mostly);
        assert_eq!(read_mostly(2 * PAGE..4 * PAGE), Some(true));
        assert_eq!(read_mostly(0..2 * PAGE), Some(false));
        assert_eq!(read_mostly(4 * PAGE..5 * PAGE), Some(false));
        assert_eq!(read_mostly(3 * PAGE..5 * PAGE), None);
    }

    #[test]
    fn what_is_forgotten_leaves_nothing_behind() {
        let map = AdviceMap::default();
        map.change(PAGE..9 * PAGE, set);
        map.change(3 * PAGE..4 * PAGE, |advice| advice.accessed_by.push(0));
        map.forget(PAGE..9 * PAGE);
        assert!(map.entries().is_empty());
    }
}
