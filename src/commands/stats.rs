//! `cutape stats`: calls, failures and times by function, thread, process or caller; of one trace, or of two side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cutape_analysis::filter::Filter;
use cutape_analysis::stats::{SortBy, Stats, StatsQuery};
use cutape_analysis::stats_comparison::StatsComparison;
use cutape_analysis::stats_group::GroupBy;
use cutape_analysis::stats_text::stats_text;

use crate::filtering;
use crate::message;
use crate::progress::Progress;
use crate::reading::{self, TROUBLE, Warnings};

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
  cutape stats -e 'cuMem*' --histogram llama.cutape
  cutape stats --by caller llama.cutape
  cutape stats before.cutape after.cutape
  cutape stats --json llama.cutape | jq '.functions[] | select(.failed > 0) | .api'"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// A second trace: both are counted and compared, the largest difference of time first
    #[arg(value_name = "T2")]
    other: Option<PathBuf>,

    /// Count only calls that the filter means, such as 'cuMem* and ret != 0' (docs/filter.md)
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<String>,

    /// What calls are counted by
    #[arg(long, value_enum, default_value_t = By::Function)]
    by: By,

    /// Also show how many calls took how long, by powers of two
    #[arg(long, conflicts_with = "other")]
    histogram: bool,

    /// Print one JSON object (schema cutape.stats; times are nanoseconds)
    #[arg(long)]
    json: bool,

    /// What functions, or whatever calls are counted by, are sorted by
    #[arg(short = 'S', long, value_enum, default_value_t = Sort::Time, conflicts_with = "other")]
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

/// What calls are counted by.
#[derive(Clone, Copy, ValueEnum)]
enum By {
    Function,
    Thread,
    Process,
    Caller,
}

impl From<By> for GroupBy {
    fn from(by: By) -> Self {
        match by {
            By::Function => Self::Function,
            By::Thread => Self::Thread,
            By::Process => Self::Process,
            By::Caller => Self::Caller,
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    let filter = arguments.filter.as_deref().map(filtering::parse);
    let filter = match filter.transpose() {
        Ok(filter) => filter,
        Err(error) => return message::fail(TROUBLE, error),
    };
    show(&arguments, filter.as_ref()).unwrap_or_else(|code| code)
}

fn show(arguments: &Arguments, filter: Option<&Filter>) -> Result<ExitCode, ExitCode> {
    let query = StatsQuery {
        by: arguments.by.into(),
        sort: arguments.sort.into(),
        filter,
        histogram: arguments.histogram,
    };
    let mut warnings = Warnings::default();
    let stats = count(&arguments.trace, query, &mut warnings)?;
    let text = match &arguments.other {
        Some(other) => {
            let other = count(other, query, &mut warnings)?;
            let comparison = StatsComparison::of(&stats, &other);
            if arguments.json {
                comparison.to_json()
            } else {
                comparison.to_text()
            }
        }
        None if arguments.json => stats.to_json(),
        None => stats_text(&stats),
    };
    reading::print(&text)?;
    Ok(warnings.exit_code())
}

fn count(path: &Path, query: StatsQuery<'_>, warnings: &mut Warnings) -> Result<Stats, ExitCode> {
    let trace = reading::open(path)?;
    trace
        .damages()
        .iter()
        .for_each(|damage| warnings.warn(damage));
    let mut progress = Progress::new("reading");
    let stats = Stats::of(&trace, query, |calls| {
        progress.show(calls, trace.call_count());
    });
    drop(progress);
    stats
        .damages
        .iter()
        .for_each(|damage| warnings.warn(damage));
    if let Some(filter) = query.filter.filter(|_| stats.total.calls == 0) {
        filter.warnings(&trace).iter().for_each(message::say);
    }
    Ok(stats)
}
