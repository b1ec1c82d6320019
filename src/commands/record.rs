//! `cutape record`: run a command and record its calls.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::doctor::rule::Severity;
use cutape_analysis::info::Info;
use cutape_analysis::summary::summary_lines;
use cutape_analysis::survey::Survey;
use cutape_trace_format::metadata::Recording;
use cutape_trace_format::trace::Trace;

use crate::beside::{self, Beside};
use crate::child;
use crate::clock;
use crate::filtering;
use crate::host;
use crate::message::{self, OWN_FAILURE};
use crate::options::{RecordingOptions, Setup};
use crate::progress::Progress;
use crate::recording::{Ended, RecordingFolder};

/// Run a command and record every call it makes to the CUDA driver and to NVML
///
/// The command's own streams, exit code and signals stay as they are; what cutape has to say goes to standard error, at the end. Its
/// children are recorded, too.
#[derive(Args)]
#[command(after_help = "Examples:
  cutape record -o llama -- ./llama-server --list-devices
  cutape record --driver ./build/libcuda.so.1 -- python3 -c 'import torch; print(torch.cuda.is_available())'
  cutape record -e 'cuMem* or ret != 0' -- ./program
  cutape record --inject 'cuMemAlloc:error=OUT_OF_MEMORY:when=3+' -- ./program
  cutape record --view -- ./program       # and look at it meanwhile
  cutape record --driver sim:shim-uninitialized -- ./program")]
pub struct Arguments {
    #[command(flatten)]
    options: RecordingOptions,

    /// Shows the recording in the terminal at once, beside the program, as `cutape view -F` does. The program has no part in the terminal:
    /// what it writes is on screen 7, and its standard input is empty unless it is redirected. Ctrl-C interrupts it; q asks whether to
    /// leave it running
    #[arg(long)]
    view: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    let Arguments {
        options,
        view,
        command,
    } = arguments;
    let (setup, path, folder) = match prepare(&options, &command) {
        Ok(prepared) => prepared,
        Err(error) => return message::fail(OWN_FAILURE, error),
    };
    let watched = view && beside::is_possible();
    if view && !watched {
        message::say("--view: there is no terminal to show the recording on; it is made as usual");
    }
    let ended = match watched {
        true => record_beside(&command, &setup, (folder, &path)),
        false => record(&command, &setup, folder),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(code) => return code,
    };
    ended.troubles.iter().for_each(message::say);
    summarise(&path);
    warn_of_missing(&setup);
    child::end_as(ended.status)
}

/// Runs the command to its end and makes one file of the recording.
fn record(
    command: &[OsString],
    setup: &Setup,
    mut folder: RecordingFolder,
) -> Result<Ended, ExitCode> {
    let status = match child::run(command, &setup.environment) {
        Ok(status) => status,
        Err(error) => {
            folder.discard();
            return Err(child::could_not_start(&command[0], &error));
        }
    };
    let noted = folder.note_end(status, clock::monotonic_ns());
    let mut troubles: Vec<String> = noted.err().into_iter().collect();
    let mut progress = Progress::new("sealing");
    troubles.extend(folder.seal(&mut |done, all| progress.show(done, all)).err());
    Ok(Ended { status, troubles })
}

/// The same, with the viewer on the terminal.
fn record_beside(
    command: &[OsString],
    setup: &Setup,
    (folder, path): (RecordingFolder, &Path),
) -> Result<Ended, ExitCode> {
    match Beside::start(command, &setup.environment) {
        Ok(beside) => beside.show(folder, path).map_err(|error| {
            message::fail(
                OWN_FAILURE,
                format!("the recording can't be watched: {error}"),
            )
        }),
        Err(error) => {
            folder.discard();
            Err(child::could_not_start(&command[0], &error))
        }
    }
}

fn prepare(
    options: &RecordingOptions,
    command: &[OsString],
) -> Result<(Setup, PathBuf, RecordingFolder), String> {
    let path = options.trace_path(command.first())?;
    let setup = options.prepare(&path)?;
    let recording = Recording {
        cutape_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        host: host::name(),
        start_realtime_ns: clock::realtime_ns(),
        start_monotonic_ns: clock::monotonic_ns(),
        options: options.described(&setup.driver),
        driver_exports: setup.front.exports.clone(),
    };
    let folder = RecordingFolder::create(&path, options.force, &recording)?;
    Ok((setup, path, folder))
}

fn summarise(path: &Path) {
    let trace = match Trace::open(path) {
        Ok(trace) => trace,
        Err(error) => return message::say(format!("the trace can't be read back: {error}")),
    };
    let info = Info::of(&trace, &Survey::of(&trace, |_| {}));
    if info.processes.is_empty() && filtering::recorded_with(&trace).is_some() {
        message::say("no call that the filter means was seen; without -e, all calls are recorded");
    } else if info.processes.is_empty() {
        message::say(
            "no call to the CUDA driver or NVML was seen: the program made none, or it loads the driver by absolute path or with a cleaned \
             environment",
        );
    }
    summary_lines(&info).iter().for_each(message::say);
    point_at_doctor(&trace, path);
    message::say(format!("trace: {}", path.display()));
}

/// Calls up to which the end of a recording is the place for a diagnosis: it takes a moment.
const QUICKLY_DIAGNOSED: u64 = 200_000;

/// Names the command that says why, where there is something to say.
fn point_at_doctor(trace: &Trace, path: &Path) {
    if trace.call_count() > QUICKLY_DIAGNOSED {
        return;
    }
    let diagnosis = Diagnosis::of(trace, &[], |_| {});
    let found = diagnosis.findings.first();
    if let Some(found) = found.filter(|found| found.rule.severity != Severity::Doubtful) {
        message::say(format!(
            "`cutape doctor {}` says why: {}",
            path.display(),
            found.rule.id
        ));
    }
}

fn warn_of_missing(setup: &Setup) {
    let missing = &setup.front.missing;
    if let Some(first) = missing.first() {
        message::say(format!(
            "warning: {} has functions that are newer than this cutape ({}, such as {first}): programs that link to them don't start, and \
             look-ups by name don't find them",
            setup.driver.cuda.display(),
            missing.len()
        ));
    }
}
