//! `cutape info`: what is in a trace.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{Local, Offset};
use clap::Args;
use cutape_analysis::info::Info;
use cutape_analysis::info_text::info_text;
use cutape_analysis::objects::ObjectTracker;
use cutape_analysis::survey::Survey;

use crate::progress::Progress;
use crate::reading::{self, Warnings};

/// Show what is in a trace: processes, threads, libraries, calls, losses, how it ended
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 shown, 2 the trace is damaged (what is intact is shown) or can't be read.

Examples:
  cutape info llama.cutape
  cutape info --json llama.cutape | jq .first_failure"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// Print one JSON object (schema cutape.info; times are nanoseconds)
    #[arg(long)]
    json: bool,
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
    let mut tracker = ObjectTracker::default();
    let survey = Survey::with(
        &trace,
        |call| {
            tracker.observe(trace.schema(), call);
        },
        |calls| progress.show(calls, trace.call_count()),
    );
    drop(progress);
    let info = Info::of(&trace, &survey).with_objects(&tracker.finish());
    let text = if arguments.json {
        info.to_json()
    } else {
        info_text(&info, Local::now().offset().fix())
    };
    survey
        .damages
        .iter()
        .for_each(|damage| warnings.warn(damage));
    match reading::print(&text) {
        Ok(()) => warnings.exit_code(),
        Err(code) => code,
    }
}
