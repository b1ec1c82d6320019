//! `cutape view`: the terminal interface.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use cutape_analysis::filter::Filter;
use cutape_viewer::opened::Source;
use cutape_viewer::replay_report::ReplayReport;
use cutape_viewer::run::{End, Options, view};

use crate::child;
use crate::commands::print;
use crate::message;
use crate::reading::{self, TROUBLE};
use crate::viewing;

/// Look at a trace in the terminal
///
/// A list of all calls, with arguments, times and what they mean. ? shows all keys. Where standard output is no terminal, or one that can't
/// move its cursor (TERM=dumb), the calls are printed instead; how two traces differ is then for `cutape diff`.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 shown, 2 the trace can't be read or the terminal can't be used.

Settings are remembered in $XDG_CONFIG_HOME/cutape/view.toml. NO_COLOR is honoured.

Examples:
  cutape view llama.cutape
  cutape view ollama.cutape pytorch.cutape
  cutape view llama.cutape report.json       # what another driver answered
  cutape view -e 'cuMem* and not ok' llama.cutape
  cutape view -F llama.cutape         # while it is being recorded
  cutape view --ascii llama.cutape    # for terminals without Unicode"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder. A report of `cutape replay --json` opens the trace that it is about
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// A second trace, or a report of `cutape replay --json`: the two are shown beside each other
    #[arg(value_name = "T2")]
    other: Option<PathBuf>,

    /// List only calls that match at first; docs/filter.md has the grammar
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<String>,

    /// Stay on the newest call of a recording that is still being made, as tail -f does
    #[arg(short = 'F', long)]
    follow: bool,

    /// Draw with ASCII signs only
    #[arg(long)]
    ascii: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    let opened = match Shown::find(&arguments) {
        Ok(opened) => opened,
        Err(error) => return message::fail(TROUBLE, error),
    };
    if let Some(other) = opened.other.filter(|_| !can_show()) {
        return message::fail(
            TROUBLE,
            format!(
                "two traces beside each other need a terminal; `cutape diff {} {}` prints how they differ",
                opened.trace.display(),
                other.display()
            ),
        );
    }
    if !can_show() {
        return print::print_instead(&opened.trace, arguments.follow, arguments.filter);
    }
    let filter = match arguments.filter.as_deref().map(Filter::parse).transpose() {
        Ok(filter) => filter,
        Err(error) => return message::fail(TROUBLE, format!("-e: {error}")),
    };
    let source = match Source::open(&opened.trace, arguments.follow) {
        Ok(source) => source,
        Err(error) => return reading::refuse(&opened.trace, &error),
    };
    let other = match opened.other.map(reading::open).transpose() {
        Ok(other) => other.map(Arc::new),
        Err(code) => return code,
    };
    let options = Options {
        ascii: arguments.ascii,
        follow: arguments.follow,
        filter,
        other,
        report: opened.report.map(Arc::new),
        ..viewing::options()
    };
    match view(source, &options) {
        Ok(End::Left) => ExitCode::SUCCESS,
        Ok(End::Signal(signal)) => child::end_by_signal(signal),
        Err(error) => message::fail(TROUBLE, format!("the terminal can't be used: {error}")),
    }
}

/// Whether there is a terminal that a picture can be drawn on.
fn can_show() -> bool {
    io::stdout().is_terminal() && !viewing::is_dumb()
}

/// What is to be shown.
struct Shown<'a> {
    trace: PathBuf,
    other: Option<&'a Path>,
    report: Option<ReplayReport>,
}

impl<'a> Shown<'a> {
    /// Tells traces from reports.
    fn find(arguments: &'a Arguments) -> Result<Self, String> {
        let mut shown = Self {
            trace: arguments.trace.clone(),
            other: arguments.other.as_deref(),
            report: None,
        };
        if let Some(path) = shown.other.filter(|path| ReplayReport::is_json(path)) {
            shown.report = Some(ReplayReport::read(path)?);
            shown.other = None;
        }
        if !ReplayReport::is_json(&arguments.trace) {
            return Ok(shown);
        }
        if let Some(other) = &arguments.other {
            return Err(format!(
                "{} is no trace: expected `cutape view TRACE REPORT`, found {} behind it",
                arguments.trace.display(),
                other.display()
            ));
        }
        let report = ReplayReport::read(&arguments.trace)?;
        if let Some(replayed) = report.first() {
            shown.trace = report.path_of(replayed);
        }
        if !shown.trace.exists() {
            return Err(format!(
                "{} is about {}, which is not there: `cutape view TRACE {0}` says where it is",
                arguments.trace.display(),
                shown.trace.display()
            ));
        }
        shown.report = Some(report);
        Ok(shown)
    }
}
