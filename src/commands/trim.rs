//! `cutape trim`: a part of a trace.

use std::io::BufWriter;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cutape_analysis::filter::Filter;
use cutape_analysis::redact::{Redaction, Redactor};
use cutape_analysis::trim::{Kept, Wanted};
use cutape_trace_format::call::Call;
use cutape_trace_format::metadata::{Note, note};
use cutape_trace_format::rewrite::{Rewrite, rewrite};
use cutape_trace_format::trace::Trace;

use crate::message;
use crate::output_file::{OutputFile, check_free};
use crate::progress::Progress;
use crate::reading::{self, TROUBLE, Warnings};

/// Write a part of a trace that stands by itself
///
/// Keeps the calls that are asked for and, of those before them, the ones that they need: those that created the objects that they use, made them
/// what they are and made their contexts current. The part is a sealed trace; calls have new numbers, and `cutape info` tells the old ones.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 written, 2 the trace is damaged (what is intact is written) or can't be read, or the file not written.

Examples:
  cutape trim ollama.cutape --calls 1200..1300 -o hang.cutape
  cutape trim ollama.cutape -e 'not ok' -o failures.cutape
  cutape trim ollama.cutape --calls 1.. --redact all -o to-send.cutape"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// Numbers of the calls to keep, from the first to the last one: A..B, A.., ..B or A
    #[arg(long, value_name = "A..B", value_parser = parse_numbers, required_unless_present = "filter", conflicts_with = "filter")]
    calls: Option<RangeInclusive<u64>>,

    /// Keep the calls that match (docs/filter.md)
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<Filter>,

    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Take out payload, paths, hosts or environment, with commas between several, or all (docs/export.md)
    #[arg(long, value_name = "KINDS")]
    redact: Option<Redaction>,

    /// Replaces an existing file
    #[arg(long)]
    force: bool,
}

/// Reads `A..B`, both included.
fn parse_numbers(text: &str) -> Result<RangeInclusive<u64>, String> {
    let expected = || format!("expected numbers of calls such as 100..200, found {text:?}");
    let number = |word: &str, otherwise: u64| match word {
        "" => Ok(otherwise),
        word => word.parse().map_err(|_| expected()),
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => {
            let last = last.strip_prefix('=').unwrap_or(last);
            (number(first, 1)?, number(last, u64::MAX)?)
        }
        None => {
            let one = text.parse().map_err(|_| expected())?;
            (one, one)
        }
    };
    if first == 0 || last < first {
        return Err(format!(
            "{}; calls are counted from 1, and the first comes first",
            expected()
        ));
    }
    Ok(first..=last)
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    trim(arguments).unwrap_or_else(|code| code)
}

fn trim(arguments: Arguments) -> Result<ExitCode, ExitCode> {
    let refuse = |error: String| message::fail(TROUBLE, error);
    // Known before a long trace is read.
    check_free(&arguments.output, arguments.force).map_err(refuse)?;
    let mut trace = reading::open(&arguments.trace)?;
    let mut warnings = Warnings::of(&trace);
    let of = trace.call_count();
    let wanted = match (arguments.filter, arguments.calls) {
        (Some(filter), _) => Wanted::Matching(filter),
        (None, calls) => Wanted::Numbers(calls.unwrap_or(1..=u64::MAX)),
    };
    let mut progress = Progress::new("choosing");
    let kept = Kept::of(&trace, &wanted, |calls| progress.show(calls, of));
    drop(progress);
    if kept.wanted() == 0 {
        kept.damages()
            .iter()
            .for_each(|damage| warnings.warn(damage));
        return Err(refuse(format!(
            "no call of {} to keep: it has {of} calls",
            arguments.trace.display()
        )));
    }
    let redactor = change_metadata(&mut trace, &kept, arguments.redact.as_ref());
    let file = OutputFile::create(&arguments.output, arguments.force).map_err(refuse)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut progress = Progress::new("writing");
    let mut plan = Trimming {
        kept: &kept,
        redactor,
    };
    let known = trace.damages().len();
    let failed = |error: String| refuse(format!("{}: {error}", arguments.output.display()));
    let written = rewrite(&trace, &mut out, &mut plan, &mut |calls| {
        progress.show(calls, of);
    })
    .map_err(|error| failed(error.to_string()))?;
    drop(progress);
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(OutputFile::finish)
        .map_err(|error| failed(error.to_string()))?;
    let met = written.damages.iter().skip(known);
    met.for_each(|damage| warnings.warn(damage));
    message::say(format!(
        "{}: {} of {of} calls, {} of them kept because others need them, {} bytes",
        arguments.output.display(),
        written.calls,
        kept.needed(),
        written.bytes
    ));
    Ok(warnings.exit_code())
}

/// Notes in the trace what it will be a part of, and takes out what is not to be shown.
fn change_metadata(
    trace: &mut Trace,
    kept: &Kept,
    redaction: Option<&Redaction>,
) -> Option<Redactor> {
    let text = format!(
        "a part of {}, which has {} calls: {}",
        trace.path().display(),
        trace.call_count(),
        kept.text()
    );
    trace.notes_mut().push(Note {
        kind: note::TRIMMED.to_owned(),
        text,
        count: kept.needed(),
        ..Note::default()
    });
    redaction.map(|redaction| redaction.apply(trace))
}

struct Trimming<'k> {
    kept: &'k Kept,
    redactor: Option<Redactor>,
}

impl Rewrite for Trimming<'_> {
    fn call(&mut self, trace: &Trace, call: &mut Call) -> bool {
        let keeps = self.kept.contains(call.seq);
        if let Some(redactor) = &mut self.redactor
            && keeps
        {
            redactor.change_call(trace.schema(), call);
        }
        keeps
    }

    fn text(&mut self, text: &mut String) {
        if let Some(redactor) = &self.redactor {
            redactor.change_text(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_calls_include_both_ends() {
        assert_eq!(parse_numbers("100..200"), Ok(100..=200));
        assert_eq!(parse_numbers("100..=200"), Ok(100..=200));
        assert_eq!(parse_numbers("7"), Ok(7..=7));
        assert_eq!(parse_numbers("7.."), Ok(7..=u64::MAX));
        assert_eq!(parse_numbers("..7"), Ok(1..=7));
        for wrong in ["", "a..b", "0..3", "9..3", "1...3", "-1"] {
            assert!(parse_numbers(wrong).is_err(), "{wrong}");
        }
    }
}
