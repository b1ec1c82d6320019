//! `cutape print`: calls as text, JSON lines or CSV.

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};
use cutape_analysis::filter::{Filter, Matcher};
use cutape_analysis::following::{Batch, Following};
use cutape_analysis::line::Column;
use cutape_analysis::text::Detail;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::call_output::{CallOutput, Format, Look};
use crate::colour::Colour;
use crate::filtering::{self, Choice};
use crate::message;
use crate::reading::{self, TROUBLE, Warnings};

/// How often a recording is looked at with -F; the traced process writes blocks about every 10 ms.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// Print calls, one a line, the way strace does
///
/// A line has the call's number, the process and thread where there are several, seconds from the start of the recording, how long the call
/// took, who called, and the call: `cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)`. Parameters that are pointers are
/// shown by the value behind them; an address means that the value was not captured. docs/reading.md has the whole grammar.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 printed, 1 no call to print (only with -q), 2 the trace is damaged (what is intact is printed) or can't be read.

Examples:
  cutape print llama.cutape | less -S
  cutape print -n 20 llama.cutape            # the first 20 calls
  cutape print -n -20 llama.cutape           # the last 20
  cutape print --columns none llama.cutape   # calls only, to compare two runs
  cutape print -e 'ret != 0' llama.cutape    # the calls that failed
  cutape print -e 'cuMem* and dur > 1ms' -n -5 llama.cutape
  cutape print -q -e 'ret == OUT_OF_MEMORY' llama.cutape && echo too large
  cutape print -k -e 'ret != 0' llama.cutape # and who made them
  cutape print -F llama.cutape               # while it is being recorded
  cutape print --format jsonl llama.cutape | jq -r 'select(.ret == 3).api'"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// Print only calls that the filter means, such as 'cuMem* and ret != 0'; docs/filter.md has all fields
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<String>,

    /// Print the first N calls, as head does; with -n -N the last N, as tail does. With -e, of those that match
    #[arg(
        short = 'n',
        long = "calls",
        value_name = "N",
        allow_negative_numbers = true
    )]
    calls: Option<i64>,

    /// What to print: lines for people, JSON lines or comma-separated values (both described in docs/reading.md)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Columns before the call, of seq, pid, tid, comm (thread name), t (seconds from the start), dur and caller; or none
    #[arg(long, value_name = "LIST")]
    columns: Option<String>,

    /// Cut no strings, data and arrays: all that was captured is printed
    #[arg(long)]
    full: bool,

    /// Show handles and addresses as the numbers that they are, not by the names of objects (ctx#1, dptr#7+0x40), and callers by file and
    /// offset
    #[arg(long)]
    raw: bool,

    /// Print the stack under each call that has one, as strace -k does: those of calls that failed, or of those that record --stacks chose
    #[arg(short = 'k', long)]
    stacks: bool,

    /// Go on with a recording that is still being made, until it ends; begins with its first call
    #[arg(short = 'F', long)]
    follow: bool,

    /// Print nothing; exit with 0 if there is a call to print and with 1 if there is none
    #[arg(short, long, conflicts_with = "follow")]
    quiet: bool,

    /// Colours: failed calls are red; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    let filter = match arguments
        .filter
        .as_deref()
        .map(filtering::parse)
        .transpose()
    {
        Ok(filter) => filter,
        Err(error) => return message::fail(TROUBLE, error),
    };
    let look = match look(&arguments) {
        Ok(look) => look,
        Err(error) => return message::fail(TROUBLE, format!("--columns: {error}")),
    };
    let result = if arguments.follow && arguments.trace.is_dir() {
        follow(&arguments, filter.as_ref(), look)
    } else {
        print(&arguments, filter.as_ref(), look)
    };
    result.unwrap_or_else(|code| code)
}

/// Prints calls as lines: what `cutape view` does where it can't draw.
pub fn print_instead(trace: &Path, follow: bool, filter: Option<String>) -> ExitCode {
    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        arguments: Arguments,
    }
    let follow = follow.then_some(OsStr::new("--follow"));
    let words = [OsStr::new("print")].into_iter().chain(follow);
    let filter = filter
        .iter()
        .flat_map(|filter| [OsStr::new("-e"), OsStr::new(filter)]);
    let words = words
        .chain(filter)
        .chain([OsStr::new("--"), trace.as_os_str()]);
    match CommandLine::try_parse_from(words) {
        Ok(line) => run(line.arguments),
        Err(error) => message::fail(TROUBLE, error),
    }
}

fn look(arguments: &Arguments) -> Result<Look, String> {
    Ok(Look {
        format: arguments.format,
        columns: arguments.columns.as_deref().map(Column::list).transpose()?,
        detail: if arguments.full {
            Detail::FULL
        } else {
            Detail::LINE
        },
        coloured: arguments.color.is_wanted(),
        named: !arguments.raw,
        stacks: arguments.stacks,
    })
}

