//! `cutape stats`: calls, failures and times by function.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cutape_analysis::stats::{SortBy, Stats};
use cutape_analysis::stats_text::stats_text;

use crate::progress::Progress;
use crate::reading::{self, Warnings};

/// Count calls, failures and time by function, as strace -c does
///
/// Times are of calls that returned, and include what a callback calls inside them. The median (p50) and p99 are within 1.6 %, all other
/// numbers are exact.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 shown, 2 the trace is damaged (what is intact is counted) or can't be read.

Examples:
  cutape stats llama.cutape
  cutape stats -S failed llama.cutape
  cutape stats --json llama.cutape | jq '.functions[] | select(.failed > 0) | .api'"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// Print one JSON object (schema cutape.stats; times are nanoseconds)
    #[arg(long)]
    json: bool,

    /// What functions are sorted by
    #[arg(short = 'S', long, value_enum, default_value_t = Sort::Time)]
    sort: Sort,
}

/// What functions are sorted by: numbers from the largest down, names from A to Z.
#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Time,
    Calls,
    Failed,
    Mean,
    P50,
    P99,
    Max,
    Name,
}

impl From<Sort> for SortBy {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Time => Self::Total,
            Sort::Calls => Self::Calls,
            Sort::Failed => Self::Failed,
            Sort::Mean => Self::Mean,
            Sort::P50 => Self::P50,
            Sort::P99 => Self::P99,
            Sort::Max => Self::Max,
            Sort::Name => Self::Name,
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    let trace = match reading::open(&arguments.trace) {
        Ok(trace) => trace,
        Err(code) => return code,
    };
    let mut warnings = Warnings::of(&trace);
    let mut progress = Progress::new("reading");
    let stats = Stats::of(&trace, arguments.sort.into(), |calls| {
        progress.show(calls, trace.call_count());
    });
    drop(progress);
    stats
        .damages
        .iter()
        .for_each(|damage| warnings.warn(damage));
    let text = if arguments.json {
        stats.to_json()
    } else {
        stats_text(&stats)
    };
    match reading::print(&text) {
        Ok(()) => warnings.exit_code(),
        Err(code) => code,
    }
}
