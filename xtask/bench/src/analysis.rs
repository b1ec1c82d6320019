//! `cargo xtask bench analysis`: what questions to a trace cost.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use cutape_analysis::diff::{Comparison, Mode, Options};
use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::filter::Filter;
use cutape_analysis::index::Index;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::analysis_report::{DiffCost, FilterCost, IndexCost, Results};
use crate::analysis_trace::{GeneratedTrace, Kind, Run};
use crate::bar::Verdict;
use crate::chore::{Outcome, finish, in_folder};
use crate::clocks::{Clocks, Cost};
use crate::error::BenchError;
use crate::machine;
use crate::peak_memory::PeakMemory;
use crate::workbench::workspace;

/// Repetitions; the median counts.
pub const ROUNDS: usize = 5;
/// Calls of the long trace, about.
pub const LONG_CALLS: u64 = 10_000_000;
/// Calls of each of the two traces that are compared, about.
pub const SHORT_CALLS: u64 = 1_000_000;
/// In the trace with differences, every so many layers one is left out.
const CUT_LAYERS: u64 = 333;
/// A trace of real software.
pub const REAL_TRACE: &str = "traces/pytorch-on-h100.cutape";

/// Filters, and what of a call they look at.
const FILTERS: [(&str, &str); 6] = [
    ("cuStream* and ret != 0", "function and code"),
    ("dur > 2us and not cuLaunch*", "function and time"),
    ("arg.bytesize > 1MiB", "an argument of a rare function"),
    ("arg.gridDimX > 500", "an argument of a frequent function"),
    ("gap > 2us and ok", "time between a thread's calls"),
    ("stream == 0x55aa10002000 and dur > 2us", "objects"),
];

/// Measure what questions to a trace cost: opening, index, filters, diagnosis, comparison
///
/// Takes about five minutes and 4 GB of memory. The inputs are generated, the same in every run, and one trace of real software.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 measured (whatever came out), 1 a measurement failed, 2 nothing could be measured."
)]
pub struct Args {
    /// Also write the results into docs/performance-of-analysis.md
    #[arg(long, conflicts_with = "only")]
    write: bool,

