//! Which calls must have ended before a call may begin: those that had ended before it when it was recorded.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::wire::slot::Wait;

/// A call that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Going {
    end_ns: u64,
    begin_ns: u64,
    thread: u32,
}

/// A call that has ended and that no other ended call had to wait for.
#[derive(Clone, Copy, Debug)]
struct Ended {
    end_ns: u64,
    wait: Wait,
}

/// Follows calls in the order of their begin.
///
/// Of all ended calls only those count that no other ended call comes after: who waits for the later one has waited for the earlier
/// one. They are at most as many as calls overlapped.
#[derive(Debug, Default)]
pub struct HappensBefore {
    going: BinaryHeap<Reverse<Going>>,
    /// Ended calls by thread.
    ended: Vec<u32>,
    frontier: Vec<Ended>,
    /// Begin of the ended call that began last.
    latest_begin_ns: u64,
    waits: Vec<Wait>,
}

impl HappensBefore {
    /// What a call of that thread that begins now must wait for. Calls come in the order of their begin.
    pub fn before(&mut self, thread: u32, begin_ns: u64) -> &[Wait] {
        while let Some(Reverse(going)) = self.going.peek().copied()
            && going.end_ns < begin_ns
        {
            self.going.pop();
            self.end(going);
        }
        self.waits.clear();
        let others = self
            .frontier
            .iter()
            .filter(|ended| ended.wait.thread != thread);
        self.waits.extend(others.map(|ended| ended.wait));
        &self.waits
    }

    fn end(&mut self, call: Going) {
        let place = call.thread as usize;
        if self.ended.len() <= place {
            self.ended.resize(place + 1, 0);
        }
        self.ended[place] = self.ended[place].wrapping_add(1);
        self.latest_begin_ns = self.latest_begin_ns.max(call.begin_ns);
        let latest_begin_ns = self.latest_begin_ns;
        self.frontier
            .retain(|ended| ended.end_ns >= latest_begin_ns && ended.wait.thread != call.thread);
        self.frontier.push(Ended {
            end_ns: call.end_ns,
            wait: Wait {
                thread: call.thread,
                ended: self.ended[place],
            },
        });
    }

    /// The call begins.
    pub fn begins(&mut self, thread: u32, begin_ns: u64, duration_ns: u64) {
        self.going.push(Reverse(Going {
            end_ns: begin_ns.saturating_add(duration_ns),
            begin_ns,
            thread,
        }));
    }
}

/// One call after the other, in the order of their begin.
#[derive(Debug, Default)]
pub struct OneByOne {
    begun: Vec<u32>,
    last: Option<Wait>,
}

impl OneByOne {
    /// What a call of that thread must wait for.
    pub fn before(&mut self, thread: u32) -> Option<Wait> {
        let place = thread as usize;
        if self.begun.len() <= place {
            self.begun.resize(place + 1, 0);
        }
        self.begun[place] = self.begun[place].wrapping_add(1);
        let own = Wait {
            thread,
            ended: self.begun[place],
        };
        self.last.replace(own).filter(|last| last.thread != thread)
    }
}

/// How deep calls lie in others of the same thread: what a callback calls lies in the call that called it.
#[derive(Debug, Default)]
pub struct Nesting(Vec<Vec<u64>>);

impl Nesting {
    /// The depth of a call that begins now and ends then.
    pub fn depth(&mut self, thread: u32, begin_ns: u64, duration_ns: u64) -> u16 {
        let place = thread as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, Vec::new());
        }
        let open = &mut self.0[place];
        let end_ns = begin_ns.saturating_add(duration_ns);
        // A call that begins when another one ends does not lie in it; nor does one that ends after it.
        while open
            .last()
            .is_some_and(|&end| end <= begin_ns || end < end_ns)
        {
            open.pop();
        }
        let depth = open.len().min(usize::from(u16::MAX)) as u16;
        open.push(end_ns);
        depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(waits: &[Wait]) -> Vec<(u32, u32)> {
        let mut pairs: Vec<_> = waits.iter().map(|wait| (wait.thread, wait.ended)).collect();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn a_call_waits_for_what_ended_before_it_and_not_for_what_overlaps() {
        let mut order = HappensBefore::default();
        assert!(order.before(0, 100).is_empty());
        order.begins(0, 100, 50);
        // Overlaps.
        assert!(order.before(1, 120).is_empty());
        order.begins(1, 120, 100);
        // Thread 0's has ended, thread 1's has not.
        assert_eq!(pairs(order.before(2, 160)), [(0, 1)]);
        order.begins(2, 160, 10);
        // Thread 2's has waited for thread 0's already.
        assert_eq!(pairs(order.before(3, 180)), [(2, 1)]);
        assert_eq!(pairs(order.before(3, 300)), [(1, 1), (2, 1)]);
    }

    #[test]
    fn own_calls_need_no_waiting() {
        let mut order = HappensBefore::default();
        order.begins(0, 0, 10);
        assert!(order.before(0, 20).is_empty());
        order.begins(0, 20, 10);
        assert_eq!(pairs(order.before(1, 40)), [(0, 2)]);
    }

    #[test]
    fn what_a_callback_calls_lies_deeper() {
        let mut nesting = Nesting::default();
        assert_eq!(nesting.depth(0, 0, 100), 0);
        assert_eq!(nesting.depth(0, 10, 5), 1);
        assert_eq!(nesting.depth(0, 20, 5), 1);
        assert_eq!(nesting.depth(1, 21, 5), 0);
        assert_eq!(nesting.depth(0, 100, 5), 0);
    }

    #[test]
    fn one_by_one_waits_for_the_call_before() {
        let mut order = OneByOne::default();
        assert_eq!(order.before(0), None);
        assert_eq!(order.before(0), None);
        assert_eq!(
            order.before(1).map(|wait| (wait.thread, wait.ended)),
            Some((0, 2))
        );
    }
}