/// Numbers of the first call to print and of the one after the last, where all calls are printed.
fn range(trace: &Trace, calls: Option<i64>) -> Range<u64> {
    match calls {
        None => 1..u64::MAX,
        Some(first @ 0..) => 1..first.unsigned_abs().saturating_add(1),
        Some(last) => trace.call_count().saturating_sub(last.unsigned_abs()) + 1..u64::MAX,
    }
}

/// Which calls to print.
fn choice<'f>(arguments: &Arguments, filter: Option<&'f Filter>, trace: &Trace) -> Choice<'f> {
    match (filter, arguments.calls) {
        (None, calls) => Choice::numbers(range(trace, calls)),
        (Some(filter), Some(last @ ..0)) => {
            Choice::selection(filtering::select(filter, trace)).last(last.unsigned_abs())
        }
        // Whether there is any is found fastest on all processors.
        (Some(filter), None) if arguments.quiet && trace.is_sealed() => {
            Choice::selection(filtering::select(filter, trace))
        }
        (Some(filter), calls) => {
            Choice::matching(filter).first(calls.map_or(u64::MAX, i64::unsigned_abs))
        }
    }
}

fn print(arguments: &Arguments, filter: Option<&Filter>, look: Look) -> Result<ExitCode, ExitCode> {
    let trace = reading::open(&arguments.trace)?;
    let mut warnings = Warnings::of(&trace);
    let mut choice = choice(arguments, filter, &trace);
    let mut output = CallOutput::new(look, io::stdout().lock(), &trace);
    let mut any = false;
    let from = if output.needs_all_calls() && !arguments.quiet {
        1
    } else {
        choice.first_seq()
    };
    let mut calls = trace.calls_from(from);
    let mut call = Call::default();
    call.seq = from - 1;
    if !arguments.quiet {
        output.start(&trace);
    }
    while !(choice.is_over(call.seq) || any && arguments.quiet) {
        match calls.read_next(&mut call) {
            Ok(true) if !choice.takes(&trace, &call) => output.pass(&trace, &call),
            Ok(true) => {
                any = true;
                if !arguments.quiet {
                    output.push(&trace, &call).map_err(reading::cannot_write)?;
                }
            }
            Ok(false) => break,
            Err(damage) => warnings.warn(&damage),
        }
    }
    output.flush().map_err(reading::cannot_write)?;
    if let Some(filter) = filter.filter(|_| !any) {
        filter.warnings(&trace).iter().for_each(message::say);
    }
    if arguments.quiet {
        return Ok(ExitCode::from(u8::from(!any)));
    }
    Ok(warnings.exit_code())
}

fn follow(
    arguments: &Arguments,
    filter: Option<&Filter>,
    look: Look,
) -> Result<ExitCode, ExitCode> {
    let path: &Path = &arguments.trace;
    let refuse = |error| reading::refuse(path, &error);
    let mut left = match arguments.calls {
        None => u64::MAX,
        Some(first @ 0..) => first.unsigned_abs(),
        Some(last) => {
            return Err(message::fail(
                TROUBLE,
                format!(
                    "-n {last} with -F: expected a number of first calls, because the last ones are not known before the end"
                ),
            ));
        }
    };
    let mut following = Following::open(path).map_err(refuse)?;
    let mut warnings = Warnings::default();
    let mut output = CallOutput::new(look, io::stdout().lock(), following.trace());
    output.start(following.trace());
    let mut matcher = filter.map(Matcher::new);
    while left > 0 {
        let batch = following.poll().map_err(refuse)?;
        let trace = following.trace();
        if !batch.new_trace {
            output.learn(trace);
        }
        let matches = chosen_of(&batch, trace, matcher.as_mut());
        let mut shown = Vec::new();
        for (call, matches) in batch.calls.iter().zip(matches) {
            let shows = matches && left > 0;
            left -= u64::from(shows);
            match (shows, batch.new_trace) {
                (true, true) => shown.push(call.clone()),
                (true, false) => output.push(trace, call).map_err(reading::cannot_write)?,
                (false, true) => {}
                (false, false) => output.pass(trace, call),
            }
        }
        if batch.new_trace {
            let pushed = output.push_from(trace, &shown);
            pushed.map_err(reading::cannot_write)?;
        }
        output.flush().map_err(reading::cannot_write)?;
        batch
            .damages
            .iter()
            .for_each(|damage| warnings.warn(damage));
        if batch.ended {
            break;
        }
        if !batch.more {
            std::thread::sleep(FOLLOW_INTERVAL);
        }
    }
    Ok(warnings.exit_code())
}

/// Which calls of a batch are to be printed.
fn chosen_of(batch: &Batch, trace: &Trace, matcher: Option<&mut Matcher<'_>>) -> Vec<bool> {
    match matcher {
        None => vec![true; batch.calls.len()],
        Some(matcher) if batch.new_trace => filtering::matches_in(trace, &batch.calls, matcher),
        Some(matcher) => {
            let calls = batch.calls.iter();
            calls.map(|call| matcher.matches(trace, call)).collect()
        }
    }
}
