//! Processes of two traces beside each other, with their threads.

use cutape_trace_format::call::ProcessId;

use super::pairing::Match;
use super::rows::ThreadPair;
use super::scan::{Lane, Scan};

/// A process of A beside one of B.
#[derive(Clone, Debug)]
pub struct ProcessPair {
    /// Process of A.
    pub a: Option<ProcessId>,
    /// Process of B.
    pub b: Option<ProcessId>,
    /// Why these two.
    pub how: Match,
    /// Their threads.
    pub threads: Vec<ThreadPair>,
}

/// The calls of both sides of a pair; none where there is no thread.
pub(crate) fn lanes_of<'a>(
    scans: (&'a Scan, &'a Scan),
    thread: &ThreadPair,
) -> (&'a Lane, &'a Lane) {
    const EMPTY: &Lane = &Lane::EMPTY;
    let lane =
        |scan: &'a Scan, place: Option<usize>| place.map_or(EMPTY, |place| &scan.lanes[place]);
    (lane(scans.0, thread.lane_a), lane(scans.1, thread.lane_b))
}