    /// Measure this part only
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Index,
    Filters,
    Doctor,
    Diff,
    Distinct,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// Runs the chore.
pub fn run(args: &Args) -> ExitCode {
    let measured = in_folder(|folder| measure_in(folder, args)).map(|results| Outcome {
        text: results.markdown(),
        has_failed: results
            .lines()
            .iter()
            .any(|line| line.verdict() == Verdict::Failed),
    });
    let part = ("docs/performance-of-analysis.md", "analysis");
    finish(measured, args.write.then_some(part))
}

fn measure_in(folder: &Path, args: &Args) -> Result<Results, BenchError> {
    let mut results = Results {
        machine: machine::describe(),
        load: (machine::load(), String::new()),
        ..Results::default()
    };
    eprintln!("xtask: generating traces");
    let run = |calls, seed, kind| GeneratedTrace::make(folder, Run { calls, seed, kind });
    let long = run(LONG_CALLS, 1, Kind::Loop)?;
    let short = run(SHORT_CALLS, 1, Kind::Loop)?;
    if args.wants(Part::Index) {
        eprintln!("xtask: index");
        let real: PathBuf = workspace().join(REAL_TRACE);
        results.indexes = [long.path(), short.path(), &real]
            .map(index_cost)
            .into_iter()
            .collect();
        eprintln!("xtask: reading");
        results.reading = Some(read_all(long.path())?);
    }
    if args.wants(Part::Filters) {
        eprintln!("xtask: filters");
        results.filters = filter_costs(long.path())?;
    }
    if args.wants(Part::Doctor) {
        eprintln!("xtask: doctor");
        results.doctor = Some(doctor_cost(long.path())?);
    }
    if args.wants(Part::Diff) {
        eprintln!("xtask: comparison");
        let equal = run(SHORT_CALLS, 2, Kind::Loop)?;
        let cut = run(SHORT_CALLS, 2, Kind::Cut(CUT_LAYERS))?;
        let other = run(LONG_CALLS, 2, Kind::Loop)?;
        results.diffs = [
            (
                "1 M calls each, the same but for times and addresses",
                &short,
                &equal,
            ),
            (
                "1 M calls each, one with some 330 places cut out",
                &short,
                &cut,
            ),
            (
                "10 M calls each, the same but for times and addresses",
                &long,
                &other,
            ),
        ]
        .into_iter()
        .map(|(what, a, b)| (what, compare(a.path(), b.path())))
        .collect();
    }
    if args.wants(Part::Distinct) {
        eprintln!("xtask: comparison of traces without two calls alike");
        for (what, kind) in [
            (
                "10 M calls each, no two alike, none in both",
                Kind::Distinct,
            ),
            (
                "10 M calls each, no two alike, in another order",
                Kind::Shuffled,
            ),
        ] {
            let (a, b) = (run(LONG_CALLS, 1, kind)?, run(LONG_CALLS, 2, kind)?);
            results.distinct.push((what, compare(a.path(), b.path())));
        }
    }
    results.load.1 = machine::load();
    Ok(results)
}

fn open(path: &Path) -> Result<Trace, BenchError> {
    Trace::open(path).map_err(|error| BenchError::Trace(error.to_string()))
}

/// The median of some durations.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn index_cost(path: &Path) -> Result<IndexCost, BenchError> {
    let (mut opened, mut first_part, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let (mut calls, mut bytes) = (0, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let trace = open(path)?;
        opened.push(start.elapsed());
        let mut first = None;
        let index = Index::build(&trace, &mut |_| {
            first.get_or_insert_with(|| start.elapsed());
            ControlFlow::Continue(())
        });
        whole.push(start.elapsed());
        first_part.push(first.unwrap_or_else(|| start.elapsed()));
        if index.len() != trace.call_count() || !index.damages().is_empty() {
            return Err(BenchError::Trace(format!(
                "{} of {} calls are in the index",
                index.len(),
                trace.call_count()
            )));
        }
        (calls, bytes) = (index.len(), index.heap_bytes());
    }
    Ok(IndexCost {
        calls,
        bytes,
        open: median(opened),
        first_part: median(first_part),
        whole: median(whole),
    })
}

fn filter_costs(path: &Path) -> Result<Vec<FilterCost>, BenchError> {
    let trace = open(path)?;
    let index = Index::of(&trace);
    let cost = |&(text, looks_at): &(&'static str, &'static str)| {
        let filter = Filter::parse(text).map_err(|error| BenchError::Trace(error.to_string()))?;
        let mut found = 0;
        let cost = median_cost(ROUNDS, || {
            let selection = filter.select(&trace, &index, &mut |_| ControlFlow::Continue(()));
            found = selection.map_or(0, |selection| selection.count());
            Ok(())
        })?;
        Ok(FilterCost {
            text,
            looks_at,
            found,
            cost,
        })
    };
    FILTERS.iter().map(cost).collect()
}

/// Time to read all calls with their arguments, one after the other.
fn read_all(path: &Path) -> Result<Duration, BenchError> {
    let trace = open(path)?;
    let start = Instant::now();
    let (mut calls, mut call) = (trace.calls(), Call::default());
    while calls
        .read_next(&mut call)
        .map_err(|damage| BenchError::Trace(damage.to_string()))?
    {}
    Ok(start.elapsed())
}

fn compare(a: &Path, b: &Path) -> Result<DiffCost, BenchError> {
    let (a, b) = (open(a)?, open(b)?);
    let rounds = if a.call_count() > SHORT_CALLS * 2 {
        1
    } else {
        ROUNDS
    };
    let memory = PeakMemory::start();
    let mut approximate = false;
    let cost = median_cost(rounds, || {
        let options = Options {
            mode: Some(Mode::Sequence),
            ..Options::usual()
        };
        let compared = Comparison::of(&a, &b, options);
        let compared = compared.map_err(|error| BenchError::Trace(error.to_string()))?;
        approximate = compared.is_approximate();
        Ok(())
    })?;
    Ok(DiffCost {
        cost,
        peak_bytes: memory.bytes(),
        approximate,
    })
}

fn doctor_cost(path: &Path) -> Result<Cost, BenchError> {
    let trace = open(path)?;
    median_cost(1, || {
        Diagnosis::of(&trace, &[], |_| ());
        Ok(())
    })
}

/// The median of what some work costs.
fn median_cost(
    rounds: usize,
    mut work: impl FnMut() -> Result<(), BenchError>,
) -> Result<Cost, BenchError> {
    let mut costs = Vec::new();
    for _ in 0..rounds {
        let before = Clocks::now();
        work()?;
        costs.push(before.since());
    }
    costs.sort_unstable_by_key(|cost| cost.time);
    Ok(costs[costs.len() / 2])
}
