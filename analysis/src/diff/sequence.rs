//! Comparing two runs of one program, call by call.

use std::collections::HashMap;

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

use super::fingerprint::Fingerprint;
use super::judging::Judge;
use super::lane_alignment::align;
use super::moved::mark_moved;
use super::myers::{Budget, Common};
use super::pairing::{Candidate, Match, Pair, pair};
use super::profile::gives_back;
use super::rows::{Row, RowCounts, Run, ThreadPair};
use super::scan::{Lane, Scan};
use super::symbols::{Counterparts, Symbols};
use super::watch::DiffError;

/// Two runs of one program side by side.
#[derive(Debug)]
pub struct Sequence {
    /// A's calls.
    pub(crate) a: Scan,
    /// B's calls.
    pub(crate) b: Scan,
    /// Processes with their threads.
    pub processes: Vec<ProcessPair>,
    /// Rows by kind, of all threads.
    pub counts: RowCounts,
    /// The work was cut short: what is shown is true, and a shorter list of differences may exist.
    pub approximate: bool,
    pub(crate) exact: Symbols,
    pub(crate) counterparts: Counterparts,
}

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

/// A process with its threads that made calls.
struct Group {
    process: ProcessId,
    lanes: Vec<usize>,
}

impl Sequence {
    /// Compares two traces that were read. `steps` limits the work.
    ///
    /// # Errors
    /// There is too much to number.
    pub(crate) fn of(
        traces: (&Trace, &Trace),
        scans: (Scan, Scan),
        steps: u64,
    ) -> Result<Self, DiffError> {
        let (a, b) = scans;
        let mut comparing = Comparing {
            traces,
            scans: (&a, &b),
            budget: Budget::steps(steps),
            counterparts: Counterparts::default(),
        };
        let mut processes = comparing.pair_all();
        let loose = Symbols::loose(&a, &b);
        let questions = Symbols::questions(&a, &b);
        let mut aligned = comparing.align_all(&processes, &loose)?;
        comparing.learn_all(&processes, &aligned, (&loose, &questions));
        let exact = Symbols::exact(&a, &b, &comparing.counterparts);
        comparing.align_again(&processes, &exact, &mut aligned)?;
        let mut judge = Judge::new((&a, &b), (&exact, &questions), &comparing.counterparts);
        let gives_back: Vec<bool> = (0..b.classes.len() as u32)
            .map(|class| traces.1.function(b.class(class).function()))
            .map(|function| function.is_some_and(gives_back))
            .collect();
        let mut counts = RowCounts::default();
        let mut aligned = aligned.into_iter();
        for process in &mut processes {
            let lanes = |thread: &ThreadPair| lanes_of((&a, &b), thread);
            let mut threads: Vec<(Vec<Run>, (&Lane, &Lane))> = process
                .threads
                .iter()
                .map(|thread| {
                    let aligned = aligned.next().unwrap_or_default();
                    (judge.rows(lanes(thread), &aligned), lanes(thread))
                })
                .collect();
            mark_moved(&mut judge, &gives_back, &mut threads);
            for (thread, (runs, _)) in process.threads.iter_mut().zip(threads) {
                thread.set_runs(runs);
                thread
                    .runs()
                    .iter()
                    .for_each(|run| counts.add(run.kind, run.rows.into()));
            }
        }
        let (approximate, counterparts) = (comparing.budget.is_exhausted(), comparing.counterparts);
        Ok(Self {
            processes,
            counts,
            approximate,
            exact,
            counterparts,
            a,
            b,
        })
    }

    /// All pairs of threads.
    pub fn threads(&self) -> impl Iterator<Item = &ThreadPair> {
        self.processes.iter().flat_map(|process| &process.threads)
    }

    /// A row of a pair of threads, counted from 0.
    pub fn row(&self, thread: &ThreadPair, row: u64) -> Option<Row> {
        let run = thread.place(row)?;
        let (a, b) = lanes_of((&self.a, &self.b), thread);
        let seq = |lane: &Lane, place: u32| lane.seqs.get(place as usize).map(|&seq| seq.into());
        Some(Row {
            kind: run.kind,
            a: seq(a, run.a).filter(|_| run.kind.has_a()),
            b: seq(b, run.b).filter(|_| run.kind.has_b()),
        })
    }
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

struct Comparing<'a> {
    traces: (&'a Trace, &'a Trace),
    scans: (&'a Scan, &'a Scan),
    budget: Budget,
    counterparts: Counterparts,
}

