//! `cutape verify`: check every block of a trace.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cutape_trace_format::verify::verify;

use crate::reading;

/// Check every block of a trace
///
/// Reads all blocks: checksums, content, whether rows and columns agree, whether the index fits. Says what is damaged, at which offset, and
/// how many calls are lost with it. All other commands read what is intact.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 sound, 1 damaged, 2 the trace can't be read at all.

Example:
  cutape verify llama.cutape && scp llama.cutape colleague:"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    let verified = match verify(&arguments.trace) {
        Ok(verified) => verified,
        Err(error) => return reading::refuse(&arguments.trace, &error),
    };
    let mut report = String::new();
    for problem in &verified.problems {
        let _ = writeln!(report, "{problem}");
    }
    let state = if verified.is_sound() {
        "sound"
    } else {
        "damaged"
    };
    let _ = writeln!(
        report,
        "{}: {state}: {} intact blocks with {} calls in {} {}, {} problems",
        arguments.trace.display(),
        verified.blocks,
        verified.calls,
        verified.files,
        if verified.files == 1 { "file" } else { "files" },
        verified.problems.len()
    );
    match reading::print(&report) {
        Ok(()) => ExitCode::from(u8::from(!verified.is_sound())),
        Err(code) => code,
    }
}
