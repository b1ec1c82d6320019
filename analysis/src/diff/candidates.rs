//! Which processes and threads of two traces there are to be paired, and what is known of each.

use std::collections::HashMap;

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

use super::fingerprint::Fingerprint;
use super::pairing::{Candidate, Pair, pair};
use super::process_pair::ProcessPair;
use super::rows::ThreadPair;
use super::scan::{Lane, Scan};

/// A process with its threads that made calls.
struct Group {
    process: ProcessId,
    lanes: Vec<usize>,
}

/// Processes of two traces side by side, with their threads.
pub(crate) fn pair_all(traces: (&Trace, &Trace), scans: (&Scan, &Scan)) -> Vec<ProcessPair> {
    let groups = (groups(traces.0, scans.0), groups(traces.1, scans.1));
    let alone = groups.0.len() == 1 && groups.1.len() == 1;
    let candidates = |trace: &Trace, scan: &Scan, groups: &[Group]| -> Vec<Candidate> {
        let groups = groups.iter().enumerate();
        groups
            .map(|(place, group)| process_candidate(trace, scan, (place, group), alone))
            .collect()
    };
    let a = candidates(traces.0, scans.0, &groups.0);
    let b = candidates(traces.1, scans.1, &groups.1);
    let pairs = pair(&a, &b).into_iter();
    pairs
        .map(|pair| {
            let group = (
                pair.a.map(|place| &groups.0[place]),
                pair.b.map(|place| &groups.1[place]),
            );
            ProcessPair {
                a: group.0.map(|group| group.process),
                b: group.1.map(|group| group.process),
                how: pair.how,
                threads: pair_threads(traces, scans, group),
            }
        })
        .collect()
}

fn pair_threads(
    traces: (&Trace, &Trace),
    scans: (&Scan, &Scan),
    groups: (Option<&Group>, Option<&Group>),
) -> Vec<ThreadPair> {
    let lanes = |group: Option<&Group>| group.map_or(Vec::new(), |group| group.lanes.clone());
    let lanes = (lanes(groups.0), lanes(groups.1));
    let alone = lanes.0.len() <= 1 && lanes.1.len() <= 1;
    let candidates = |trace: &Trace, scan: &Scan, lanes: &[usize]| -> Vec<Candidate> {
        let candidate = |&lane: &usize| thread_candidate(trace, scan, lane, alone);
        lanes.iter().map(candidate).collect()
    };
    let a = candidates(traces.0, scans.0, &lanes.0);
    let b = candidates(traces.1, scans.1, &lanes.1);
    let thread_pair = |pair: Pair| {
        let lane_a = pair.a.map(|place| lanes.0[place]);
        let lane_b = pair.b.map(|place| lanes.1[place]);
        let threads = (
            lane_a.map(|lane| scans.0.lanes[lane].thread),
            lane_b.map(|lane| scans.1.lanes[lane].thread),
        );
        ThreadPair::new(threads, (lane_a, lane_b), pair.how)
    };
    pair(&a, &b).into_iter().map(thread_pair).collect()
}

/// Processes that made calls, the first one first.
fn groups(trace: &Trace, scan: &Scan) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<ProcessId, usize> = HashMap::new();
    for (lane, calls) in scan.lanes.iter().enumerate() {
        let place = *places.entry(calls.process).or_insert_with(|| {
            groups.push(Group {
                process: calls.process,
                lanes: Vec::new(),
            });
            groups.len() - 1
        });
        groups[place].lanes.push(lane);
    }
    groups.sort_by_key(|group| {
        let entry = trace.process(group.process).map(|entry| &entry.process);
        entry.map_or((u64::MAX, u32::MAX, 0), |process| {
            (process.start_time, process.pid, process.incarnation)
        })
    });
    groups
}

/// `alone`: there is one process on each side, so that nothing must be told apart.
fn process_candidate(
    trace: &Trace,
    scan: &Scan,
    (place, group): (usize, &Group),
    alone: bool,
) -> Candidate {
    let program = trace
        .process(group.process)
        .map_or("", |entry| &entry.process.program);
    let lanes = group.lanes.iter().map(|&lane| &scan.lanes[lane]);
    let lanes: Vec<&Lane> = lanes.filter(|_| !alone).collect();
    Candidate {
        first: place == 0,
        name: program.rsplit('/').next().unwrap_or(program).to_owned(),
        calls: lanes
            .iter()
            .map(|lane| calls_print(scan, lane))
            .fold(0, u64::wrapping_add),
        profile: profile(scan, &lanes),
    }
}

fn thread_candidate(trace: &Trace, scan: &Scan, lane: usize, alone: bool) -> Candidate {
    let lane = &scan.lanes[lane];
    let thread = trace.thread(lane.thread);
    let process = trace.process(lane.process);
    let lanes = if alone { vec![] } else { vec![lane] };
    Candidate {
        first: match (thread, process) {
            (Some(thread), Some(entry)) => thread.tid == entry.process.pid,
            _ => false,
        },
        name: thread.map_or(String::new(), |thread| thread.name.clone()),
        calls: lanes.iter().map(|lane| calls_print(scan, lane)).sum(),
        profile: profile(scan, &lanes),
    }
}

/// Fingerprint of all calls of a thread in their order.
fn calls_print(scan: &Scan, lane: &Lane) -> u64 {
    let mut print = Fingerprint::new(4);
    let calls = lane.classes.iter().map(|&class| scan.class(class).asked());
    calls.for_each(|asked| print.word(asked));
    print.finish()
}

/// How often threads ask what, sorted by fingerprint.
pub(crate) fn profile(scan: &Scan, lanes: &[&Lane]) -> Vec<(u64, u32)> {
    let mut asked: HashMap<u64, u32> = HashMap::new();
    for (class, count) in class_counts(scan, lanes) {
        *asked.entry(scan.class(class).asked()).or_default() += count;
    }
    let mut profile: Vec<(u64, u32)> = asked.into_iter().collect();
    profile.sort_unstable();
    profile
}

/// How many calls of each class threads make.
fn class_counts(scan: &Scan, lanes: &[&Lane]) -> Vec<(u32, u32)> {
    let classes = lanes.iter().flat_map(|lane| &lane.classes);
    let calls: usize = lanes.iter().map(|lane| lane.classes.len()).sum();
    if calls < scan.classes.len() / 4 {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        classes.for_each(|&class| *counts.entry(class).or_default() += 1);
        return counts.into_iter().collect();
    }
    let mut counts = vec![0u32; scan.classes.len()];
    classes.for_each(|&class| counts[class as usize] += 1);
    (0..).zip(counts).filter(|&(_, count)| count > 0).collect()
}
