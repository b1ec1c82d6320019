//! `cutape diff`: where two runs differ, or what two programs do differently.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use cutape_analysis::diff::report::{
    Compared, Extent, Line, LineKind, SequenceText, closing, function_stats, heading,
    profile_lines, profile_stat_lines, stat_lines, to_json,
};
use cutape_analysis::diff::{Comparison, Mode, Options, Outcome, Sequence, Verdict};
use cutape_analysis::filter::Filter;
use cutape_analysis::text::Detail;
use cutape_trace_format::trace::Trace;

use crate::colour::Colour;
use crate::message;
use crate::progress::Progress;
use crate::reading::{self, TROUBLE, Warnings};

/// Differences that are shown without --all.
const MOST_HUNKS: usize = 50;
/// Calls in a row of which the first few tell enough, and lines of a part of a profile.
const MOST_ROWS: usize = 12;
const MOST_LINES: usize = 24;
/// Differences that JSON lists without --all.
const MOST_LISTED: usize = 10_000;
/// Differences whose calls are read at a time.
const BATCH: usize = 64;

/// Compare two traces: two runs of one program call by call, two programs by what they ask and are answered
///
/// Handles and device addresses are compared by the objects that they stand for, addresses of the process not at all; times are no
/// difference. The first difference comes first: that is where the runs part. docs/diff.md says what counts, and how threads and calls are
/// matched.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the same, 1 they differ, 2 a trace can't be read, or is damaged, or lost calls so that nobody knows.

Examples:
  cutape diff worked.cutape broken.cutape
  cutape diff --ignore 'cuGetProcAddress*' worked.cutape broken.cutape
  cutape diff --stat worked.cutape broken.cutape    # by function
  cutape diff -q monday.cutape today.cutape && echo the same
  cutape diff pytorch.cutape ollama.cutape          # two programs on one driver
  cutape diff --json a.cutape b.cutape | jq .sequence.differences[0]"
)]
pub struct Arguments {
    /// The first trace: a sealed file or a recording folder
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The second trace
    #[arg(value_name = "B")]
    b: PathBuf,

    /// Call by call (sequence), by what is asked and answered (profile), or what fits (auto, which says why)
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    mode: Way,

    /// Leave out the calls that a filter means (`cuGetProcAddress*`, `family == nvmlDevice`; docs/filter.md)
    #[arg(long, value_name = "FILTER")]
    ignore: Option<String>,

    /// Print one JSON object (schema cutape.diff)
    #[arg(long, conflicts_with_all = ["stat", "quiet"])]
    json: bool,

    /// Print a table by function instead of the calls
    #[arg(long, conflicts_with = "quiet")]
    stat: bool,

    /// Print one line if they differ, and nothing if they don't
    #[arg(short, long)]
    quiet: bool,

    /// Calls to show before and behind each difference
    #[arg(short = 'U', long = "context", value_name = "N", default_value_t = 3)]
    context: usize,

    /// Show all differences and every call of each
    #[arg(long)]
    all: bool,

    /// Find the shortest list of differences, however long that takes
    #[arg(long)]
    minimal: bool,

    /// Cut no strings, data and arrays
    #[arg(long)]
    full: bool,

    /// Colours; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
}

/// Ways to compare.
#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Auto,
    Sequence,
    Profile,
}

