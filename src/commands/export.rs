//! `cutape export`: calls for other tools.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cutape_analysis::export::{ExportFormat, Exporter};
use cutape_analysis::filter::{Filter, Matcher};
use cutape_analysis::redact::{Redaction, Redactor};
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::message;
use crate::output_file::OutputFile;
use crate::progress::Progress;
use crate::reading::{self, TROUBLE, Warnings};

/// Written at once; smaller pieces cost a system call each.
const BUFFER_BYTES: usize = 256 << 10;

/// Write calls for other tools: Perfetto, DuckDB, spreadsheets
///
/// A Perfetto trace opens in ui.perfetto.dev and trace_processor: a track for each process, thread and CUDA stream, arguments with each
/// call, arrows from launches and copies to the call that waits for them, and how much memory is allocated.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 written, 2 the trace is damaged (what is intact is written) or can't be read, or the file not written.

Examples:
  cutape export ollama.cutape --to perfetto -o ollama.pftrace
  cutape export ollama.cutape --to perfetto -e 'not cuGetProcAddress*' | gzip > ollama.pftrace.gz
  cutape export ollama.cutape --to jsonl | jq -r 'select(.ret_name) | .api' | sort | uniq -c
  cutape export ollama.cutape --to csv -o ollama.csv && duckdb -c \"select api, count(*) from 'ollama.csv' group by 1\""
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// The form; docs/export.md describes each
    #[arg(long, value_enum, value_name = "perfetto|jsonl|csv")]
    to: To,

    /// Export only calls that match (docs/filter.md)
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<Filter>,

    /// Take out payload, paths, hosts or environment, with commas between several, or all (docs/export.md)
    #[arg(long, value_name = "KINDS")]
    redact: Option<Redaction>,

    /// The file to write; without it standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replaces an existing file
    #[arg(long, requires = "output")]
    force: bool,
}

/// Forms of export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// A Perfetto trace (protobuf)
    Perfetto,
    /// A header object, then one JSON object for each call
    Jsonl,
    /// A header line, then one line of comma-separated values for each call
    Csv,
}

impl From<To> for ExportFormat {
    fn from(to: To) -> Self {
        match to {
            To::Perfetto => Self::Perfetto,
            To::Jsonl => Self::JsonLines,
            To::Csv => Self::Csv,
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    export(&arguments).unwrap_or_else(|code| code)
}

fn export(arguments: &Arguments) -> Result<ExitCode, ExitCode> {
    let binary_on_terminal =
        arguments.to == To::Perfetto && arguments.output.is_none() && io::stdout().is_terminal();
    if binary_on_terminal {
        return Err(message::fail(
            TROUBLE,
            "a Perfetto trace is binary: expected -o FILE or a pipe, found a terminal",
        ));
    }
    let mut trace = reading::open(&arguments.trace)?;
    let mut warnings = Warnings::of(&trace);
    let redaction = arguments.redact.as_ref();
    let mut redactor = redaction.map(|redaction| redaction.apply(&mut trace));
    let redactor = &mut redactor;
    let trace = &trace;
    match &arguments.output {
        None => write_calls(
            arguments,
            (trace, redactor),
            (io::stdout().lock(), &mut warnings),
        )
        .map_err(reading::cannot_write)?,
        Some(path) => {
            let refuse = |error: String| message::fail(TROUBLE, error);
            let mut file = OutputFile::create(path, arguments.force).map_err(refuse)?;
            write_calls(arguments, (trace, redactor), (&mut file, &mut warnings))
                .and_then(|()| file.finish())
                .map_err(|error| refuse(format!("{}: {error}", path.display())))?;
        }
    }
    Ok(warnings.exit_code())
}

fn write_calls(
    arguments: &Arguments,
    (trace, redactor): (&Trace, &mut Option<Redactor>),
    (mut out, warnings): (impl Write, &mut Warnings),
) -> io::Result<()> {
    let mut exporter = Exporter::new(arguments.to.into());
    let mut progress = Progress::new("exporting");
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + (BUFFER_BYTES >> 4));
    let mut calls = trace.calls();
    let mut call = Call::default();
    let mut matcher = arguments.filter.as_ref().map(Matcher::new);
    exporter.start(&mut buffer, trace);
    loop {
        match calls.read_next(&mut call) {
            Ok(true) => {
                let matches = |matcher: &mut Matcher<'_>| matcher.matches(trace, &call);
                if matcher.as_mut().is_none_or(matches) {
                    if let Some(redactor) = redactor {
                        redactor.change_call(trace.schema(), &mut call);
                    }
                    exporter.push(&mut buffer, trace, &call);
                } else {
                    exporter.pass(trace, &call);
                }
            }
            Ok(false) => break,
            Err(damage) => warnings.warn(&damage),
        }
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            buffer.clear();
            progress.show(call.seq, trace.call_count());
        }
    }
    exporter.finish(&mut buffer);
    out.write_all(&buffer)?;
    out.flush()
}
