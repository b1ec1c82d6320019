//! Which object an address of a process lies in, at one moment.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::object::ObjectId;

/// Ranges of addresses that do not overlap: the newest at each address, also when it is gone, so that its late uses can be told.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// By first address: last address and object. The object's own first address may be another one.
    by_start: BTreeMap<u64, Range>,
    /// All addresses that were ever in one lie from here to there: most words that are looked for are none.
    bounds: Option<(u64, u64)>,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first address.
    pub start: u64,
    /// The last address; a range is never empty.
    pub last: u64,
    /// What lies there.
    pub object: ObjectId,
}

impl Range {
    /// The range of an object; one without a known size has its first address.
    pub fn new(start: u64, bytes: Option<u64>, object: ObjectId) -> Self {
        let bytes = bytes.unwrap_or(1).max(1);
        Self {
            start,
            last: start.saturating_add(bytes - 1),
            object,
        }
    }
}

impl Ranges {
    /// The range that an address lies in.
    pub fn at(&self, address: u64) -> Option<Range> {
        let (lowest, highest) = self.bounds?;
        if address < lowest || address > highest {
            return None;
        }
        let (_, range) = self.by_start.range(..=address).next_back()?;
        (address <= range.last).then_some(*range)
    }

    /// Adds a range in place of all that it overlaps, which are returned.
    pub fn insert(&mut self, range: Range) -> Vec<ObjectId> {
        let mut replaced = Vec::new();
        while let Some(old) = self.overlapping(range) {
            self.by_start.remove(&old.start);
            replaced.push(old.object);
        }
        self.by_start.insert(range.start, range);
        let (lowest, highest) = self.bounds.unwrap_or((range.start, range.last));
        self.bounds = Some((lowest.min(range.start), highest.max(range.last)));
        replaced
    }

    fn overlapping(&self, range: Range) -> Option<Range> {
        let upto = (Bound::Unbounded, Bound::Included(range.last));
        let (_, found) = self.by_start.range(upto).next_back()?;
        (found.last >= range.start).then_some(*found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, bytes: u64, object: u32) -> Range {
        Range::new(start, Some(bytes), ObjectId(object))
    }

    #[test]
    fn an_address_in_the_middle_is_found_and_one_behind_the_end_is_not() {
        let mut ranges = Ranges::default();
        ranges.insert(range(0x1000, 0x100, 1));
        ranges.insert(range(0x1100, 0x100, 2));
        let object = |address| ranges.at(address).map(|range| range.object.0);
        assert_eq!(object(0xfff), None);
        assert_eq!(object(0x1000), Some(1));
        assert_eq!(object(0x10ff), Some(1));
        assert_eq!(object(0x1100), Some(2));
        assert_eq!(object(0x1200), None);
    }

    #[test]
    fn a_new_range_takes_the_place_of_all_that_it_overlaps() {
        let mut ranges = Ranges::default();
        ranges.insert(range(0x1000, 0x100, 1));
        ranges.insert(range(0x2000, 0x100, 2));
        ranges.insert(range(0x3000, 0x100, 3));
        let mut replaced = ranges.insert(range(0x10ff, 0xf02, 4));
        replaced.sort();
        assert_eq!(replaced, [ObjectId(1), ObjectId(2)]);
        assert_eq!(ranges.at(0x1000), None);
        assert_eq!(ranges.at(0x2000).map(|range| range.object.0), Some(4));
        assert_eq!(ranges.at(0x3000).map(|range| range.object.0), Some(3));
    }

    #[test]
    fn ranges_at_the_end_of_the_address_space_do_not_wrap() {
        let mut ranges = Ranges::default();
        ranges.insert(range(u64::MAX - 1, u64::MAX, 1));
        assert_eq!(ranges.at(u64::MAX).map(|range| range.object.0), Some(1));
        assert_eq!(ranges.at(0), None);
    }
}
