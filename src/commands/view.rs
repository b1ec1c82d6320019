//! `cutape view`: the terminal interface.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use cutape_analysis::filter::Filter;
use cutape_viewer::opened::Source;
use cutape_viewer::run::{End, Options, view};

use crate::child;
use crate::commands::print;
use crate::message;
use crate::reading::{self, TROUBLE};
use crate::viewing;

/// Look at a trace in the terminal
///
/// A list of all calls, with arguments, times and what they mean. ? shows all keys. Where standard output is no terminal, or one that can't
/// move its cursor (TERM=dumb), the calls are printed instead.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 shown, 2 the trace can't be read or the terminal can't be used.

Settings are remembered in $XDG_CONFIG_HOME/cutape/view.toml. NO_COLOR is honoured.

Examples:
  cutape view llama.cutape
  cutape view ollama.cutape pytorch.cutape
  cutape view -e 'cuMem* and not ok' llama.cutape
  cutape view -F llama.cutape         # while it is being recorded
  cutape view --ascii llama.cutape    # for terminals without Unicode"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T")]
    trace: PathBuf,

    /// A second trace: the two are shown beside each other
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
    if !can_show() {
        return print::print_instead(&arguments.trace, arguments.follow, arguments.filter);
    }
    let filter = match arguments.filter.as_deref().map(Filter::parse).transpose() {
        Ok(filter) => filter,
        Err(error) => return message::fail(TROUBLE, format!("-e: {error}")),
    };
    let source = match Source::open(&arguments.trace, arguments.follow) {
        Ok(source) => source,
        Err(error) => return reading::refuse(&arguments.trace, &error),
    };
    let other = match arguments.other.as_deref().map(reading::open).transpose() {
        Ok(other) => other.map(Arc::new),
        Err(code) => return code,
    };
    let options = Options {
        ascii: arguments.ascii,
        follow: arguments.follow,
        filter,
        other,
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
