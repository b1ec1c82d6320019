//! Comparing two runs of one program, call by call.

use cutape_trace_format::trace::Trace;

use super::aligning::Aligner;
use super::budget::Budget;
use super::candidates::pair_all;
use super::judging::Judge;
use super::moved::{mark_moved, mark_other_order};
use super::process_pair::{ProcessPair, lanes_of};
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

impl Sequence {
    /// Compares two traces that were read.
    ///
    /// # Errors
    /// There is too much to number, or the work was stopped.
    pub(crate) fn of(
        traces: (&Trace, &Trace),
        scans: (Scan, Scan),
        budget: Budget<'_>,
    ) -> Result<Self, DiffError> {
        let (a, b) = scans;
        let mut processes = pair_all(traces, (&a, &b));
        let watch = budget.watch();
        let loose = Symbols::loose(&a, &b);
        let questions = Symbols::questions(&a, &b);
        let mut aligner = Aligner::new((&a, &b), budget);
        let mut aligned = aligner.align_all(&processes, &loose)?;
        aligner.learn_all(&processes, &mut aligned, (&loose, &questions))?;
        let exact = Symbols::exact(&a, &b, aligner.counterparts());
        aligner.align_again(&processes, &exact, &mut aligned)?;
        drop(loose);
        let (counterparts, approximate) = aligner.finish();
        let mut judge = Judge::new((&a, &b), (&exact, &questions), &counterparts, watch);
        let gives_back: Vec<bool> = (0..b.classes.len() as u32)
            .map(|class| traces.1.function(b.class(class).function()))
            .map(|function| function.is_some_and(gives_back))
            .collect();
        let mut counts = RowCounts::default();
        let mut aligned = aligned.into_iter();
        for process in &mut processes {
            let mut threads: Vec<(Vec<Run>, (&Lane, &Lane))> = Vec::new();
            for thread in &process.threads {
                let aligned = aligned.next().unwrap_or_default();
                let lanes = lanes_of((&a, &b), thread);
                let runs = judge.rows(lanes, &aligned)?;
                let runs = mark_other_order(&mut judge, (runs, lanes), &aligned.moved);
                watch.passed(lanes.0.classes.len() + lanes.1.classes.len())?;
                threads.push((runs, lanes));
            }
            mark_moved(&mut judge, &gives_back, &mut threads);
            for (thread, (runs, _)) in process.threads.iter_mut().zip(threads) {
                thread.set_runs(runs);
                thread
                    .runs()
                    .iter()
                    .for_each(|run| counts.add(run.kind, run.rows.into()));
            }
        }
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
