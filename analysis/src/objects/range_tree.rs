//! Which of all objects of a trace an address lay in at some call.
//!
//! An object is a rectangle: its addresses by the calls from its first to its last one. Objects come in the order of their first call, so
//! the nodes of a packed tree over that order hold neighbours in time. Memory that is alive at one moment lies in few nodes.

use std::ops::RangeInclusive;

use super::object::ObjectId;

/// Children of a node.
const FAN_OUT: usize = 16;

/// A range of addresses during a range of calls. The last call is `u64::MAX` if it never went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub addresses: RangeInclusive<u64>,
    pub calls: RangeInclusive<u64>,
    pub object: ObjectId,
}

/// What encloses all rectangles below a node.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    first_address: u64,
    last_address: u64,
    first_call: u64,
    last_call: u64,
}

impl Bounds {
    const NOTHING: Self = Self {
        first_address: u64::MAX,
        last_address: 0,
        first_call: u64::MAX,
        last_call: 0,
    };

    fn of(rectangle: &Rectangle) -> Self {
        Self {
            first_address: *rectangle.addresses.start(),
            last_address: *rectangle.addresses.end(),
            first_call: *rectangle.calls.start(),
            last_call: *rectangle.calls.end(),
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            first_address: self.first_address.min(other.first_address),
            last_address: self.last_address.max(other.last_address),
            first_call: self.first_call.min(other.first_call),
            last_call: self.last_call.max(other.last_call),
        }
    }

    fn holds(&self, address: u64, seq: u64) -> bool {
        (self.first_address..=self.last_address).contains(&address)
            && (self.first_call..=self.last_call).contains(&seq)
    }
}

/// The rectangles of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeTree {
    rectangles: Vec<Rectangle>,
    /// From the lowest level, whose nodes enclose rectangles, to the highest, which is one node.
    levels: Vec<Vec<Bounds>>,
}

impl RangeTree {
    /// Of rectangles in the order of their first call.
    pub fn new(rectangles: Vec<Rectangle>) -> Self {
        let mut levels: Vec<Vec<Bounds>> = Vec::new();
        let mut bounds: Vec<Bounds> = rectangles.iter().map(Bounds::of).collect();
        while bounds.len() > 1 {
            let enclose =
                |part: &[Bounds]| part.iter().fold(Bounds::NOTHING, |all, one| all.with(*one));
            bounds = bounds.chunks(FAN_OUT).map(enclose).collect();
            levels.push(bounds.clone());
        }
        Self { rectangles, levels }
    }

    /// The object at an address during a call, and the bytes from its start; the newest where two are.
    pub fn at(&self, address: u64, seq: u64) -> Option<(ObjectId, u64)> {
        let rectangle = self.search(self.levels.len(), 0, (address, seq))?;
        Some((rectangle.object, address - rectangle.addresses.start()))
    }

    /// Searches below a node, latest first. Level 0 are the rectangles themselves.
    fn search(&self, level: usize, place: usize, at: (u64, u64)) -> Option<&Rectangle> {
        if level == 0 {
            let rectangle = self.rectangles.get(place)?;
            return Bounds::of(rectangle).holds(at.0, at.1).then_some(rectangle);
        }
        let node = self.levels[level - 1].get(place)?;
        if !node.holds(at.0, at.1) {
            return None;
        }
        let mut children = (place * FAN_OUT..(place + 1) * FAN_OUT).rev();
        children.find_map(|child| self.search(level - 1, child, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(
        addresses: RangeInclusive<u64>,
        calls: RangeInclusive<u64>,
        object: u32,
    ) -> Rectangle {
        Rectangle {
            addresses,
            calls,
            object: ObjectId(object),
        }
    }

    #[test]
    fn one_address_is_of_different_objects_at_different_times() {
        let tree = RangeTree::new(vec![
            rectangle(0x100..=0x1ff, 1..=10, 0),
            rectangle(0x200..=0x2ff, 2..=u64::MAX, 1),
            rectangle(0x180..=0x1ff, 11..=20, 2),
        ]);
        assert_eq!(tree.at(0x190, 5), Some((ObjectId(0), 0x90)));
        assert_eq!(tree.at(0x190, 15), Some((ObjectId(2), 0x10)));
        assert_eq!(tree.at(0x190, 21), None);
        assert_eq!(tree.at(0x2ff, 1_000_000), Some((ObjectId(1), 0xff)));
        assert_eq!(tree.at(0x300, 5), None);
        assert_eq!(RangeTree::new(Vec::new()).at(0, 0), None);
    }

    #[test]
    fn a_tree_of_many_levels_finds_what_a_search_through_all_finds() {
        let many: Vec<Rectangle> = (0..5000)
            .map(|number| {
                let first = u64::from(number % 97) * 0x1000;
                let from = u64::from(number) * 3;
                let to = if number % 50 == 0 {
                    u64::MAX
                } else {
                    from + 290
                };
                rectangle(first..=first + 0xfff, from..=to, number)
            })
            .collect();
        let tree = RangeTree::new(many.clone());
        for seq in (0..15_000).step_by(331) {
            for address in (0..0x62_000).step_by(0x7_77) {
                let newest = many.iter().rev().find(|rectangle| {
                    rectangle.addresses.contains(&address) && rectangle.calls.contains(&seq)
                });
                let found = tree.at(address, seq).map(|(object, _)| object);
                assert_eq!(found, newest.map(|rectangle| rectangle.object));
            }
        }
    }
}
