//! `cargo xtask bench analysis`: what questions to a trace cost.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cutape_analysis::diff::{Comparison, Mode, Options};
use cutape_analysis::filter::Filter;
use cutape_analysis::index::Index;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::analysis_report::{FilterCost, IndexCost, Results};
use crate::analysis_trace::GeneratedTrace;
use crate::bar::Verdict;
use crate::chore::{Outcome, finish, in_folder};
use crate::error::BenchError;
use crate::machine;
use crate::workbench::workspace;

/// Repetitions; the median counts.
pub const ROUNDS: usize = 5;
/// Calls of the long trace, about.
pub const LONG_CALLS: u64 = 10_000_000;
/// Calls of each of the two traces that are compared, about.
pub const SHORT_CALLS: u64 = 1_000_000;
/// A trace of real software.
pub const REAL_TRACE: &str = "traces/pytorch-on-h100.cutape";

/// Filters, and what of a call they look at.
const FILTERS: [(&str, &str); 4] = [
    ("cuStream* and ret != 0", "function and code"),
    ("dur > 2us and not cuLaunch*", "function and time"),
    ("arg.bytesize > 1MiB", "an argument of a rare function"),
    ("arg.gridDimX > 500", "an argument of a frequent function"),
];

/// Measure what questions to a trace cost: opening, index, filters, comparison
///
/// Takes about two minutes. The inputs are generated, the same in every run, and one trace of real software.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 measured (whatever came out), 1 a measurement failed, 2 nothing could be measured."
)]
pub struct Args {
    /// Also write the results into docs/performance-of-analysis.md
    #[arg(long)]
    write: bool,
}

/// Runs the chore.
pub fn run(args: &Args) -> ExitCode {
    let measured = in_folder(measure_in).map(|results| Outcome {
        text: results.markdown(),
        has_failed: results
            .lines()
            .iter()
            .any(|line| line.verdict() == Verdict::Failed),
    });
    let part = ("docs/performance-of-analysis.md", "analysis");
    finish(measured, args.write.then_some(part))
}

fn measure_in(folder: &Path) -> Result<Results, BenchError> {
    let machine = machine::describe();
    let before = machine::load();
    eprintln!("xtask: generating traces");
    let long = GeneratedTrace::make(folder, LONG_CALLS, 1)?;
    let short = [
        GeneratedTrace::make(folder, SHORT_CALLS, 1)?,
        GeneratedTrace::make(folder, SHORT_CALLS, 2)?,
    ];
    eprintln!("xtask: index");
    let real: PathBuf = workspace().join(REAL_TRACE);
    let indexes = [long.path(), short[0].path(), &real].map(index_cost);
    eprintln!("xtask: filters");
    let filters = filter_costs(long.path())?;
    eprintln!("xtask: reading");
    let reading = read_all(long.path())?;
    eprintln!("xtask: comparison");
    let diff = compare(short[0].path(), short[1].path());
    Ok(Results {
        machine,
        load: (before, machine::load()),
        indexes,
        filters,
        reading,
        diff,
    })
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
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let selection = filter.select(&trace, &index, &mut |_| ControlFlow::Continue(()));
            times.push(start.elapsed());
            found = selection.map_or(0, |selection| selection.count());
        }
        Ok(FilterCost {
            text,
            looks_at,
            found,
            time: median(times),
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

fn compare(a: &Path, b: &Path) -> Result<Duration, BenchError> {
    let (a, b) = (open(a)?, open(b)?);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let options = Options {
            mode: Some(Mode::Sequence),
            ..Options::usual()
        };
        let start = Instant::now();
        Comparison::of(&a, &b, options).map_err(|error| BenchError::Trace(error.to_string()))?;
        times.push(start.elapsed());
    }
    Ok(median(times))
}
