//! `cutape print`: calls as text, JSON lines or CSV.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};
use cutape_analysis::following::Following;
use cutape_analysis::line::Column;
use cutape_analysis::text::Detail;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::call_output::{CallOutput, Format, Look};
use crate::colour::Colour;
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
  cutape print -F llama.cutape               # while it is being recorded
  cutape print --format jsonl llama.cutape | jq -r 'select(.ret == 3).api'"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// Print only calls that match; this version has no filters yet and refuses the option
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<String>,

    /// Print the first N calls, as head does; with -n -N the last N, as tail does
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

    /// Show handles and addresses as the numbers that they are, not by the names of objects (ctx#1, dptr#7+0x40)
    #[arg(long)]
    raw: bool,

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
    if let Some(filter) = &arguments.filter {
        return message::fail(
            TROUBLE,
            format!(
                "-e {filter}: filters come in a later version; expected no -e, use --format jsonl with jq, or grep, until then"
            ),
        );
    }
    let look = match look(&arguments) {
        Ok(look) => look,
        Err(error) => return message::fail(TROUBLE, format!("--columns: {error}")),
    };
    let result = if arguments.follow && arguments.trace.is_dir() {
        follow(&arguments, look)
    } else {
        print(&arguments, look)
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
    })
}

/// Numbers of the first call to print and of the one after the last.
fn range(trace: &Trace, calls: Option<i64>) -> (u64, u64) {
    match calls {
        None => (1, u64::MAX),
        Some(first @ 0..) => (1, first.unsigned_abs() + 1),
        Some(last) => (
            trace.call_count().saturating_sub(last.unsigned_abs()) + 1,
            u64::MAX,
        ),
    }
}

fn print(arguments: &Arguments, look: Look) -> Result<ExitCode, ExitCode> {
    let trace = reading::open(&arguments.trace)?;
    let mut warnings = Warnings::of(&trace);
    let (first, end) = range(&trace, arguments.calls);
    let mut output = CallOutput::new(look, io::stdout().lock(), &trace);
    let mut any = false;
    let from = if output.needs_all_calls() && !arguments.quiet {
        1
    } else {
        first
    };
    let mut calls = trace.calls_from(from);
    let mut call = Call::default();
    call.seq = from - 1;
    if !arguments.quiet {
        output.start(&trace);
    }
    while call.seq + 1 < end && !(any && arguments.quiet) {
        match calls.read_next(&mut call) {
            Ok(true) if call.seq < first => output.pass(&trace, &call),
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
    if arguments.quiet {
        return Ok(ExitCode::from(u8::from(!any)));
    }
    Ok(warnings.exit_code())
}

fn follow(arguments: &Arguments, look: Look) -> Result<ExitCode, ExitCode> {
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
    while left > 0 {
        let batch = following.poll().map_err(refuse)?;
        let shown = batch
            .calls
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let calls = &batch.calls[..shown];
        let trace = following.trace();
        let pushed = if batch.new_trace {
            output.push_from(trace, calls)
        } else {
            output.learn(trace);
            calls.iter().try_for_each(|call| output.push(trace, call))
        };
        pushed.map_err(reading::cannot_write)?;
        left = left.saturating_sub(batch.calls.len() as u64);
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
