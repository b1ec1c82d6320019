//! `cargo xtask bench record`: what recording costs.

use std::process::ExitCode;

use crate::bar::Verdict;
use crate::burst;
use crate::chore::{Outcome, finish};
use crate::lttng::Lttng;
use crate::machine;
use crate::report::Results;
use crate::stream;
use crate::sustained::{self, Mix};
use crate::threads;
use crate::workbench::Workbench;

/// Measure what recording costs: time per call, calls per second, bytes per call
///
/// Takes about three minutes. Everything is compared with something measured in the same run, because machines differ. Nothing is
/// hidden: a missed bar is shown as MISS, a measurement that went wrong as FAILED.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 measured (whatever came out), 1 a measurement failed, 2 nothing could be measured."
)]
pub struct Args {
    /// Also write the results into docs/performance.md
    #[arg(long)]
    write: bool,
}

/// Runs the chore.
pub fn run(args: &Args) -> ExitCode {
    let measured = Workbench::set_up().map(|bench| measure(&bench));
    let measured = measured.map(|results| Outcome {
        text: results.markdown(),
        has_failed: results
            .lines()
            .iter()
            .any(|line| line.verdict() == Verdict::Failed),
    });
    let part = ("docs/performance.md", "record");
    finish(measured, args.write.then_some(part))
}

fn measure(bench: &Workbench) -> Results {
    let machine = machine::describe();
    let before = machine::load();
    eprintln!("xtask: bursts");
    let lttng = Lttng::version().map_or(Err("LTTng is not installed".to_owned()), |version| {
        Lttng::set_up(bench)
            .map(|lttng| (version, lttng))
            .map_err(|error| error.to_string())
    });
    let costs = burst::measure(bench, lttng.as_ref().ok().map(|(_, lttng)| lttng));
    let lttng = lttng.map(|(version, _)| version);
    eprintln!("xtask: threads");
    let threads = threads::measure(bench);
    eprintln!("xtask: sustained");
    let scalars = sustained::measure(bench, Mix::Scalars3);
    let mixed = sustained::measure(bench, Mix::Mixed);
    eprintln!("xtask: bytes");
    let bytes = stream::measure(bench);
    Results {
        machine,
        load: (before, machine::load()),
        lttng,
        costs,
        threads,
        scalars,
        mixed,
        bytes,
    }
}