impl Comparing<'_> {
    fn pair_all(&self) -> Vec<ProcessPair> {
        let groups = (
            groups(self.traces.0, self.scans.0),
            groups(self.traces.1, self.scans.1),
        );
        let alone = groups.0.len() == 1 && groups.1.len() == 1;
        let candidates = |trace: &Trace, scan: &Scan, groups: &[Group]| -> Vec<Candidate> {
            let groups = groups.iter().enumerate();
            groups
                .map(|(place, group)| process_candidate(trace, scan, (place, group), alone))
                .collect()
        };
        let a = candidates(self.traces.0, self.scans.0, &groups.0);
        let b = candidates(self.traces.1, self.scans.1, &groups.1);
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
                    threads: self.pair_threads(group),
                }
            })
            .collect()
    }

    fn pair_threads(&self, groups: (Option<&Group>, Option<&Group>)) -> Vec<ThreadPair> {
        let lanes = |group: Option<&Group>| group.map_or(Vec::new(), |group| group.lanes.clone());
        let lanes = (lanes(groups.0), lanes(groups.1));
        let alone = lanes.0.len() <= 1 && lanes.1.len() <= 1;
        let candidates = |trace: &Trace, scan: &Scan, lanes: &[usize]| -> Vec<Candidate> {
            let candidate = |&lane: &usize| thread_candidate(trace, scan, lane, alone);
            lanes.iter().map(candidate).collect()
        };
        let a = candidates(self.traces.0, self.scans.0, &lanes.0);
        let b = candidates(self.traces.1, self.scans.1, &lanes.1);
        let thread_pair = |pair: Pair| {
            let lane_a = pair.a.map(|place| lanes.0[place]);
            let lane_b = pair.b.map(|place| lanes.1[place]);
            let threads = (
                lane_a.map(|lane| self.scans.0.lanes[lane].thread),
                lane_b.map(|lane| self.scans.1.lanes[lane].thread),
            );
            ThreadPair::new(threads, (lane_a, lane_b), pair.how)
        };
        pair(&a, &b).into_iter().map(thread_pair).collect()
    }

    /// Aligns all threads by some numbering of what is asked.
    fn align_all(
        &mut self,
        processes: &[ProcessPair],
        symbols: &Symbols,
    ) -> Result<Vec<Vec<Common>>, DiffError> {
        let threads = processes.iter().flat_map(|process| &process.threads);
        threads.map(|thread| self.align(thread, symbols)).collect()
    }

    fn align(&mut self, thread: &ThreadPair, symbols: &Symbols) -> Result<Vec<Common>, DiffError> {
        let (a, b) = lanes_of(self.scans, thread);
        if a.classes.is_empty() || b.classes.is_empty() {
            return Ok(Vec::new());
        }
        align(
            &symbols.of_a(a),
            &symbols.of_b(b),
            symbols.count,
            &mut self.budget,
        )
    }

    /// Learns which objects play the same part, from calls that are aligned and from those between them that ask the same question.
    fn learn_all(
        &mut self,
        processes: &[ProcessPair],
        aligned: &[Vec<Common>],
        symbols: (&Symbols, &Symbols),
    ) {
        let none = Counterparts::default();
        let judge = Judge::new(self.scans, symbols, &none);
        let threads = processes.iter().flat_map(|process| &process.threads);
        for (thread, aligned) in threads.zip(aligned) {
            let lanes = lanes_of(self.scans, thread);
            let end = (lanes.0.classes.len() as u32, lanes.1.classes.len() as u32);
            let mut at = (0, 0);
            for stretch in aligned {
                let gap = (at, (stretch.left, stretch.right));
                let pairs = judge.pairs(lanes, gap);
                self.counterparts.learn(self.scans, lanes, &pairs);
                self.counterparts.learn(self.scans, lanes, &[*stretch]);
                at = (
                    stretch.left + stretch.length,
                    stretch.right + stretch.length,
                );
            }
            let pairs = judge.pairs(lanes, (at, end));
            self.counterparts.learn(self.scans, lanes, &pairs);
        }
    }

    /// Aligns those threads again in which calls are aligned that ask the same of objects which are not counterparts.
    fn align_again(
        &mut self,
        processes: &[ProcessPair],
        exact: &Symbols,
        aligned: &mut [Vec<Common>],
    ) -> Result<(), DiffError> {
        let threads = processes.iter().flat_map(|process| &process.threads);
        for (thread, aligned) in threads.zip(aligned) {
            let (a, b) = lanes_of(self.scans, thread);
            let holds = |stretch: &Common| {
                let a = a.classes[stretch.left as usize..].iter();
                let b = b.classes[stretch.right as usize..].iter();
                let mut pairs = a.zip(b).take(stretch.length as usize);
                pairs.all(|(&a, &b)| exact.a[a as usize] == exact.b[b as usize])
            };
            if !aligned.iter().all(holds) {
                *aligned = self.align(thread, exact)?;
            }
        }
        Ok(())
    }
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
