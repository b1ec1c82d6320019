//! Where slices end. Perfetto takes an end for that of the innermost open slice, but a program can jump out of a call, which then never
//! returns although the call around it does.

use std::collections::BTreeMap;

use super::tracks::TrackId;

/// Calls of one thread that may be inside each other and did not return. Perfetto shows no more than some 500 slices inside each other.
const MAX_LEFT: usize = 64;

/// The calls of each thread whose ends are not written yet, from the outermost to the innermost.
#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    by_thread: BTreeMap<TrackId, Vec<OpenCall>>,
}

/// When a call returned; `None` if it never did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenCall {
    end_ns: Option<u64>,
}

/// An end of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub track: TrackId,
    pub at_ns: u64,
}

impl OpenCalls {
    /// A call of a thread begins: adds the ends that come before it, in the order in which they have to be written, from the innermost call on. A call
    /// that never returned ends with the one around it.
    pub fn begin(&mut self, thread: TrackId, begin_ns: u64, ends: &mut Vec<End>) {
        let calls = self.by_thread.entry(thread).or_default();
        let has_ended = |call: &OpenCall| call.end_ns.is_some_and(|end_ns| end_ns <= begin_ns);
        if let Some(outermost) = calls.iter().position(has_ended) {
            end_from(calls, thread, outermost, ends);
        }
        let left = calls.iter().filter(|call| call.end_ns.is_none()).count();
        if left >= MAX_LEFT
            && let Some(OpenCall { end_ns: None }) = calls.last()
        {
            calls.pop();
            ends.push(End {
                track: thread,
                at_ns: begin_ns,
            });
        }
    }

    /// The call that has just begun ends then, or never.
    pub fn push(&mut self, thread: TrackId, end_ns: Option<u64>) {
        let calls = self.by_thread.entry(thread).or_default();
        calls.push(OpenCall { end_ns });
    }

    /// No more calls come: adds the ends that are left. What never returned, and is inside of nothing that did, has none.
    pub fn finish(&mut self, ends: &mut Vec<End>) {
        for (&thread, calls) in &mut self.by_thread {
            if let Some(outermost) = calls.iter().position(|call| call.end_ns.is_some()) {
                end_from(calls, thread, outermost, ends);
            }
        }
    }
}

/// Takes out the calls from that place on.
fn end_from(calls: &mut Vec<OpenCall>, track: TrackId, outermost: usize, ends: &mut Vec<End>) {
    let inner = &calls[outermost..];
    // Never later than the call around it, so that each end is that of the innermost slice.
    let mut limit_ns = u64::MAX;
    let at_ns: Vec<u64> = inner
        .iter()
        .map(|call| {
            limit_ns = limit_ns.min(call.end_ns.unwrap_or(u64::MAX));
            limit_ns
        })
        .collect();
    ends.extend(at_ns.into_iter().rev().map(|at_ns| End { track, at_ns }));
    calls.truncate(outermost);
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: TrackId = TrackId(7);

    /// The ends that are written for calls of one thread, `(begin, end)`, and how many of them stay open.
    fn ends(calls: &[(u64, Option<u64>)]) -> (Vec<u64>, usize) {
        let mut open = OpenCalls::default();
        let mut ends = Vec::new();
        for &(begin_ns, end_ns) in calls {
            open.begin(THREAD, begin_ns, &mut ends);
            open.push(THREAD, end_ns);
        }
        open.finish(&mut ends);
        (
            ends.iter().map(|end| end.at_ns).collect(),
            open.by_thread[&THREAD].len(),
        )
    }

    #[test]
    fn calls_end_from_the_innermost_to_the_outermost() {
        let calls = [
            (10, Some(90)),
            (20, Some(30)),
            (30, Some(80)),
            (40, Some(80)),
        ];
        assert_eq!(ends(&calls), (vec![30, 80, 80, 90], 0));
    }

    #[test]
    fn a_call_that_was_left_ends_with_the_one_around_it() {
        let calls = [(10, Some(40)), (20, None), (30, None), (50, Some(60))];
        assert_eq!(ends(&calls), (vec![40, 40, 40, 60], 0));
        let calls = [(10, Some(40)), (20, None)];
        assert_eq!(ends(&calls), (vec![40, 40], 0));
    }

    #[test]
    fn a_call_inside_of_nothing_that_returned_has_no_end() {
        let calls = [(10, None), (20, Some(30)), (40, None)];
        assert_eq!(ends(&calls), (vec![30], 2));
    }

    #[test]
    fn a_program_that_leaves_many_calls_does_not_pile_them_up() {
        let calls: Vec<(u64, Option<u64>)> = (0..1000).map(|at| (at, None)).collect();
        let (written, open) = ends(&calls);
        assert_eq!((written.len(), open), (1000 - MAX_LEFT, MAX_LEFT));
    }

    #[test]
    fn an_end_behind_that_of_the_call_around_it_is_drawn_to_it() {
        assert_eq!(ends(&[(10, Some(30)), (20, Some(35))]), (vec![30, 30], 0));
    }
}