impl From<Way> for Option<Mode> {
    fn from(way: Way) -> Self {
        match way {
            Way::Auto => None,
            Way::Sequence => Some(Mode::Sequence),
            Way::Profile => Some(Mode::Profile),
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    compare(&arguments).unwrap_or_else(|code| code)
}

fn compare(arguments: &Arguments) -> Result<ExitCode, ExitCode> {
    let ignore = arguments.ignore.as_deref().map(Filter::parse).transpose();
    let ignore = ignore.map_err(|error| cannot_compare(format!("--ignore: {error}")))?;
    let (a, b) = (reading::open(&arguments.a)?, reading::open(&arguments.b)?);
    let mut warnings = Warnings::of(&a);
    b.damages().iter().for_each(|damage| warnings.warn(damage));
    if let Some(filter) = &ignore {
        warn_of(filter, &a, &b);
    }
    let options = Options {
        mode: arguments.mode.into(),
        ignore: ignore.as_ref(),
        steps: Options::usual().steps.filter(|_| !arguments.minimal),
        report: &progress("comparing"),
    };
    let comparison = Comparison::of(&a, &b, options).map_err(cannot_compare)?;
    for damage in comparison.a.damages.iter().chain(&comparison.b.damages) {
        warnings.warn(damage);
    }
    let compared = Compared {
        comparison: &comparison,
        a: &a,
        b: &b,
    };
    print(arguments, compared)?;
    Ok(exit_code(&comparison, &warnings))
}

/// Shows how far some work is.
fn progress(what: &'static str) -> impl Fn(u64, u64) -> bool + Sync {
    let progress = Mutex::new(Progress::new(what));
    move |done, all| {
        if let Ok(mut progress) = progress.lock() {
            progress.show(done, all);
        }
        true
    }
}

/// What a filter names and neither trace has is more likely a slip than a wish.
fn warn_of(filter: &Filter, a: &Trace, b: &Trace) {
    let of_b = filter.warnings(b);
    for warning in filter.warnings(a) {
        if of_b.contains(&warning) {
            message::say(format!("warning: --ignore: {warning}"));
        }
    }
}

fn cannot_compare(error: impl std::fmt::Display) -> ExitCode {
    message::fail(TROUBLE, error)
}

fn exit_code(comparison: &Comparison, warnings: &Warnings) -> ExitCode {
    if warnings.any() {
        return warnings.exit_code();
    }
    match comparison.verdict() {
        Verdict::Same => ExitCode::SUCCESS,
        Verdict::Differ => ExitCode::from(1),
        Verdict::Unknown => message::fail(
            TROUBLE,
            "calls are missing from a recording, so that nobody knows whether the runs are the same",
        ),
    }
}

fn print(arguments: &Arguments, compared: Compared<'_>) -> Result<(), ExitCode> {
    if arguments.quiet {
        return print_quietly(arguments, compared);
    }
    if arguments.json {
        let most = if arguments.all {
            usize::MAX
        } else {
            MOST_LISTED
        };
        let text = to_json(compared, most, &progress("folding loops"));
        return reading::print(&text.map_err(cannot_compare)?);
    }
    let mut printer = Printer {
        coloured: arguments.color.is_wanted(),
        out: String::new(),
    };
    printer.print(&heading(compared))?;
    match &compared.comparison.outcome {
        Outcome::Sequence(sequence) => {
            print_sequence(arguments, (compared, sequence), &mut printer)?;
        }
        Outcome::Profile(profile) if arguments.stat => {
            printer.print(&profile_stat_lines(profile))?;
        }
        Outcome::Profile(profile) => {
            let most = if arguments.all {
                usize::MAX
            } else {
                MOST_LINES
            };
            printer.print(&profile_lines(compared, profile, most))?;
        }
    }
    printer.print(&closing(compared))
}

fn print_quietly(arguments: &Arguments, compared: Compared<'_>) -> Result<(), ExitCode> {
    if compared.comparison.verdict() != Verdict::Differ {
        return Ok(());
    }
    reading::print(&format!(
        "{} and {} differ\n",
        arguments.a.display(),
        arguments.b.display()
    ))
}

fn print_sequence(
    arguments: &Arguments,
    (compared, sequence): (Compared<'_>, &Sequence),
    printer: &mut Printer,
) -> Result<(), ExitCode> {
    if arguments.stat {
        return printer.print(&stat_lines(&function_stats(compared, sequence)));
    }
    let extent = Extent {
        rows: if arguments.all { usize::MAX } else { MOST_ROWS },
        detail: if arguments.full {
            Detail::FULL
        } else {
            Detail::LINE
        },
    };
    let mut text = SequenceText::new(compared, sequence, extent);
    printer.print(&text.pairs())?;
    let hunks = sequence.hunks(arguments.context, &progress("folding loops"));
    let hunks = hunks.map_err(cannot_compare)?;
    let most = if arguments.all {
        usize::MAX
    } else {
        MOST_HUNKS
    };
    let shown = &hunks[..hunks.len().min(most)];
    for (number, batch) in shown.chunks(BATCH).enumerate() {
        printer.print(&text.hunks(batch, number * BATCH))?;
    }
    if shown.len() < hunks.len() {
        let more = format!(
            "... {} more places differ; --all shows them",
            hunks.len() - shown.len()
        );
        printer.print_line(LineKind::Note, &more)?;
    }
    Ok(())
}

/// Writes lines to standard output.
struct Printer {
    coloured: bool,
    out: String,
}

impl Printer {
    fn print(&mut self, lines: &[Line]) -> Result<(), ExitCode> {
        lines
            .iter()
            .try_for_each(|line| self.print_line(line.kind, &line.text))
    }

    fn print_line(&mut self, kind: LineKind, text: &str) -> Result<(), ExitCode> {
        self.out.clear();
        let colour = colour(kind).filter(|_| self.coloured);
        self.out.extend(colour);
        self.out.push_str(text);
        self.out.extend(colour.map(|_| "\x1b[0m"));
        self.out.push('\n');
        io::stdout()
            .lock()
            .write_all(self.out.as_bytes())
            .map_err(reading::cannot_write)
    }
}

/// The colours of `diff`; marks at the start of the lines say the same.
fn colour(kind: LineKind) -> Option<&'static str> {
    Some(match kind {
        LineKind::Both => return None,
        LineKind::Heading => "\x1b[1m",
        LineKind::Place => "\x1b[36m",
        LineKind::OnlyA => "\x1b[31m",
        LineKind::OnlyB => "\x1b[32m",
        LineKind::Changed => "\x1b[33m",
        LineKind::Note => "\x1b[2m",
        LineKind::Key => "\x1b[1;35m",
    })
}
